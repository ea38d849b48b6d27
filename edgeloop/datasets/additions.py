"""Images that joined a data set after its first archive: numbered archives that say to which split each image belongs.

`data/<data set>/additions/<number>-<sha256>.tar` holds `splits.json` and `added/<number>/<class>/<file>`. An archive also
keeps the splits of all images that were there before and had not been kept by an earlier one: from the first on, no rule
and no parameter moves an image any more.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeloop.config import Limits, Split
from edgeloop.datasets.archive import read_members
from edgeloop.datasets.placing import Newcomer, Seat, place
from edgeloop.datasets.split import Assignment, Groups
from edgeloop.errors import DataError, InputError
from edgeloop.files import sha256_file
from edgeloop.workspace import Workspace

SPLITS_FILE = "splits.json"
ROOT = "added"
NAME_DIGITS = 16
REJECTED = "-rejected-"
"""In the name of an archive of quarantined files."""


@dataclass(frozen=True)
class Kept:
    """What is kept of an image: which bytes, and where they belong."""

    sha256: str
    split: str | None
    reason: str | None = None
    """Why it is quarantined."""


@dataclass(frozen=True)
class Addition:
    """One archive of images that joined."""

    path: Path
    number: int
    rule: str
    """How the images before the first addition were divided, in words."""
    kept: dict[str, Kept]
    """By path of the manifest."""
    labels: dict[str, str]
    """Class by path, for each image in this archive."""


@dataclass(frozen=True)
class Contents:
    """Bytes of an image that joins, under the path that it gets in the manifest."""

    path: str
    content: bytes


def member_path(number: int, label: str, name: str, sha256: str) -> str:
    """The path of an image that joins: its digest keeps names apart, and nothing in it can lead out of the archive."""
    plain = "".join("_" if character in "\\/\0" else character for character in name)
    return f"{ROOT}/{number:05d}/{label}/{sha256[:NAME_DIGITS]}-{plain}"


def write_addition(target: Path, rule: str, kept: Mapping[str, Kept], images: Iterable[Contents]) -> str:
    """Write an archive with fixed headers; returns its SHA-256."""
    rows = {path: [one.sha256, one.split, one.reason] for path, one in sorted(kept.items())}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        add_member(archive, SPLITS_FILE, json.dumps({"rule": rule, "kept": rows}, ensure_ascii=False).encode())
        for image in images:
            add_member(archive, image.path, image.content)
    return sha256_file(target)


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with a fixed header."""
    info = tarfile.TarInfo(name)
    info.mode, info.size = 0o644, len(content)
    archive.addfile(info, io.BytesIO(content))


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
    """What ingests added to a data set, by their number.

    Raises:
        InputError: an archive is not there.
        UnsafeArchiveError, DataError: an archive is damaged, or was not written by an ingest.
    """
    return [_read(path, limits) for path in addition_paths(workspace, dataset)]


def _read(path: Path, limits: Limits) -> Addition:
    rule, kept, labels = "", dict[str, Kept](), dict[str, str]()
    try:
        for entry in read_members(path, limits):
            if entry.path == SPLITS_FILE:
                content = json.loads(entry.read())
                rule, kept = str(content["rule"]), {name: Kept(*row) for name, row in content["kept"].items()}
            else:
                _, _, label, _ = entry.path.split("/")
                labels[entry.path] = label
        number = int(path.name.split("-")[0])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} was not written by an ingest: {error}", "Restore it (dvc checkout), or remove it.") from error
    if missing := sorted(labels.keys() - kept.keys()):
        raise DataError(f"{path} does not say to which split its image {missing[0]} belongs.", "Restore it: dvc checkout.")
    return Addition(path, number, rule, kept, labels)


def all_kept(additions: Sequence[Addition]) -> dict[str, Kept]:
    """What all of them keep, by path; an earlier one stands."""
    kept: dict[str, Kept] = {}
    for addition in additions:
        kept = addition.kept | kept
    return kept


def assign_kept(
    labels: Mapping[str, str], digests: Mapping[str, str], groups: Groups, additions: Sequence[Addition], split: Split
) -> Assignment:
    """Divide usable images, given by path with label and SHA-256, as the additions keep them.

    Images that no addition knows (the first archive was exchanged) are placed as newcomers.
    """
    kept = all_kept(additions)
    known = {path: kept[path] for path in labels if path in kept and kept[path].sha256 == digests[path]}
    seats = {path: Seat(labels[path], one.split) for path, one in known.items()}
    newcomers = {path: Newcomer(label, digests[path]) for path, label in labels.items() if path not in known}
    done = place(newcomers, seats, groups, split)
    done.splits |= {path: one.split for path, one in known.items() if one.split is not None}
    done.quarantined |= {path: one.reason or "quarantined before" for path, one in known.items() if one.split is None}
    count = sum(len(addition.labels) for addition in additions)
    done.rule = f"{additions[0].rule}; kept since the first ingest, {count} images added by the digest of their bytes"
    return done
