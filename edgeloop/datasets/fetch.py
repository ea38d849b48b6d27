"""The step `fetch`: put a data set's archive in its place, from upstream, from what the user gives, or drawn."""

import datetime as dt
import errno
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeloop.config import Params, Source
from edgeloop.datasets.archive import archive_kind
from edgeloop.datasets.download import Patience, Wanted, download
from edgeloop.datasets.exchange import keep_splits
from edgeloop.datasets.pack import pack_folder
from edgeloop.errors import FetchError, InputError
from edgeloop.files import atomic_path, sha256_file, write_text
from edgeloop.progress import progress
from edgeloop.records import Exchanged, FetchRecord, provenance
from edgeloop.userpath import named, user_path, without_login
from edgeloop.workspace import DatasetPaths, Workspace

UPSTREAM = "the upstream archive"
NOT_UPSTREAM = "not the upstream archive"
DECLARED = "as declared, without a digest to check it by"
PACKED = "packed from a folder"
DRAWN = "drawn by edgeloop"
CHUNK = 1 << 22


@dataclass(frozen=True)
class Fetched:
    """A fetched archive, and what it changed."""

    record: FetchRecord
    exchanged: Exchanged | None = None
    """None where the images are those of before, or the first ones."""


@dataclass(frozen=True)
class _Origin:
    """Where an archive is taken from, and what it must be."""

    words: str
    """As others may read it."""
    note: str
    given: bool
    wanted: Wanted | None = None
    file: Path | None = None
    folder: Path | None = None


def fetch(workspace: Workspace, params: Params, dataset: str, *, given: str | None = None, patience: Patience | None = None) -> FetchRecord:
    """The record of `fetch_images`."""
    return fetch_images(workspace, params, dataset, given=given, patience=patience).record


def fetch_images(
    workspace: Workspace, params: Params, dataset: str, *, given: str | None = None, patience: Patience | None = None, keep: bool = True
) -> Fetched:
    """Make `data/<dataset>/archive` and `fetch.json`.

    `given` (`--from`) is a local archive, a folder of class folders, or an address, and takes the place of the declared
    source; the record says so. Called again, a sound archive is kept: one that was given always, another while it is
    what params.yaml declares. Where other images come, the splits of those before are kept first (unless not `keep`).

    Raises:
        FetchError: the archive cannot be had or is not the one that was asked for.
        InputError: what was given is not there.
        DataError: what was given is no archive.
    """
    started = dt.datetime.now(dt.UTC)
    source, paths = params.dataset(dataset).source, workspace.dataset(dataset)
    if given is None and (kept := _kept(paths, source, dataset, workspace.root)) is not None:
        _name_first(paths, kept)
        return Fetched(kept)
    changes: list[Exchanged | None] = []

    def accept(archive: Path) -> None:
        """Refuse what is no archive before it takes the place of one, and keep what would be lost then."""
        archive_kind(archive)
        if keep:
            changes.append(keep_splits(workspace, dataset, params.dataset(dataset).prepare, archive))

    origin = _declared(source, workspace) if given is None else _given(given, workspace)
    paths.folder.mkdir(parents=True, exist_ok=True)
    with _disk_explained(paths.folder), _remedy(dataset):
        hidden = _obtain(origin, source, paths.archive, accept, patience)
    record = _as_before(paths, _record(workspace, paths, dataset, source, origin, started).model_copy(update={"hidden": hidden}))
    record.write(paths.fetch_record)
    _name_first(paths, record)
    return Fetched(record, changes[-1] if changes else None)


def _name_first(paths: DatasetPaths, record: FetchRecord) -> None:
    """Begin the folder of additions, which `prepare` depends on."""
    content = json.dumps({"archive_sha256": record.sha256}) + "\n"
    if not paths.first_archive.is_file() or paths.first_archive.read_text(encoding="utf-8") != content:
        write_text(paths.first_archive, content)


def _as_before(paths: DatasetPaths, record: FetchRecord) -> FetchRecord:
    """The record of before where nothing but the time is another: what stands on it stays up to date."""
    if not paths.fetch_record.is_file():
        return record
    before = FetchRecord.read(paths.fetch_record)
    same = before.provenance.params == record.provenance.params
    return before if same and before.model_copy(update={"provenance": record.provenance}) == record else record


def _kept(paths: DatasetPaths, source: Source, dataset: str, root: Path) -> FetchRecord | None:
    """The record of the archive that is there, if it is sound and still what is asked for."""
    if not (paths.archive.is_file() and paths.fetch_record.is_file()):
        return None
    record = FetchRecord.read(paths.fetch_record)
    if not record.given and not _still_declared(record, source, root):
        return None
    if paths.archive.stat().st_size == record.bytes and sha256_file(paths.archive) == record.sha256:
        return record
    if record.given:
        again = record.origin if _is_url(record.origin) else "PATH"
        raise FetchError(
            f"{paths.archive} was changed or damaged: it is not what was given with --from, {record.origin}.",
            f"Give it again: edgeloop fetch {dataset} --from {again}; or delete it and fetch what params.yaml declares.",
        )
    return None


