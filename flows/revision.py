"""Data revisions: what an ingest added or somebody corrected becomes tracked by DVC and committed to git, and nothing else does."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgeloop.datasets.additions import OF_FETCH
from edgeloop.datasets.pointers import write_pointer
from edgeloop.errors import InputError, StageError
from edgeloop.lockfile import LOCK_FILE, stages_of
from edgeloop.workspace import Workspace
from flows.commands import Say, environment, git, ignore, run
from flows.supervisor import is_ending
from flows.transfer import transfer

GIT_S = 60.0
GRAPH_FILE = "graph.yaml"
STAGES = ("fetch", "prepare", "validate")
"""Those of a data set."""
_BUILDS = (LOCK_FILE, "dvc.yaml", "params.yaml")
"""What dvc.lock says is reproduced from the other two."""
_UPSTREAM = "@{upstream}"
_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


def check_repository(workspace: Workspace, *, to_be_pushed: bool) -> None:
    """See that a commit can be made, and where it would be pushed.

    Raises:
        InputError: this is no git repository with a commit, git does not know who commits, a merge or rebase is under way, or
            the branch has no upstream.
    """
    if ask_git(workspace, "rev-parse", "--verify", "--quiet", "HEAD", ok=False) is None:
        raise InputError(
            f"{workspace.root} is not a git repository with a commit.", "What is added or built is committed: git init, and commit."
        )
    if ask_git(workspace, "var", "GIT_COMMITTER_IDENT", ok=False) is None:
        raise InputError("git does not know who commits.", "Set it: git config user.name NAME; git config user.email ADDRESS")
    folder = Path(said(workspace, "rev-parse", "--absolute-git-dir"))
    if any((folder / name).exists() for name in _UNDER_WAY):
        raise InputError("A merge or rebase is under way here.", "Finish or abort it, then give the command again.")
    if to_be_pushed and ask_git(workspace, "rev-parse", "--verify", "--quiet", _UPSTREAM, ok=False) is None:
        raise InputError(
            "What is ingested is to be pushed (`push: true`), and this branch has no upstream.", "Once: git push --set-upstream origin HEAD"
        )


def uncommitted(workspace: Workspace) -> set[str]:
    """Which of dvc.lock, and of what it is built from, have changes that are not committed."""
    lines = said(workspace, "status", "--porcelain", "--no-renames", "--", *_BUILDS).splitlines()
    return {name for name in _BUILDS if any(line.endswith(f" {name}") for line in lines)}


def only_of(workspace: Workspace, dataset: str) -> bool:
    """Whether dvc.lock differs from the last commit in the stages of this data set alone."""
    return changed_stages(workspace) <= {f"{stage}@{dataset}" for stage in STAGES}


def changed_stages(workspace: Workspace) -> set[str]:
    """The addresses of the stages whose entries of dvc.lock are other ones than in the last commit."""
    lock = workspace.root / LOCK_FILE
    texts = (ask_git(workspace, "show", f"HEAD:./{LOCK_FILE}", ok=False) or "", lock.read_text(encoding="utf-8") if lock.is_file() else "")
    before, now = (stages_of(text) for text in texts)
    return {address for address in before | now if before.get(address) != now.get(address)}


def derived(workspace: Workspace) -> list[Path]:
    """What is committed after a build, as far as it is there: graph.yaml follows from params.yaml, and dvc.lock from all."""
    return [path for name in (LOCK_FILE, GRAPH_FILE) if (path := workspace.root / name).is_file()]


def left_to_you(others: set[str]) -> str:
    """What to say where somebody's own changes keep what was built from being committed.

    dvc.lock itself is named where nothing else has changed: with params.yaml, its entry of `graph` has, too.
    """
    cause = " and ".join(sorted(others - {LOCK_FILE}) or [LOCK_FILE])
    return f"{LOCK_FILE} was left for you to commit: {cause} had changes of its own before"


def is_pushed(workspace: Workspace) -> bool:
    """Whether the upstream has the last commit, as far as is known here."""
    return said(workspace, "rev-list", "--count", f"{_UPSTREAM}..HEAD") == "0"


def push(workspace: Workspace, targets: Iterable[str], say: Say) -> None:
    """Push the outputs of the stages (or .dvc files) to the DVC remote, and then the commits, so that what they name is there.

    Raises:
        InputError: git refuses, e.g. because the upstream has other commits.
        StageError: the remote refuses; StageMayPass where it, or the repository's host, is away.
    """
    transfer(["push", *targets], workspace.root, environment(), say, is_ending)
    branch = said(workspace, "rev-parse", "--symbolic-full-name", "HEAD")
    remote, _, there = said(workspace, "for-each-ref", "--format=%(upstream:remotename) %(upstream:remoteref)", branch).partition(" ")
    try:
        git(workspace.root, "push", "--quiet", remote, f"HEAD:{there}", cancelled=is_ending, env=environment())
    except InputError as error:
        raise InputError(error.what, "Where it has other commits: git pull --rebase; then ingest again: nothing is taken twice.") from None


def drop_unfinished(workspace: Workspace, dataset: str) -> list[str]:
    """Remove what an ingest left that never came to its commit; returns the names of the removed files."""
    folder, paths = workspace.ingests(dataset), workspace.dataset(dataset)
    committed = {
        Path(name).name for name in said(workspace, "ls-tree", "--name-only", "HEAD", f"{_relative(workspace, folder)}/").splitlines()
    }
    loose = [path for path in _files(folder) if path.name not in committed and OF_FETCH not in path.name]
    pointed = {name.removesuffix(".dvc") for name in committed}
    archives = [path for place in (paths.additions, paths.rejected) for path in place.glob("*.tar")]
    archives = [path for path in archives if path.name not in pointed and OF_FETCH not in path.name]
    if loose:
        ask_git(workspace, "rm", "--quiet", "--cached", "--ignore-unmatch", "--", *(_relative(workspace, path) for path in loose))
    for path in (*loose, *archives, *paths.folder.glob(".*.part")):
        path.unlink(missing_ok=True)
    return [path.name for path in (*loose, *archives)]


def track(workspace: Workspace, dataset: str, archives: Iterable[Path]) -> list[Path]:
    """Give each archive a pointer below `additions/<data set>/`, and put it into DVC's cache; returns the pointers.

    Raises:
        StageError: DVC fails.
    """
    pointers = [write_pointer(workspace, dataset, archive) for archive in archives]
    names = [_relative(workspace, pointer) for pointer in dict.fromkeys([*pointers, *of_fetch(workspace, dataset)])]
    if names:
        argv = [sys.executable, "-m", "dvc", "--wait-for-lock", "commit", "--force", *names]
        done = run(argv, workspace.root, environment(), ignore, is_ending)
        if done.code != 0:
            raise done.failure("dvc commit", f"dvc commit {' '.join(names)}")
    return pointers


def of_fetch(workspace: Workspace, dataset: str) -> list[Path]:
    """The pointers that `fetch` wrote: they are committed with the next revision."""
    return sorted(workspace.ingests(dataset).glob(f"*{OF_FETCH}*.tar.dvc"))


def is_detached(workspace: Workspace) -> bool:
    """Whether a commit is on no branch."""
    return ask_git(workspace, "symbolic-ref", "--quiet", "HEAD", ok=False) is None


def commit(workspace: Workspace, message: str, files: Iterable[Path]) -> str:
    """Commit these files and nothing else, whatever is staged or changed besides; returns the commit.

    Raises:
        StageError: git refuses; the message holds its words.
    """
    names = [_relative(workspace, path) for path in files]
    said(workspace, "add", "--intent-to-add", "--", *names)
    said(workspace, "commit", "--quiet", "--only", "--message", message, "--", *names)
    return said(workspace, "rev-parse", "HEAD")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _relative(workspace: Workspace, path: Path) -> str:
    return path.relative_to(workspace.root).as_posix()


def said(workspace: Workspace, *arguments: str, given: str = "", env: Mapping[str, str] | None = None) -> str:
    """What git says; a failure is an error. `given` is what it reads; `env` is added to the environment."""
    return ask_git(workspace, *arguments, given=given, env=env) or ""


def ask_git(workspace: Workspace, *arguments: str, ok: bool = True, given: str = "", env: Mapping[str, str] | None = None) -> str | None:
    """What git says; None when it fails and `ok` is False."""
    argv = ["git", *arguments]
    try:
        done = subprocess.run(
            argv,
            cwd=workspace.root,
            env=os.environ | dict(env or {}),
            input=given,
            capture_output=True,
            text=True,
            timeout=GIT_S,
            check=False,
        )
    except FileNotFoundError:
        raise InputError("git is not installed.", "Install it: apt install git") from None
    except subprocess.TimeoutExpired:
        raise StageError(f"git {arguments[0]} was not done within {GIT_S:.0f} s.", "Look for a hook or another git that waits.") from None
    if done.returncode == 0:
        return done.stdout.strip()
    if ok:
        raise StageError(
            f"git {arguments[0]} fails: {(done.stderr or done.stdout).strip()}", "Put the repository right, then give the command again."
        )
    return None
