"""Which incoming images show the same picture as each other or as one that is there: the same rule that `prepare` has.

The manifest has no thumbnails. Those of the few images whose hashes are near an incoming one are made again: from the
stored bytes where these are the original's, else from the archive, so that `prepare` comes to the same groups.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edgeloop.config import Prepare
from edgeloop.datasets.archive import read_members
from edgeloop.datasets.duplicates import UnionFind, near_pairs
from edgeloop.datasets.images import examine
from edgeloop.datasets.manifest import ShardReader
from edgeloop.errors import InputError
from edgeloop.ingest.screen import Candidate
from edgeloop.preprocessing import Pixels


@dataclass(frozen=True)
class Archives:
    """Where the images are that a data set has."""

    images: Path
    """The folder of shards."""
    originals: Sequence[Path]
    """The archives that were prepared."""


def groups_with(manifest: pd.DataFrame, candidates: Sequence[Candidate], archives: Archives, settings: Prepare) -> list[list[str]]:
    """Groups of the same picture: paths of the manifest, and of incoming files marked by `key`. Groups are closed."""
    old = manifest[manifest["phash"].notna()].reset_index(drop=True)
    names = [*old["path"], *map(key, candidates)]
    hashes = np.array([int(value, 16) for value in old["phash"]] + [candidate.look.phash for candidate in candidates], np.uint64)
    pairs = _with_a_newcomer(hashes, len(old), settings.near_duplicate_bits)
    wanted = old.loc[sorted({int(index) for pair in pairs for index in pair if index < len(old)})]
    thumbnails = dict(zip(wanted.index, _thumbnails(wanted, archives, settings), strict=True))
    thumbnails |= {len(old) + number: candidate.look.thumbnail for number, candidate in enumerate(candidates)}
    union = UnionFind(len(names))
    for members in old[old["duplicate_group"].notna()].groupby("duplicate_group").groups.values():
        _join(union, [int(index) for index in members])
    for first, second in pairs:
        if _rms(thumbnails[first], thumbnails[second]) <= settings.near_duplicate_rms:
            union.join(first, second)
    for same in _same_content(candidates, len(old)):
        _join(union, same)
    return [[names[index] for index in group] for group in union.groups()]


def key(candidate: Candidate) -> str:
    """How an incoming file is named beside paths of the manifest, which never begin with a slash."""
    return f"/{candidate.arrival.path}"


def _join(union: UnionFind, members: Sequence[int]) -> None:
    for index in members[1:]:
        union.join(members[0], index)


def _with_a_newcomer(hashes: NDArray[np.uint64], old: int, bits: int) -> list[tuple[int, int]]:
    """Pairs of near hashes of which at least one is new."""
    found = [pairs[(pairs >= old).any(axis=1)] for pairs in near_pairs(hashes, bits)]
    return sorted({(int(first), int(second)) for pairs in found for first, second in pairs})


def _same_content(candidates: Sequence[Candidate], offset: int) -> Iterable[list[int]]:
    by_digest: dict[str, list[int]] = {}
    for number, candidate in enumerate(candidates):
        by_digest.setdefault(candidate.sha256, []).append(offset + number)
    return [same for same in by_digest.values() if len(same) > 1]


def _rms(first: Pixels, second: Pixels) -> float:
    return float(np.sqrt(np.mean((first.astype(np.float32) - second.astype(np.float32)) ** 2)))


def _thumbnails(rows: pd.DataFrame, archives: Archives, settings: Prepare) -> Iterator[Pixels]:
    """Thumbnails of rows of the manifest, in their order."""
    if rows.empty:
        return
    with ShardReader(archives.images) as shards:
        stored = [examine(content, settings) for content in shards.read_rows(rows)]
    digests = zip(rows["path"], rows["sha256"], stored, strict=True)
    originals = dict(_originals({path for path, sha256, found in digests if found.sha256 != sha256}, archives, settings))
    for path, found in zip(rows["path"], stored, strict=True):
        thumbnail = originals.get(path, found.look.thumbnail if found.look else None)
        if thumbnail is None:
            raise InputError(f"The stored image of {path} does not decode.", "Restore the data set: dvc checkout.")
        yield thumbnail


def _originals(wanted: set[str], archives: Archives, settings: Prepare) -> Iterator[tuple[str, Pixels]]:
    """Thumbnails of members of the archives, read once through."""
    for archive in archives.originals if wanted else ():
        yield from _originals_in(archive, wanted, settings)


def _originals_in(archive: Path, wanted: set[str], settings: Prepare) -> Iterator[tuple[str, Pixels]]:
    for entry in read_members(archive, settings.limits):
        if entry.path in wanted and entry.size_bytes <= settings.limits.image_bytes:
            found = examine(entry.read(), settings).look
            if found is not None:
                yield entry.path, found.thumbnail
