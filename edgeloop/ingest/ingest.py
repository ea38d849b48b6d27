"""The step `ingest`: look at new images, pack those that are added, quarantine the others. DVC and git come after it (flows/)."""

import datetime as dt
import hashlib
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from edgeloop.config import Dataset, Params
from edgeloop.datasets.additions import (
    REJECTED,
    Contents,
    Kept,
    Step,
    add_member,
    addition_paths,
    member_path,
    next_number,
    read_additions,
    write_addition,
    write_named,
)
from edgeloop.datasets.filenames import is_picture
from edgeloop.datasets.kept import not_kept_yet, remembered
from edgeloop.datasets.layout import ClassLayout, class_layout
from edgeloop.datasets.manifest import class_names, read_manifest, was_dropped
from edgeloop.datasets.outside import counted, others
from edgeloop.datasets.outside import in_words as words_of
from edgeloop.datasets.placing import Newcomer, Seat, place
from edgeloop.datasets.split import Assignment
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.ingest.arrivals import Arrival, Incoming
from edgeloop.ingest.lookalikes import Archives, groups_with, key
from edgeloop.ingest.memory import Digests, known_by_name, quarantined_digests, records
from edgeloop.ingest.screen import Candidate, Past, Screened, screen
from edgeloop.plural import many
from edgeloop.records import IngestRecord, KnownElsewhere, Outside, PrepareRecord, QuarantinedFile, provenance
from edgeloop.workspace import DatasetPaths, Workspace

_NAMED = 5
TOOLS = ["numpy", "opencv-python-headless", "pandas", "pillow"]


@dataclass(frozen=True)
class Counts:
    """What became of the files that were not added."""

    screened: Screened
    outside: Outside
    other_files: int

    def in_words(self) -> list[str]:
        """Lines for what there is."""
        found = self.screened
        return list(_not_taken(found.known_elsewhere, found.dropped, found.unreadable, self.outside, self.other_files))


@dataclass(frozen=True)
class Ingested:
    """What an ingest made: the record, and the archives that DVC is to track."""

    record: IngestRecord
    archives: list[Path]


@dataclass(frozen=True)
class NothingNew:
    """What an ingest found that had nothing to do: each file is counted all the same."""

    counts: Counts


def ingest(workspace: Workspace, params: Params, dataset: str, source: Incoming, *, again: bool = False) -> Ingested | NothingNew:
    """Add new images to a prepared data set.

    Writes `data/<dataset>/additions/<number>-<digest>.tar` with the good ones, `data/<dataset>/rejected/…` with the
    others, and returns the record, which the caller completes (`revision_after`) and writes. The source is only read. `again`: look
    once more at what earlier ingests quarantined.

    Raises:
        InputError: the data set is not prepared, or the source cannot be read or changes meanwhile.
        DataError: it is not clear which folders of the source are the classes.
        StoreError: the object storage does not answer.
    """
    started = dt.datetime.now(dt.UTC)
    declared, paths = params.dataset(dataset), workspace.dataset(dataset)
    manifest, revision = read_manifest(paths.manifest), sha256_file(paths.manifest)
    earlier = records(workspace.ingests(dataset))
    past = [] if again else earlier
    memory = remembered(read_additions(workspace, dataset, declared.prepare.limits))
    arrivals = source.arrivals()
    classes = _classes(manifest, declared)
    layout = _layout(arrivals, classes, declared)
    labels = {arrival: layout.labels[arrival.path] for arrival in arrivals if arrival.path in layout.labels}
    outside = counted(layout).model_copy(update={"hidden": source.hidden})
    cache = Digests(workspace, dataset, source.name)
    known = Past(_by_content(manifest), frozenset(quarantined_digests(past)), frozenset(known_by_name(past)), memory)
    screened = screen(source, labels, classes, declared, known, cache)
    cache.write()
    if not screened.candidates and not screened.rejected:
        return NothingNew(Counts(screened, outside, len(others(layout))))
    archives = Archives(paths.images, [paths.archive, *addition_paths(workspace, dataset)])
    added, assignment = _divided(manifest, screened, archives, declared)
    number = next_number(workspace, dataset)
    archive = _pack_added(workspace, dataset, manifest, declared, number, added, assignment, source) if added else None
    rejected = _pack_rejected(paths, number, screened, source)
    record = IngestRecord(
        dataset=dataset,
        number=number,
        source=source.name,
        files=len(arrivals),
        added=_per_split(added, assignment),
        known=screened.known,
        known_elsewhere=sorted(screened.known_elsewhere, key=lambda file: file.path),
        dropped=screened.dropped,
        unreadable=sorted(screened.unreadable),
        other_files=len(others(layout)),
        quarantined=_reasons(screened),
        quarantined_files=_quarantined(screened),
        outside_class_folders=others(layout),
        outside=outside,
        archive=archive.name if archive else None,
        rejected_archive=rejected.name if rejected else None,
        revision_before=revision,
        revision_after=revision,
        provenance=provenance(workspace.root, {"prepare": declared.prepare.model_dump(mode="json")}, TOOLS, started, revision),
    )
    return Ingested(record, [path for path in (archive, rejected) if path is not None])


