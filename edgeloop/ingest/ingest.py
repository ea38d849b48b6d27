"""The step `ingest`: look at new images, pack those that are added, quarantine the others. DVC and git come after it (flows/)."""

import datetime as dt
import hashlib
import os
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from edgeloop.config import Dataset, Params
from edgeloop.datasets.additions import (
    NAME_DIGITS,
    REJECTED,
    Contents,
    Kept,
    add_member,
    addition_paths,
    all_kept,
    member_path,
    read_additions,
    write_addition,
)
from edgeloop.datasets.filenames import is_picture
from edgeloop.datasets.layout import ClassLayout, class_layout
from edgeloop.datasets.manifest import class_names, read_manifest
from edgeloop.datasets.outside import counted, others
from edgeloop.datasets.outside import in_words as words_of
from edgeloop.datasets.placing import Newcomer, Seat, place
from edgeloop.datasets.split import Assignment
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.ingest.arrivals import Arrival, Incoming
from edgeloop.ingest.lookalikes import Archives, groups_with, key
from edgeloop.ingest.memory import Digests, known_by_name, known_digests, records
from edgeloop.ingest.screen import Candidate, Past, Screened, screen
from edgeloop.records import IngestRecord, Outside, PrepareRecord, QuarantinedFile, provenance
from edgeloop.workspace import DatasetPaths, Workspace

TOOLS = ["numpy", "opencv-python-headless", "pandas", "pillow"]


@dataclass(frozen=True)
class Ingested:
    """What an ingest made: the record, and the archives that DVC is to track."""

    record: IngestRecord
    archives: list[Path]


@dataclass(frozen=True)
class NothingNew:
    """What an ingest found that had nothing to do: perhaps pictures that are in no class folder."""

    outside: Outside


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
    arrivals = source.arrivals()
    classes = _classes(manifest, declared)
    layout = _layout(arrivals, classes, declared)
    labels = {arrival: layout.labels[arrival.path] for arrival in arrivals if arrival.path in layout.labels}
    outside = counted(layout).model_copy(update={"hidden": source.hidden})
    cache = Digests(workspace, dataset, source.name)
    known = Past(frozenset(known_digests(manifest, past)), frozenset(known_by_name(past)))
    screened = screen(source, labels, classes, declared, known, cache)
    cache.write()
    if not screened.candidates and not screened.rejected:
        return NothingNew(outside)
    archives = Archives(paths.images, [paths.archive, *addition_paths(workspace, dataset)])
    added, assignment = _divided(manifest, screened, archives, declared)
    number = max((record.number for record in earlier), default=0) + 1
    archive = _pack_added(workspace, dataset, manifest, declared, number, added, assignment, source) if added else None
    rejected = _pack_rejected(paths, number, screened, source)
    record = IngestRecord(
        dataset=dataset,
        number=number,
        source=source.name,
        files=len(arrivals),
        added=_per_split(added, assignment),
        known=screened.known,
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
    before = read_additions(workspace, dataset, declared.prepare.limits)
    rule = before[0].rule if before else PrepareRecord.read(paths.prepare_record).split_rule
    kept = _not_kept_yet(manifest, all_kept(before))
    names = {
        key(candidate): member_path(number, candidate.label, Path(candidate.arrival.path).name, candidate.sha256) for candidate in added
    }
    kept |= {names[key(candidate)]: Kept(candidate.sha256, done.splits[key(candidate)]) for candidate in added}
    images = (Contents(names[key(candidate)], _unchanged(source, candidate)) for candidate in added)
    return _named(paths.additions, f"{number:05d}-", lambda target: write_addition(target, rule, kept, images))


def _not_kept_yet(manifest: pd.DataFrame, kept: dict[str, Kept]) -> dict[str, Kept]:
    """Where the images are that no addition keeps yet; those that do not decode belong nowhere in any case."""
    usable = manifest[manifest["phash"].notna() & ~manifest["path"].isin(kept.keys())]
    plain = usable[["split", "reason"]].astype(object).where(usable[["split", "reason"]].notna(), None)
    rows = zip(usable["path"], usable["sha256"], plain["split"], plain["reason"], strict=True)
    return {path: Kept(sha256, split, reason) for path, sha256, split, reason in rows}


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

    return _named(paths.rejected, f"{number:05d}{REJECTED}", write) if readable else None


def _named(folder: Path, prefix: str, write: Callable[[Path], str]) -> Path:
    """Write a file and give it the name of its digest; until then nobody takes it for an archive."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{folder.name}.part"
    try:
        digest = write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        return temporary.replace(folder / f"{prefix}{digest[:NAME_DIGITS]}.tar")
    finally:
        temporary.unlink(missing_ok=True)


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
    yield f"{count} images added{f' ({splits})' if splits else ''}, {record.known} known, {len(record.quarantined_files)} quarantined"
    for file in record.quarantined_files:
        yield f"  quarantined: {file.path}: {file.reason}"
    if record.outside is not None:
        yield from outside_in_words(record.outside)


def outside_in_words(outside: Outside) -> list[str]:
    """What of the incoming files was not looked at, in lines."""
    return [f"  not looked at: {line}" for line in words_of(outside)]
