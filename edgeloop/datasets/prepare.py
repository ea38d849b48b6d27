"""The step `prepare`: from an archive of class folders to shards and a manifest. Nothing is extracted to disk."""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from edgeloop.config import Limits, Params, Prepare
from edgeloop.cpus import usable_cpus
from edgeloop.datasets.additions import read_additions
from edgeloop.datasets.archive import Entry, list_members, read_members
from edgeloop.datasets.duplicates import duplicate_groups
from edgeloop.datasets.exchange import exchanged
from edgeloop.datasets.images import Examined, Look, examine, refused
from edgeloop.datasets.kept import Image, Memory, assign_kept, remembered
from edgeloop.datasets.layout import ClassLayout, class_layout
from edgeloop.datasets.manifest import DROPPED, SCHEMA, SPLITS, class_names, write_manifest
from edgeloop.datasets.outside import counted, others
from edgeloop.datasets.parallel import map_in_order
from edgeloop.datasets.shards import Place, ShardWriter
from edgeloop.datasets.split import Assignment, Declared, OfficialLists, assign, entry_of, parse_list
from edgeloop.decoding import TOO_MANY_BYTES
from edgeloop.errors import DataError, InputError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.progress import tracked
from edgeloop.records import FetchRecord, PrepareRecord, SplitCounts, provenance
from edgeloop.workspace import DatasetPaths, Workspace

TOOLS = ["numpy", "opencv-python-headless", "pandas", "pillow", "pyarrow"]
# Encoded images that wait for a worker.
WAITING_BYTES = 256 << 20
LIST_BYTES = 64 << 20


@dataclass(frozen=True)
class Member:
    """One file of a class folder, examined and stored."""

    path: str
    label: str
    size_bytes: int
    examined: Examined
    place: Place | None


def prepare(workspace: Workspace, params: Params, dataset: str) -> PrepareRecord:
    """Make `data/<dataset>/images` (shards and manifest) and `prepare.json` from the fetched archive and later additions.

    Raises:
        InputError: nothing was fetched, or the archive is not the one that was.
        UnsafeArchiveError: the archive is not safe to read.
        DataError: it is damaged, or no two classes with images come out of it.
    """
    started = dt.datetime.now(dt.UTC)
    settings, paths = params.dataset(dataset).prepare, workspace.dataset(dataset)
    fetched = _fetched(paths, dataset)
    listing = list_members(paths.archive, settings.limits)
    layout = class_layout(listing.files, settings, listing.folders)
    additions = read_additions(workspace, dataset, settings.limits)
    memory = remembered(additions)
    with atomic_folder(paths.images) as folder, ShardWriter(folder) as writer:
        members = list(_stored(paths.archive, layout.labels, memory, settings, writer, f"prepare {dataset}"))
        for addition in additions:
            what = f"prepare {dataset}, addition {addition.number}"
            members += _stored(addition.path, addition.labels, memory, settings, writer, what)
        writer.close()
        members.sort(key=lambda member: member.path)
        groups = _groups(members, settings)
        assignment = _assignment(members, groups, paths.archive, layout, memory, settings)
        manifest = _manifest(members, groups, assignment)
        _check_classes(manifest, dataset)
        write_manifest(manifest, folder / paths.manifest.name, settings.color)
    labels = layout.labels | {path: label for addition in additions for path, label in addition.labels.items()}
    digest, added = sha256_file(paths.manifest), sum(len(addition.labels) for addition in additions)
    record = PrepareRecord(
        dataset=dataset,
        color=settings.color,
        archive=fetched,
        manifest_sha256=digest,
        classes=class_names(manifest),
        members=len(listing.files) + added,
        added=added,
        images=int(manifest["split"].notna().sum()),
        quarantined=_count_reasons(manifest),
        outside_class_folders=others(layout),
        outside=counted(layout),
        split_rule=assignment.rule,
        relabelled=sum(member.label != labels[member.path] for member in members),
        exchanged=exchanged(memory, _digests(members, layout.labels), assignment.splits),
        splits={split: _split_counts(manifest, split) for split in SPLITS},
        duplicate_groups=len(groups),
        shards=writer.shards,
        shard_bytes=writer.total_bytes,
        provenance=provenance(workspace.root, {"prepare": settings.model_dump(mode="json")}, TOOLS, started, digest),
    )
    record.write(paths.prepare_record)
    return record


