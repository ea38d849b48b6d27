"""Which images are the same picture, exactly or nearly: groups found without comparing every pair."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels

HASH_BITS = 64
# Pairs compared at once, which bounds the memory of a bucket that many alike pictures share.
PAIRS_AT_ONCE = 1 << 20

Pairs = NDArray[np.intp]


def duplicate_groups(
    exact_keys: Sequence[Sequence[Hashable]],
    hashes: NDArray[np.uint64],
    thumbnails: Pixels,
    max_bits: int,
    max_rms: float,
) -> list[list[int]]:
    """Groups of two or more images that are the same picture; members ascending, groups by their first member.

    Exactly the same are images that share a key of `exact_keys` (for each image: digests of file and pixels). Nearly
    the same are images whose perceptual hashes differ in at most `max_bits` and whose `thumbnails`, uint8 of shape
    (n, side, side, 3), differ by at most `max_rms` (root of the mean squared difference, in levels of 0..255).
    Groups are closed: a duplicate of a duplicate belongs to the group.
    """
    union = UnionFind(len(exact_keys))
    for first, second in _equal_keys(exact_keys):
        union.join(first, second)
    leaders = np.array(sorted({union.find(index) for index in range(len(exact_keys))}), np.intp)
    for pairs in near_pairs(hashes[leaders], max_bits):
        for first, second in _alike(thumbnails, leaders[pairs], max_rms):
            union.join(int(first), int(second))
    return union.groups()


class UnionFind:
    """Disjoint sets of the numbers below `count`; the smallest number of a set is its leader."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, index: int) -> int:
        """The leader of the set that holds `index`."""
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        """Make one set of two."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low

    def groups(self) -> list[list[int]]:
        """The sets of two or more."""
        members: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parent)):
            members[self.find(index)].append(index)
        return [group for group in members.values() if len(group) > 1]


def near_pairs(hashes: NDArray[np.uint64], max_bits: int) -> Iterator[Pairs]:
    """All pairs of 64-bit hashes that differ in at most `max_bits`, as arrays of shape (pairs, 2); a pair may come twice.

    The bits are cut into `max_bits` + 1 bands: two hashes that differ in at most `max_bits` have an equal band
    (Manku, Jain, Das Sarma 2007), so only hashes with an equal band are compared.
    """
    for mask in _bands(max_bits + 1):
        keys = hashes & mask
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=~keys[order][:1]))
        for bucket in np.split(order, starts[1:]):
            yield from _near_in_bucket(bucket, hashes, max_bits)


def _bands(count: int) -> Iterator[np.uint64]:
    edges = [HASH_BITS * band // count for band in range(count + 1)]
    for low, high in pairwise(edges):
        yield np.uint64((1 << high) - (1 << low))


def _near_in_bucket(bucket: NDArray[np.intp], hashes: NDArray[np.uint64], max_bits: int) -> Iterator[Pairs]:
    values = hashes[bucket]
    rows_at_once = max(PAIRS_AT_ONCE // max(len(bucket), 1), 1)
    for start in range(0, len(bucket) - 1, rows_at_once):
        rows = values[start : start + rows_at_once]
        distance = np.bitwise_count(rows[:, None] ^ values[None, start:])
        row, column = np.nonzero(np.triu(distance <= max_bits, k=1))
        if row.size:
            yield np.sort(np.stack([bucket[start + row], bucket[start + column]], axis=1), axis=1)


def _alike(thumbnails: Pixels, pairs: Pairs, max_rms: float) -> Pairs:
    """Those pairs whose thumbnails differ by at most `max_rms`."""
    kept = [_alike_chunk(thumbnails, pairs[start : start + 4096], max_rms) for start in range(0, len(pairs), 4096)]
    return np.concatenate(kept) if kept else pairs


def _alike_chunk(thumbnails: Pixels, pairs: Pairs, max_rms: float) -> Pairs:
    first, second = (thumbnails[pairs[:, side]].astype(np.float32) for side in (0, 1))
    rms = np.sqrt(np.mean((first - second) ** 2, axis=(1, 2, 3)))
    return np.asarray(pairs[rms <= max_rms], np.intp)


def _equal_keys(keys: Iterable[Sequence[Hashable]]) -> Iterator[tuple[int, int]]:
    first_with: dict[Hashable, int] = {}
    for index, own in enumerate(keys):
        for key in own:
            first = first_with.setdefault(key, index)
            if first != index:
                yield first, index
