"""Clean clones of a commit on a worker's host: kept, one for each stage at a time, and put back before each use."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edgeloop.errors import InputError
from edgeloop.services.locks import exclusive
from edgeloop.workspace import Workspace
from flows.commands import Say, Watch, git

KEPT = (".dvc/cache", ".dvc/tmp", ".edgeloop", "__pycache__")
LOCAL = ".dvc/config.local"
MOST = 64


def origin(workspace: Workspace, env: Mapping[str, str]) -> str:
    """Where the worker's own checkout came from.

    Raises:
        InputError: it has no `origin`.
    """
    try:
        return git(workspace.root, "remote", "get-url", "origin", ended=_never, env=env)
    except InputError:
        raise InputError(f"{workspace.root} has no git remote `origin`.", "A worker runs in a clone: git clone ADDRESS") from None


@contextmanager
def clean_clone(workspace: Workspace, commit: str, env: Mapping[str, str], say: Say, ended: Watch) -> Iterator[Path]:
    """A clone at that commit which nobody else uses meanwhile. It shares the DVC cache and the local settings of the checkout.

    Raises:
        InputError: the repository cannot be read, or lacks the commit.
    """
    base = workspace.private / "clones"
    base.mkdir(parents=True, exist_ok=True)
    for number in range(MOST):
        try:
            with exclusive(base / f"{number}.lock", 0):
                folder = base / str(number)
                _prepare(workspace, folder, commit, env, say, ended)
                yield folder
                return
        except TimeoutError:
            continue
    raise InputError(f"All {MOST} clones of {base} are in use.", "Take fewer stages at once: edgeloop worker --limit N")


def _prepare(workspace: Workspace, folder: Path, commit: str, env: Mapping[str, str], say: Say, ended: Watch) -> None:
    address = origin(workspace, env)
    if not (folder / ".git" / "config").exists():
        shutil.rmtree(folder, ignore_errors=True)
        say("cloning the repository")
        git(folder.parent, "clone", "--quiet", "--no-checkout", address, str(folder), ended=ended, env=env)
    for left in (folder / ".git").glob("*.lock"):  # of a git that was killed; nobody else is here
        left.unlink(missing_ok=True)
    if not _has(folder, commit, env, ended):
        git(folder, "fetch", "--quiet", "--tags", address, "+refs/heads/*:refs/remotes/origin/*", ended=ended, env=env)
        if not _has(folder, commit, env, ended):
            raise InputError(f"The repository that this worker cloned lacks the commit {commit[:10]}.", "Push it: git push")
    git(folder, "checkout", "--quiet", "--force", "--detach", commit, ended=ended, env=env)
    excluded = [part for name in KEPT for part in ("--exclude", name)]
    git(folder, "clean", "--quiet", "-ffdx", *excluded, ended=ended, env=env)
    _share(workspace.root / ".dvc", folder / ".dvc")


def _share(own: Path, clone: Path) -> None:
    """The clone takes the checkout's settings that are not in git (addresses, keys), and its cache."""
    local = own / "config.local"
    target = clone / "config.local"
    target.unlink(missing_ok=True)
    if local.exists():
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(local.read_bytes())
    (own / "cache").mkdir(exist_ok=True)
    if not (clone / "cache").is_symlink():
        shutil.rmtree(clone / "cache", ignore_errors=True)
        (clone / "cache").symlink_to(own / "cache", target_is_directory=True)


def _has(folder: Path, commit: str, env: Mapping[str, str], ended: Watch) -> bool:
    try:
        git(folder, "cat-file", "-e", f"{commit}^{{commit}}", ended=ended, env=env)
    except InputError:
        return False
    return True


def _never() -> bool:
    return False
