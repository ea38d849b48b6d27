"""Where an image goes that joins a data set later: a pure function that never moves what is there already."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeloop.config import Split
from edgeloop.datasets.split import CONFLICT, OF_TEST_IMAGE, Assignment, Groups

OF_SEVERAL_SPLITS = "duplicate of images in several splits"
OF_QUARANTINED = "duplicate of a quarantined image"
_RANGE = 1 << 256


@dataclass(frozen=True)
class Seat:
    """An image that is there already."""

    label: str
    split: str | None
    """None: it is quarantined."""


@dataclass(frozen=True)
class Newcomer:
    """An image that joins."""

    label: str
    sha256: str
    wish: str | None = None
    """The split that it goes to unless a duplicate says otherwise: where its name was, or what an archive itself says."""


def place(newcomers: Mapping[str, Newcomer], seats: Mapping[str, Seat], groups: Groups, split: Split) -> Assignment:
    """Divide `newcomers` (by path) among the splits, or quarantine them; `seats` (by path) stay what they are.

    `groups` are duplicates of each other, of both kinds. A newcomer that shows the same picture as an image of train or
    val joins that split; one of a test image, of a quarantined image, of images in several splits or under another label
    is quarantined. Newcomers that only resemble each other go to one split together. The others go where they wish, else by
    the digest of their bytes and the seed: to test as well only under the rule `stratified`, since the published test sets are closed.
    """
    done = Assignment()
    together = [group for group in groups if any(path in newcomers for path in group)]
    grouped = {path for group in together for path in group}
    for group in [*together, *([path] for path in newcomers if path not in grouped)]:
        fresh = [path for path in group if path in newcomers]
        where, reason = _decision(group, fresh, newcomers, seats, split)
        done.splits.update(dict.fromkeys(fresh, where) if where else {})
        done.quarantined.update({} if where else {path: _detailed(reason, path, group, seats) for path in fresh})
    return done


def _decision(
    group: Sequence[str], fresh: list[str], newcomers: Mapping[str, Newcomer], seats: Mapping[str, Seat], split: Split
) -> tuple[str | None, str]:
    """The split of the newcomers of one group; or None and the reason."""
    old = [seats[path] for path in group if path in seats]
    if len({seat.label for seat in old} | {newcomers[path].label for path in fresh}) > 1:
        return None, CONFLICT
    if not old:
        wishes = {wish for path in fresh if (wish := newcomers[path].wish) is not None}
        wished = next((name for name in ("test", "val", "train") if name in wishes), None)
        return wished or by_digest(min(newcomers[path].sha256 for path in fresh), split), ""
    splits = {seat.split for seat in old if seat.split is not None}
    if not splits:
        return None, OF_QUARANTINED
    if len(splits) > 1:
        return None, OF_SEVERAL_SPLITS
    only = splits.pop()
    return (None, OF_TEST_IMAGE) if only == "test" else (only, "")


def _detailed(reason: str, path: str, group: Sequence[str], seats: Mapping[str, Seat]) -> str:
    """The reason with an image that it is about: one that is there already, where there is one."""
    others = sorted((other for other in group if other != path), key=lambda other: other not in seats)
    return f"{reason}: {others[0]}" if others else reason


def by_digest(sha256: str, split: Split) -> str:
    """The split of an image that resembles no other: it depends on its bytes, the seed and the declared shares alone."""
    if split.rule == "stratified" and _share(f"{split.seed} added test {sha256}") < split.test_fraction:
        return "test"
    return "val" if _share(f"{split.seed} added val {sha256}") < split.val_fraction else "train"


def _share(text: str) -> float:
    """A number between 0 and 1 that is spread evenly over texts."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) / _RANGE
