"""Images that look alike but carry different labels: a hint at label noise."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
_HASH_BITS = 64
_MOST_BITS = 5
"""Beyond this distance, unlike pictures begin to collide and the search no longer takes seconds at 100,000 images."""
_BLOCK = 1024


def conflicting(images: pd.DataFrame, bits: int) -> "pd.Series[bool]":
    """Which images have a look-alike with another label: boolean, on the index of `images`.

    Two images look alike when they share a duplicate group, or when their perceptual hashes differ in at most `bits`
    of 64 bits (at most 5 are used).
    """
    grouped = images.dropna(subset=["duplicate_group"])
    mixed = grouped.groupby("duplicate_group")["label"].transform("nunique") > 1
    flags = pd.Series(False, index=images.index)
    flags[mixed[mixed].index] = True
    hashed = images.dropna(subset=["phash"])
    kinds = hashed[["phash", "label"]].drop_duplicates()
    hashes = np.array([int(text, 16) for text in kinds["phash"]], np.uint64)
    labels = pd.factorize(kinds["label"])[0]
    suspects = kinds[_with_unlike_neighbour(hashes, labels, min(bits, _MOST_BITS))]
    known = pd.MultiIndex.from_frame(suspects)
    flags[hashed.index[pd.MultiIndex.from_frame(hashed[["phash", "label"]]).isin(known)]] = True
    return flags


def _with_unlike_neighbour(hashes: Hashes, labels: NDArray[np.intp], bits: int) -> NDArray[np.bool_]:
    """Which (hash, label) have one with another label within `bits`.

    Two hashes that differ in at most b bits agree in at least one of b + 1 bands (pigeonhole), so only those that
    share a band are compared.
    """
    found = np.zeros(len(hashes), np.bool_)
    edges = np.linspace(0, _HASH_BITS, bits + 2).astype(int)
    for low, high in pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        for members in _equal_runs(band):
            for block in range(0, len(members), _BLOCK):
                part = members[block : block + _BLOCK]
                near = np.bitwise_count(hashes[part, None] ^ hashes[None, members]) <= bits
                found[part] |= (near & (labels[part, None] != labels[None, members])).any(1)
    return found


def _equal_runs(values: Hashes) -> Iterator[NDArray[np.intp]]:
    """The positions of each value that occurs more than once."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.r_[True, values[order][1:] != values[order][:-1]]) if len(values) else np.array([], np.intp)
    for start, end in pairwise([*starts.tolist(), len(values)]):
        if end - start > 1:
            yield order[start:end]