def _fetched(paths: DatasetPaths, dataset: str) -> FetchRecord:
    again = f"Fetch it: edgeloop fetch {dataset}"
    if not paths.archive.is_file():
        raise InputError(f"{paths.archive} does not exist.", again)
    record = FetchRecord.read(paths.fetch_record)
    if paths.archive.stat().st_size != record.bytes or sha256_file(paths.archive) != record.sha256:
        raise InputError(f"{paths.archive} is not the archive that {paths.fetch_record.name} states: it was changed or damaged.", again)
    return record


def _stored(
    archive: Path, labels: Mapping[str, str], memory: Memory, settings: Prepare, writer: ShardWriter, what: str
) -> Iterator[Member]:
    """Examine and store the files of the class folders, in the archive's order, under their right label."""

    def look(item: tuple[Entry, bytes | None]) -> tuple[Entry, Examined]:
        entry, encoded = item
        if encoded is None:
            return entry, Examined(None, refused(TOO_MANY_BYTES, str(entry.size_bytes)))
        return entry, _dropped(encoded, labels[entry.path], memory) or examine(encoded, settings)

    def weight(item: tuple[Entry, bytes | None]) -> int:
        return len(item[1] or b"")

    encoded = _encoded(archive, labels.__contains__, settings.limits)
    examined = map_in_order(look, encoded, usable_cpus(), weight, WAITING_BYTES)
    for entry, found in tracked(examined, what, len(labels), "images"):
        place = writer.add(found.stored) if found.look else None
        label = memory.label(found.sha256, labels[entry.path])
        yield Member(entry.path, label, entry.size_bytes, replace(found, stored=b""), place)


def _dropped(encoded: bytes, found: str, memory: Memory) -> Examined | None:
    """An image that somebody took out is not looked at, and not stored."""
    if not memory.dropped:
        return None
    sha256 = hashlib.sha256(encoded).hexdigest()
    reason = memory.why_dropped(sha256, memory.label(sha256, found))
    return None if reason is None else Examined(sha256, refused(DROPPED, reason))


def _encoded(archive: Path, wanted: Callable[[str], bool], limits: Limits) -> Iterator[tuple[Entry, bytes | None]]:
    for entry in read_members(archive, limits):
        if wanted(entry.path):
            yield entry, entry.read() if entry.size_bytes <= limits.image_bytes else None


def _decoded(members: Sequence[Member]) -> list[tuple[Member, Look]]:
    return [(member, member.examined.look) for member in members if member.examined.look is not None]


def _usable(members: Sequence[Member]) -> dict[str, str]:
    return {member.path: member.label for member, _ in _decoded(members)}


def _groups(members: Sequence[Member], settings: Prepare) -> list[list[str]]:
    decoded = _decoded(members)
    if not decoded:
        return []
    groups = duplicate_groups(
        [(member.examined.sha256, look.pixels_sha256) for member, look in decoded],
        np.array([look.phash for _, look in decoded], np.uint64),
        np.stack([look.thumbnail for _, look in decoded]),
        settings.near_duplicate_bits,
        settings.near_duplicate_rms,
    )
    return [[decoded[index][0].path for index in group] for group in groups]


def _assignment(
    members: Sequence[Member], groups: list[list[str]], archive: Path, layout: ClassLayout, memory: Memory, settings: Prepare
) -> Assignment:
    """As it is kept; by the declared rule the first time, and where none of the images is known."""
    usable, lists = _usable(members), _lists(archive, layout, settings)
    if memory.kept:
        images = {member.path: Image(member.label, member.examined.sha256 or "") for member, _ in _decoded(members)}
        if (done := assign_kept(images, groups, memory, settings.split, _declared(layout, lists))) is not None:
            return done
    # What later ingests added is on no list and in no folder of a split.
    added = [member.path for member in members if member.path not in layout.labels]
    folders = {**layout.splits, **dict.fromkeys(added, "train")} if layout.splits else {}
    return assign(usable, groups, [*layout.labels, *added], settings.split, Declared(lists, folders))


