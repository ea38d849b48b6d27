"""What a worktree lacks because git does not hold it: the prepared images of a data set, and the weights that a training starts from."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.records import StartingWeights
from edgeloop.workspace import DatasetPaths, Workspace
from flows.history import find_revision
from flows.past import take_from

DIGITS = 12
Run = Callable[..., object]
"""Runs a step of edgeloop in the worktree, by its words."""


def bring_data(workspace: Workspace, elsewhere: Workspace, name: str, digest: str, run: Run) -> None:
    """The prepared images with that manifest: those that lie here, or of the revision in DVC's cache or remote, or prepared again by `run`.

    Raises:
        InputError: nothing leads to them.
    """
    here, there = workspace.dataset(name), elsewhere.dataset(name)
    there.folder.mkdir(parents=True, exist_ok=True)
    if here.manifest.is_file() and sha256_file(here.manifest) == digest:
        there.images.symlink_to(here.images.resolve(), target_is_directory=True)
        _copy([here.fetch_record, here.prepare_record, here.accepted, here.validate_record], there)
    else:
        _from_history(workspace, name, digest, there)
    if not there.manifest.is_file():
        run("fetch", name)
        run("prepare", name)
    found = sha256_file(there.manifest)
    if found != digest:
        raise InputError(
            f"The data of {name} cannot be had as they were: the manifest is {found[:DIGITS]}, not {digest[:DIGITS]}.",
            f"They are in no revision that DVC's cache or remote has here: edgeloop revisions {name}; dvc pull",
        )
    if not there.accepted.is_file() or digest not in there.accepted.read_text(encoding="utf-8"):
        run("validate", name)


def _copy(files: list[Path], there: DatasetPaths) -> None:
    for path in files:
        if path.is_file():
            shutil.copyfile(path, there.folder / path.name)


def _from_history(workspace: Workspace, name: str, digest: str, there: DatasetPaths) -> None:
    """What DVC has of the revision; nothing where it has none, or where there is no DVC."""
    from dvc.exceptions import NotDvcRepoError

    paths = workspace.dataset(name)
    with suppress(InputError, NotDvcRepoError):
        revision = find_revision(workspace, name, digest[:DIGITS]).commit
        take_from(workspace, revision, paths.images, there.folder)
        for path in (paths.prepare_record, paths.accepted, paths.validate_record):
            take_from(workspace, revision, path, there.folder)


def bring_start(workspace: Workspace, there: Workspace, start: StartingWeights) -> None:
    """The starting weights: a fetched backbone from the cache here, or the model of another variant, by its digest.

    Raises:
        InputError: that model is not here.
    """
    kept = workspace.cache / "backbones"
    if kept.is_dir():
        there.cache.mkdir(parents=True, exist_ok=True)
        (there.cache / "backbones").symlink_to(kept.resolve(), target_is_directory=True)
    if start.kind != "keras":
        return
    model = workspace.root / start.origin
    if not model.is_file() or sha256_file(model) != start.sha256:
        raise InputError(
            f"The training started from {start.origin} with the digest {(start.sha256 or '')[:DIGITS]}, and that model is not here.",
            "Bring it back first: dvc checkout, of the commit that has it.",
        )
    target = there.root / start.origin
    shutil.copytree(model.parent, target.parent, dirs_exist_ok=True)
    if (record := model.parent.parent / "train.json").is_file():
        shutil.copyfile(record, target.parent.parent / record.name)
