"""What is kept of a data set's splits and corrections, and how images that are there now are divided by it: pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from edgeloop.config import Split
from edgeloop.datasets.additions import ROOT, Addition, Kept, dropped_key
from edgeloop.datasets.placing import Newcomer, Seat, place
from edgeloop.datasets.split import CONFLICT, OF_TEST_IMAGE, OF_VAL_IMAGE, Assignment, Groups


@dataclass(frozen=True)
class Image:
    """A usable image: its class, and the SHA-256 of its file."""

    label: str
    sha256: str


@dataclass
class Memory:
    """All that the archives of a data set say, a later one over an earlier one."""

    rule: str = ""
    kept: dict[str, Kept] = field(default_factory=dict)
    before: Mapping[str, Kept] | None = None
    """The whole data set as it was before the first archive was exchanged last."""
    relabelled: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)

    def label(self, sha256: str | None, found: str) -> str:
        """The right class of an image that was found in a class folder."""
        return self.relabelled.get(sha256 or "", found)

    def why_dropped(self, sha256: str | None, label: str) -> str | None:
        """The reason for which an image of that class was taken out."""
        return self.dropped.get(dropped_key(sha256 or "", label))


@dataclass(frozen=True)
class Known:
    """Images that are there now, by path, as far as they are known."""

    same: dict[str, Kept]
    """By content, under their name."""
    moved: dict[str, Kept]
    """By content, under another name than before."""
    changed: dict[str, Kept]
    """By name alone: their content is another one."""

    @property
    def seated(self) -> dict[str, Kept]:
        """Those known by content."""
        return self.same | self.moved


def remembered(additions: Iterable[Addition]) -> Memory:
    """What the archives say together."""
    memory = Memory()
    for step in (addition.step for addition in additions):
        if step.anew:
            memory.rule, memory.kept, memory.before = "", {}, None
        elif step.kept:
            memory.rule = memory.rule or step.rule
            memory.kept |= step.kept
        if step.whole:
            memory.before = step.kept
        memory.relabelled |= step.relabelled
        memory.dropped |= step.dropped
    return memory


def known(digests: Mapping[str, str], kept: Mapping[str, Kept]) -> Known:
    """Which images, given by path with their SHA-256, are known. A content whose old path is still there is a new copy."""
    same = {path: kept[path] for path, sha256 in digests.items() if path in kept and kept[path].sha256 == sha256}
    gone: dict[str, list[Kept]] = defaultdict(list)
    for path, one in sorted(kept.items(), key=lambda item: (item[1].split is not None, item[0]), reverse=True):
        if path not in same:
            gone[one.sha256].append(one)
    moved = {path: gone[sha256].pop(0) for path, sha256 in sorted(digests.items()) if path not in same and gone.get(sha256)}
    rest = (path for path in digests if path in kept and path not in same and path not in moved)
    return Known(same, moved, {path: kept[path] for path in rest})


def assign_kept(
    images: Mapping[str, Image], groups: Groups, memory: Memory, split: Split, declared: Mapping[str, str]
) -> Assignment | None:
    """Divide usable images as they are kept; None where none of them is known.

    Images that are not known are placed as newcomers: where a known one of their name was, else as the archive itself
    says (`declared`, by path), else by the digest of their bytes.
    """
    found = known({path: image.sha256 for path, image in images.items()}, memory.kept)
    seated = found.seated
    if not seated and not found.changed:
        return None
    free = _released(seated, groups, images) - (conflicts := _conflicts(seated, groups, images))
    seats = {path: Seat(images[path].label, None if path in conflicts else one.split) for path, one in seated.items() if path not in free}
    wishes = {**declared, **{path: one.split for path, one in found.changed.items() if one.split is not None}}
    fresh = images.keys() - seats.keys()
    newcomers = {path: Newcomer(image.label, image.sha256, wishes.get(path)) for path, image in images.items() if path in fresh}
    done = place(newcomers, seats, groups, split)
    done.splits |= {path: seat.split for path, seat in seats.items() if seat.split is not None}
    reasons = {path: seated[path].reason or CONFLICT for path, seat in seats.items() if seat.split is None}
    done.quarantined |= reasons | dict.fromkeys(conflicts & seats.keys(), CONFLICT)
    added = sum(path.startswith(f"{ROOT}/") for path in images)
    done.rule = f"{memory.rule}; kept since, {added} images added by ingests; what comes later is placed by the digest of its bytes"
    return done


def _released(seated: Mapping[str, Kept], groups: Groups, images: Mapping[str, Image]) -> set[str]:
    """Quarantined duplicates whose cause is no more: their group has one label now, or has lost its image of test or val."""
    of = _group_of(groups)
    return {path for path, one in seated.items() if one.split is None and _is_over(one.reason or "", of.get(path, [path]), seated, images)}


def _is_over(reason: str, group: Sequence[str], seated: Mapping[str, Kept], images: Mapping[str, Image]) -> bool:
    if reason.startswith(CONFLICT):
        return len({images[path].label for path in group}) == 1
    if reason.startswith((OF_TEST_IMAGE, OF_VAL_IMAGE)):
        return not any(path in seated and seated[path].split is not None for path in group)
    return False


def _conflicts(seated: Mapping[str, Kept], groups: Groups, images: Mapping[str, Image]) -> set[str]:
    """Known images of groups that have several labels since one of them got another one."""
    found: set[str] = set()
    for group in groups:
        members = [path for path in group if path in seated and seated[path].split is not None]
        is_new = any(seated[path].label not in (None, images[path].label) for path in members)
        if is_new and len({images[path].label for path in members}) > 1:
            found.update(members)
    return found


def _group_of(groups: Groups) -> dict[str, Sequence[str]]:
    return {path: group for group in groups for path in group}


def state_of(manifest: pd.DataFrame) -> dict[str, Kept]:
    """What is to be kept of a manifest: where each image is; those that do not decode belong nowhere in any case."""
    usable = manifest[manifest["phash"].notna()]
    plain = usable[["split", "reason"]].astype(object).where(usable[["split", "reason"]].notna(), None)
    rows = zip(usable["path"], usable["sha256"], plain["split"], plain["reason"], usable["label"], strict=True)
    return {path: Kept(sha256, split, reason, label) for path, sha256, split, reason, label in rows}


def not_kept_yet(manifest: pd.DataFrame, kept: Mapping[str, Kept]) -> dict[str, Kept]:
    """Where the images are that are not kept as they are now."""
    return {path: one for path, one in state_of(manifest).items() if path not in kept or _is_other(kept[path], one)}


def _is_other(before: Kept, now: Kept) -> bool:
    return (before.sha256, before.split) != (now.sha256, now.split) or before.label not in (None, now.label)