def _declared(layout: ClassLayout, lists: OfficialLists | None) -> dict[str, str]:
    """Where the archive itself says that an image belongs: its official list of test images, or its folders of splits."""
    if lists is not None:
        return {path: "test" for path in layout.labels if entry_of(path) in lists.test}
    has_val = "val" in layout.splits.values()
    return {path: split for path, split in layout.splits.items() if split != "train" or has_val}


def _digests(members: Sequence[Member], labels: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 by path of the usable images of the first archive."""
    return {member.path: member.examined.sha256 or "" for member, _ in _decoded(members) if member.path in labels}


def _lists(archive: Path, layout: ClassLayout, settings: Prepare) -> OfficialLists | None:
    """The official lists in the archive, when the rule asks for them and they name any of its images."""
    if settings.split.rule != "official":
        return None
    wanted = {path for path in layout.outside if path.split("/")[-2:-1] == ["meta"] and path.rsplit(".", 1)[-1] in ("json", "txt")}
    found: dict[str, frozenset[str]] = {}
    for entry in read_members(archive, settings.limits) if wanted else ():
        name = entry.path.rsplit("/", 1)[-1]
        if entry.path in wanted and name.split(".")[0] in ("train", "test") and entry.size_bytes <= LIST_BYTES:
            found.setdefault(name.split(".")[0], parse_list(name, entry.read()))
    if found.keys() != {"train", "test"}:
        return None
    lists = OfficialLists(found["train"], found["test"])
    return lists if any(entry_of(path) in lists.test for path in layout.labels) else None


def _manifest(members: Sequence[Member], groups: Sequence[Sequence[str]], assignment: Assignment) -> pd.DataFrame:
    numbers = {path: number for number, group in enumerate(groups) for path in group}
    rows = [_row(member, numbers.get(member.path), assignment) for member in members]
    return pd.DataFrame(rows, columns=SCHEMA.names, dtype=object)


def _row(member: Member, group: int | None, assignment: Assignment) -> dict[str, object]:
    look, place = member.examined.look, member.place
    row: dict[str, object] = {
        "path": member.path,
        "label": member.label,
        "split": assignment.splits.get(member.path),
        "bytes": member.size_bytes,
        "sha256": member.examined.sha256,
        "duplicate_group": group,
        "reason": member.examined.reason or assignment.quarantined.get(member.path),
    }
    if look is not None:
        row |= {"width": look.width, "height": look.height, "mode": look.mode, "format": look.format}
        row |= {"phash": f"{look.phash:016x}", "brightness": look.brightness, "sharpness": look.sharpness}
    if place is not None:
        row |= {"shard": place.shard, "offset": place.offset, "length": place.length}
    return {name: row.get(name) for name in SCHEMA.names}


def _check_classes(manifest: pd.DataFrame, dataset: str) -> None:
    kept = set(class_names(manifest))
    for label, rows in manifest.groupby("label"):
        if label not in kept:
            raise DataError(
                f"No image of the class '{label}' of {dataset} can be used: of {len(rows)} files, {_in_words(_count_reasons(rows))}.",
                "Repair or remove that class folder.",
            )
    if len(kept) < 2:
        raise DataError(
            f"{dataset} has the class {', '.join(kept)} only; a classifier needs two.", "Pack one folder of images for each class."
        )


def _count_reasons(rows: pd.DataFrame) -> dict[str, int]:
    """How many rows are quarantined, by the kind of the reason (what stands before its colon)."""
    return dict(sorted(Counter(str(reason).split(":")[0] for reason in rows["reason"] if reason is not None).items()))


def _in_words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} x '{reason}'" for reason, count in counts.items())


def _split_counts(manifest: pd.DataFrame, split: str) -> SplitCounts:
    labels = Counter(str(label) for label in manifest.loc[manifest["split"] == split, "label"])
    return SplitCounts(images=labels.total(), per_class=dict(sorted(labels.items())))
