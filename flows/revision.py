"""Data revisions: what an ingest added becomes tracked by DVC and committed to git, and nothing else does."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from edgeloop.errors import InputError, StageError
from edgeloop.files import write_text
from edgeloop.workspace import Workspace
from flows.stages import run_command

GIT_S = 60.0
LOCK_FILE = "dvc.lock"
_CHUNK = 1 << 20
_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


def check_repository(workspace: Workspace) -> None:
    """See that a commit can be made.

    Raises:
        InputError: this is no git repository with a commit, git does not know who commits, or a merge or rebase is under way.
    """
    if _git(workspace, "rev-parse", "--verify", "--quiet", "HEAD", ok=False) is None:
        raise InputError(f"{workspace.root} is not a git repository with a commit.", "New data are committed: git init, and commit.")
    if _git(workspace, "var", "GIT_COMMITTER_IDENT", ok=False) is None:
        raise InputError("git does not know who commits.", "Set it: git config user.name NAME; git config user.email ADDRESS")
    folder = Path(_said(workspace, "rev-parse", "--absolute-git-dir"))
    if any((folder / name).exists() for name in _UNDER_WAY):
        raise InputError("A merge or rebase is under way here.", "Finish or abort it, then ingest again.")


def lock_is_committed(workspace: Workspace) -> bool:
    """Whether dvc.lock is as in the last commit."""
    return not _said(workspace, "status", "--porcelain", "--", LOCK_FILE)


def drop_unfinished(workspace: Workspace, dataset: str) -> list[str]:
    """Remove what an ingest left that never came to its commit; returns the names of the removed files."""
    folder, paths = workspace.ingests(dataset), workspace.dataset(dataset)
    committed = {
        Path(name).name for name in _said(workspace, "ls-tree", "--name-only", "HEAD", f"{_relative(workspace, folder)}/").splitlines()
    }
    loose = [path for path in _files(folder) if path.name not in committed]
    pointed = {name.removesuffix(".dvc") for name in committed}
    archives = [path for place in (paths.additions, paths.rejected) for path in place.glob("*.tar") if path.name not in pointed]
    if loose:
        _git(workspace, "rm", "--quiet", "--cached", "--ignore-unmatch", "--", *(_relative(workspace, path) for path in loose))
    for path in (*loose, *archives):
        path.unlink(missing_ok=True)
    return [path.name for path in (*loose, *archives)]


def track(workspace: Workspace, dataset: str, archives: Iterable[Path]) -> list[Path]:
    """Give each archive a pointer below `additions/<data set>/`, and put it into DVC's cache; returns the pointers.

    Raises:
        StageError: DVC fails.
    """
    pointers = [_pointer(workspace, dataset, archive) for archive in archives]
    names = [_relative(workspace, pointer) for pointer in pointers]
    if names:
        argv = [sys.executable, "-m", "dvc", "--wait-for-lock", "commit", "--force", *names]
        run_command(str(workspace.root), "dvc commit", argv, f"dvc commit {' '.join(names)}")
    return pointers


def commit(workspace: Workspace, message: str, files: Iterable[Path]) -> str:
    """Commit these files and nothing else, whatever is staged or changed besides; returns the commit.

    Raises:
        StageError: git refuses; the message holds its words.
    """
    names = [_relative(workspace, path) for path in files]
    _said(workspace, "add", "--intent-to-add", "--", *names)
    _said(workspace, "commit", "--quiet", "--only", "--message", message, "--", *names)
    return _said(workspace, "rev-parse", "HEAD")


def _pointer(workspace: Workspace, dataset: str, archive: Path) -> Path:
    """What `dvc add` would write, but in a folder that git tracks."""
    pointer = workspace.ingests(dataset) / f"{archive.name}.dvc"
    up = "/".join([".."] * len(pointer.parent.relative_to(workspace.root).parts))
    content = (
        f"outs:\n- md5: {_md5(archive)}\n  size: {archive.stat().st_size}\n  hash: md5\n  path: {up}/{_relative(workspace, archive)}\n"
    )
    write_text(pointer, content)
    return pointer


def _md5(path: Path) -> str:
    """As DVC names content; not for security."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _relative(workspace: Workspace, path: Path) -> str:
    return path.relative_to(workspace.root).as_posix()


def _said(workspace: Workspace, *arguments: str) -> str:
    return _git(workspace, *arguments) or ""


def _git(workspace: Workspace, *arguments: str, ok: bool = True) -> str | None:
    """What git says; None when it fails and `ok` is False."""
    argv = ["git", *arguments]
    try:
        done = subprocess.run(
            argv, cwd=workspace.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=GIT_S, check=False
        )
    except FileNotFoundError:
        raise InputError("git is not installed.", "Install it: apt install git") from None
    except subprocess.TimeoutExpired:
        raise StageError(f"git {arguments[0]} was not done within {GIT_S:.0f} s.", "Look for a hook or another git that waits.") from None
    if done.returncode == 0:
        return done.stdout.strip()
    if ok:
        raise StageError(
            f"git {arguments[0]} fails: {(done.stderr or done.stdout).strip()}", "Put the repository right, then ingest again."
        )
    return None
