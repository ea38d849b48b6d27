"""What happened to a data set since its first archive: numbered archives of images that joined, of splits that are kept, of corrections.

`data/<data set>/additions/<number>-<sha256>.tar` holds `splits.json` and `added/<number>/<class>/<file>`. Each archive also
keeps the splits of the images that were there before: from the first on, no rule and no parameter moves an image any more.
Those that `fetch` writes are named `<number>-split-<sha256>.tar`.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeloop.config import Limits
from edgeloop.datasets.archive import read_members
from edgeloop.errors import DataError, InputError
from edgeloop.files import sha256_file
from edgeloop.workspace import Workspace

SPLITS_FILE = "splits.json"
ROOT = "added"
NAME_DIGITS = 16
REJECTED = "-rejected-"
"""In the name of an archive of quarantined files."""
OF_FETCH = "-split-"
"""In the name of an archive that `fetch` wrote: it is committed with the next revision."""


@dataclass(frozen=True)
class Kept:
    """What is kept of an image: which bytes, and where they belong."""

    sha256: str
    split: str | None
    reason: str | None = None
    """Why it is quarantined."""
    label: str | None = None
    """Its class then; None in archives of before this was kept."""


@dataclass(frozen=True)
class Step:
    """What one archive says, besides the images in it."""

    rule: str = ""
    """How the images before the first archive were divided, in words."""
    kept: Mapping[str, Kept] = field(default_factory=dict)
    """By path of the manifest."""
    whole: bool = False
    """Whether `kept` is the whole data set as it was before another first archive came."""
    anew: bool = False
    """Whether everything is divided anew: what was kept until then does not count."""
    relabelled: Mapping[str, str] = field(default_factory=dict)
    """The right class by SHA-256."""
    dropped: Mapping[str, str] = field(default_factory=dict)
    """The reason by `dropped_key`."""
    reason: str = ""
    """Why somebody changed the data set."""


@dataclass(frozen=True)
class Addition:
    """One archive."""

    path: Path
    number: int
    step: Step
    labels: dict[str, str]
    """Class by path, for each image in this archive."""


@dataclass(frozen=True)
class Contents:
    """Bytes of an image that joins, under the path that it gets in the manifest."""

    path: str
    content: bytes


def dropped_key(sha256: str, label: str) -> str:
    """How an image that was taken out is remembered: a copy of it in another class is another matter."""
    return f"{sha256} {label}"


def member_path(number: int, label: str, name: str, sha256: str) -> str:
    """The path of an image that joins: its digest keeps names apart, and nothing in it can lead out of the archive."""
    plain = "".join("_" if character in "\\/\0" else character for character in name)
    return f"{ROOT}/{number:05d}/{label}/{sha256[:NAME_DIGITS]}-{plain}"


def write_addition(target: Path, step: Step, images: Iterable[Contents] = ()) -> str:
    """Write an archive with fixed headers; returns its SHA-256."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        add_member(archive, SPLITS_FILE, json.dumps(_plain(step), ensure_ascii=False).encode())
        for image in images:
            add_member(archive, image.path, image.content)
    return sha256_file(target)


def _plain(step: Step) -> dict[str, Any]:
    """What there is to say, and nothing else: an archive has the same bytes whatever could have been said in it."""
    rows = {path: _row(one) for path, one in sorted(step.kept.items())}
    more = {"whole": step.whole, "anew": step.anew, "reason": step.reason}
    corrected = {"relabelled": dict(sorted(step.relabelled.items())), "dropped": dict(sorted(step.dropped.items()))}
    return {"rule": step.rule, "kept": rows} | {name: value for name, value in (more | corrected).items() if value}


def _row(one: Kept) -> list[str | None]:
    return [one.sha256, one.split, one.reason, *([one.label] if one.label is not None else [])]


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with a fixed header."""
    info = tarfile.TarInfo(name)
    info.mode, info.size = 0o644, len(content)
    archive.addfile(info, io.BytesIO(content))


def write_named(folder: Path, prefix: str, write: Callable[[Path], str]) -> Path:
    """Write a file and give it the name of its digest; until then nobody takes it for an archive."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder.parent / f".{folder.name}.{os.getpid()}.part"
    try:
        digest = write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        return temporary.replace(folder / f"{prefix}{digest[:NAME_DIGITS]}.tar")
    finally:
        temporary.unlink(missing_ok=True)


def next_number(workspace: Workspace, dataset: str) -> int:
    """The number of the next archive: one beyond those of all records and pointers."""
    names = (path.name.split(".")[0].split("-")[0] for path in workspace.ingests(dataset).glob("[0-9]*"))
    return max((int(name) for name in names if name.isdecimal()), default=0) + 1


def addition_paths(workspace: Workspace, dataset: str) -> list[Path]:
    """The archives that DVC's pointers below `additions/<data set>/` name, by their number; what else lies there is of no revision.

    Raises:
        InputError: one is not there.
    """
    folder = workspace.dataset(dataset).additions
    pointers = sorted(workspace.ingests(dataset).glob("*.tar.dvc"))
    paths = [folder / pointer.stem for pointer in pointers if REJECTED not in pointer.name]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path} does not exist.", "Fetch what was added to the data set: dvc pull, or dvc checkout.")
    return paths


def read_additions(workspace: Workspace, dataset: str, limits: Limits) -> list[Addition]:
    """What happened to a data set, by number.

    Raises:
        InputError: an archive is not there.
        UnsafeArchiveError, DataError: an archive is damaged, or was not written by edgeloop.
    """
    return [_read(path, limits) for path in addition_paths(workspace, dataset)]


def _read(path: Path, limits: Limits) -> Addition:
    step, labels = Step(), dict[str, str]()
    try:
        for entry in read_members(path, limits):
            if entry.path == SPLITS_FILE:
                content = json.loads(entry.read())
                content["kept"] = {name: Kept(*row) for name, row in content["kept"].items()}
                step = Step(**content)
            else:
                _, _, label, _ = entry.path.split("/")
                labels[entry.path] = label
        number = int(path.name.split("-")[0])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} was not written by edgeloop: {error}", "Restore it (dvc checkout), or remove it.") from error
    if missing := sorted(labels.keys() - step.kept.keys()):
        raise DataError(f"{path} does not say to which split its image {missing[0]} belongs.", "Restore it: dvc checkout.")
    return Addition(path, number, step, labels)