def _layout(arrivals: Sequence[Arrival], classes: Sequence[str], declared: Dataset) -> ClassLayout:
    """Which files are of which class; where none is in a folder, none is of any."""
    paths = [arrival.path for arrival in arrivals]
    if not any("/" in path for path in paths):
        return ClassLayout("", {}, paths, [path for path in paths if is_picture(path)])
    return class_layout(paths, declared.prepare, known=classes)


def _by_content(manifest: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Paths of the manifest by label, by SHA-256; of what was dropped there is no path."""
    found: dict[str, dict[str, str]] = {}
    rows = manifest[manifest["sha256"].notna()]
    for sha256, label, path, out in zip(rows["sha256"], rows["label"], rows["path"], was_dropped(rows), strict=True):
        found.setdefault(sha256, {}).update({} if out else {label: path})
    return found


def _classes(manifest: pd.DataFrame, declared: Dataset) -> list[str]:
    """The classes that an image may join: a new one has to be declared."""
    return sorted({*class_names(manifest), *(declared.validation.classes or ())})


def _divided(manifest: pd.DataFrame, screened: Screened, archives: Archives, declared: Dataset) -> tuple[list[Candidate], Assignment]:
    """The images that are added, and their splits by `key`; duplicates that cannot be go to the rejected ones."""
    groups = groups_with(manifest, screened.candidates, archives, declared.prepare)
    rows = zip(manifest["path"], manifest["label"], manifest["split"], strict=True)
    seats = {path: Seat(label, None if pd.isna(split) else split) for path, label, split in rows}
    newcomers = {key(candidate): Newcomer(candidate.label, candidate.sha256) for candidate in screened.candidates}
    done = place(newcomers, seats, groups, declared.prepare.split)
    for candidate in screened.candidates:
        if (reason := done.quarantined.get(key(candidate))) is not None:
            screened.rejected[candidate.arrival] = (candidate.sha256, reason.replace(": /", ": "))
    return [candidate for candidate in screened.candidates if key(candidate) in done.splits], done


def _pack_added(
    workspace: Workspace,
    dataset: str,
    manifest: pd.DataFrame,
    declared: Dataset,
    number: int,
    added: Sequence[Candidate],
    done: Assignment,
    source: Incoming,
) -> Path:
    paths = workspace.dataset(dataset)
    memory = remembered(read_additions(workspace, dataset, declared.prepare.limits))
    rule = memory.rule or PrepareRecord.read(paths.prepare_record).split_rule
    kept = not_kept_yet(manifest, memory.kept)
    names = {
        key(candidate): member_path(number, candidate.label, Path(candidate.arrival.path).name, candidate.sha256) for candidate in added
    }
    kept |= {names[key(candidate)]: Kept(candidate.sha256, done.splits[key(candidate)], None, candidate.label) for candidate in added}
    images = (Contents(names[key(candidate)], _unchanged(source, candidate)) for candidate in added)
    return write_named(paths.additions, f"{number:05d}-", lambda target: write_addition(target, Step(rule, kept), images))


def _unchanged(source: Incoming, candidate: Candidate) -> bytes:
    content = source.read(candidate.arrival)
    if hashlib.sha256(content).hexdigest() != candidate.sha256:
        raise InputError(f"{source.name}: {candidate.arrival.path} changed while it was read.", "Ingest again when nobody writes there.")
    return content


def _pack_rejected(paths: DatasetPaths, number: int, screened: Screened, source: Incoming) -> Path | None:
    """An archive of the quarantined files, those apart that are too large to be read."""
    readable = [arrival for arrival, (sha256, _) in screened.rejected.items() if sha256 is not None]

    def write(target: Path) -> str:
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
            for arrival in sorted(readable, key=lambda arrival: arrival.path):
                add_member(archive, arrival.path, source.read(arrival))
        return sha256_file(target)

    return write_named(paths.rejected, f"{number:05d}{REJECTED}", write) if readable else None


def _per_split(added: Sequence[Candidate], done: Assignment) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for candidate in added:
        counts.setdefault(done.splits[key(candidate)], Counter())[candidate.label] += 1
    return {split: dict(sorted(classes.items())) for split, classes in sorted(counts.items())}


def _reasons(screened: Screened) -> dict[str, int]:
    return dict(sorted(Counter(reason.split(":")[0] for _, reason in screened.rejected.values()).items()))


def _quarantined(screened: Screened) -> list[QuarantinedFile]:
    rejected = sorted(screened.rejected.items(), key=lambda item: item[0].path)
    return [QuarantinedFile(path=arrival.path, bytes=arrival.bytes, sha256=sha256, reason=why) for arrival, (sha256, why) in rejected]


def in_words(record: IngestRecord) -> list[str]:
    """What an ingest did, in lines."""
    return list(_lines(record))


def _lines(record: IngestRecord) -> Iterator[str]:
    count = sum(sum(classes.values()) for classes in record.added.values())
    splits = ", ".join(f"{sum(classes.values())} to {split}" for split, classes in record.added.items())
    added = f"{many(count, 'image')} added{f' ({splits})' if splits else ''}"
    yield f"{added}, {record.known} known, {len(record.quarantined_files)} quarantined"
    for file in record.quarantined_files:
        yield f"  quarantined: {file.path}: {file.reason}"
    outside = record.outside or Outside(pictures=0, places={}, left_out=0, hidden=0, empty_class_folders=[])
    yield from _not_taken(record.known_elsewhere, record.dropped, record.unreadable, outside, record.other_files)


def _not_taken(
    elsewhere: Sequence[KnownElsewhere], dropped: int, unreadable: Sequence[str], outside: Outside, other_files: int
) -> Iterator[str]:
    """What became of the files that are neither added, known nor quarantined, in lines."""
    if elsewhere:
        yield f"  {len(elsewhere)} known under another label, which stays (edgeloop relabel changes it):"
        for file in elsewhere[:_NAMED]:
            yield f"    {file.path}: is {file.known_label}{' since it was corrected' * file.corrected} ({file.known})"
        if len(elsewhere) > _NAMED:
            yield f"    … and {len(elsewhere) - _NAMED} more"
    if dropped:
        yield f"  {dropped} dropped before, and not taken again"
    if unreadable:
        yield f"  {len(unreadable)} cannot be read: {', '.join(unreadable[:_NAMED])}{', …' * (len(unreadable) > _NAMED)}"
    yield from (f"  not looked at: {line}" for line in words_of(outside))
    if other_files:
        yield f"  not looked at: {many(other_files, 'other file')} outside the class folders"