def _still_declared(record: FetchRecord, source: Source, root: Path) -> bool:
    """Whether an archive that was not given is what params.yaml declares now. Local sources may change: they are read again."""
    if source.sha256 is not None:
        return record.sha256 == source.sha256
    return source.drawn is not None and record.provenance.params == _params(source, root)


def _declared(source: Source, workspace: Workspace) -> _Origin:
    if source.drawn is not None:
        return _Origin("drawn", DRAWN, given=False)
    if source.folder is not None:
        folder = workspace.root / source.folder
        return _Origin(named(folder, workspace.root), PACKED, given=False, folder=folder)
    address = source.address or ""
    note = UPSTREAM if source.sha256 else DECLARED
    if _is_url(address):
        return _Origin(without_login(address), note, given=False, wanted=Wanted(address, source.bytes, source.sha256))
    file = workspace.root / user_path(address)
    return _Origin(named(file, workspace.root), note, given=False, file=file)


def _given(given: str, workspace: Workspace) -> _Origin:
    if _is_url(given):
        return _Origin(without_login(given), NOT_UPSTREAM, given=True, wanted=Wanted(given))
    path = user_path(given.removeprefix("file://")).absolute()
    if path.is_dir():
        return _Origin(named(path.resolve(), workspace.root), f"{PACKED}, {NOT_UPSTREAM}", given=True, folder=path)
    return _Origin(named(path, workspace.root), NOT_UPSTREAM, given=True, file=path)


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _obtain(origin: _Origin, source: Source, target: Path, accept: Callable[[Path], None], patience: Patience | None) -> int | None:
    """Returns how many hidden files of a folder were not packed."""
    if origin.wanted is not None:
        download(origin.wanted, target, accept, patience)
        return None
    with atomic_path(target) as temporary:
        hidden = None
        if origin.folder is not None:
            hidden = pack_folder(origin.folder, temporary)
        elif origin.file is not None:
            _copy(origin.file, temporary)
            _check_declared(origin, source, temporary)
        elif source.drawn is not None:
            from edgeloop.datasets.sample import draw_archive

            draw_archive(source.drawn, temporary)
        accept(temporary)
    return hidden


def _copy(file: Path, target: Path) -> None:
    if not file.is_file():
        raise InputError(f"{file} does not exist.", "Give an archive (tar or zip), a folder of class folders, or an address.")
    archive_kind(file)
    with file.open("rb") as content, target.open("wb") as copy, progress(f"copy {file.name}", file.stat().st_size, "bytes") as advance:
        while chunk := content.read(CHUNK):
            copy.write(chunk)
            advance(len(chunk))


def _check_declared(origin: _Origin, source: Source, archive: Path) -> None:
    if origin.given or source.sha256 is None or (found := sha256_file(archive)) == source.sha256:
        return
    raise FetchError(
        f"{origin.words} is not what params.yaml declares: its sha256 is {found}, expected {source.sha256}.",
        "Correct the sha256 in params.yaml if the archive was changed on purpose.",
    )


def _record(workspace: Workspace, paths: DatasetPaths, dataset: str, source: Source, origin: _Origin, started: dt.datetime) -> FetchRecord:
    digest = sha256_file(paths.archive)
    upstream = digest == source.sha256
    return FetchRecord(
        dataset=dataset,
        origin=origin.words,
        bytes=paths.archive.stat().st_size,
        sha256=digest,
        upstream=upstream,
        note=UPSTREAM if upstream else origin.note,
        given=origin.given,
        provenance=provenance(workspace.root, _params(source, workspace.root), ["httpx"], started),
    )


def _params(source: Source, root: Path) -> dict[str, Any]:
    """What is declared, as others may read it."""
    told = source.model_dump(mode="json", exclude_none=True)
    if source.folder is not None:
        told["folder"] = named(source.folder, root)
    if source.address is not None:
        told["address"] = without_login(source.address) if _is_url(source.address) else named(user_path(source.address), root)
    return {"source": told}


@contextmanager
def _remedy(dataset: str) -> Iterator[None]:
    """Add to whatever a fetch fails with how to do without it."""
    try:
        yield
    except FetchError as error:
        offer = f"Give the archive yourself: edgeloop fetch {dataset} --from PATH"
        raise type(error)(error.what, f"{error.remedy} {offer}".strip()) from error


@contextmanager
def _disk_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES):
            raise
        free = shutil.disk_usage(folder).free
        raise FetchError(
            f"The archive cannot be put into {folder}: {error} ({free} bytes are free there).",
            "Make room or set the permissions, and run the command again: a download goes on where it stopped.",
        ) from error
