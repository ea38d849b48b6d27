"""Clean clones of a commit on a worker's host: kept, one for each stage at a time, and put back before each use."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgeloop.errors import InputError
from edgeloop.services.locks import exclusive
from flows.commands import IsCancelled, Say, git

KEPT = (".dvc/cache", ".dvc/tmp", ".edgeloop", "__pycache__")
MOST = 64
CHECKOUT = "EDGELOOP_CHECKOUT"
"""Set by `edgeloop worker` for its jobs: the checkout that it was started in."""
REPOSITORY = "EDGELOOP_REPOSITORY"
"""Where a job without a checkout (in a container) clones from."""


@dataclass(frozen=True)
class Source:
    """Where clones come from and lie."""

    repository: str
    clones: Path
    checkout: Path | None
    """They share its DVC cache and local settings."""


def source(env: Mapping[str, str]) -> Source:
    """As the environment of the job says.

    Raises:
        InputError: it names neither a checkout nor a repository; or the checkout has no `origin`.
    """
    if root := env.get(CHECKOUT):
        return Source(origin(Path(root), env), Path(root) / ".edgeloop" / "clones", Path(root))
    if address := env.get(REPOSITORY):
        return Source(address, Path.home() / ".cache" / "edgeloop" / "clones", None)
    raise InputError(
        "This job has no repository to clone.",
        f"Start the worker with `edgeloop worker` in a checkout, or set {REPOSITORY} in the pool's job template (docs/kubernetes.md).",
    )


def origin(root: Path, env: Mapping[str, str]) -> str:
    """Where a checkout came from.

    Raises:
        InputError: it has no `origin`.
    """
    try:
        return git(root, "remote", "get-url", "origin", cancelled=_never, env=env)
    except InputError:
        raise InputError(f"{root} has no git remote `origin`.", "A worker runs in a clone: git clone ADDRESS") from None


def without_secret(address: str) -> str:
    """The address of a repository without the name and password that it may hold."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@contextmanager
def clean_clone(origin: Source, commit: str, env: Mapping[str, str], say: Say, cancelled: IsCancelled) -> Iterator[Path]:
    """A clone at that commit which nobody else uses meanwhile.

    Raises:
        InputError: the repository cannot be read, or lacks the commit.
    """
    origin.clones.mkdir(parents=True, exist_ok=True)
    for number in range(MOST):
        try:
            with exclusive(origin.clones / f"{number}.lock", 0):
                folder = origin.clones / str(number)
                _prepare(origin, folder, commit, env, say, cancelled)
                yield folder
                return
        except TimeoutError:
            continue
    raise InputError(f"All {MOST} clones of {origin.clones} are in use.", "Take fewer stages at once: edgeloop worker --limit N")


def _prepare(origin: Source, folder: Path, commit: str, env: Mapping[str, str], say: Say, cancelled: IsCancelled) -> None:
    if not (folder / ".git" / "config").exists():
        shutil.rmtree(folder, ignore_errors=True)
        say("cloning the repository")
        git(folder.parent, "clone", "--quiet", "--no-checkout", origin.repository, str(folder), cancelled=cancelled, env=env)
    for left in (folder / ".git").glob("*.lock"):  # of a git that was killed; nobody else is here
        left.unlink(missing_ok=True)
    if not _has(folder, commit, env, cancelled):
        git(folder, "fetch", "--quiet", "--tags", origin.repository, "+refs/heads/*:refs/remotes/origin/*", cancelled=cancelled, env=env)
        if not _has(folder, commit, env, cancelled):
            raise InputError(f"The repository that this worker cloned lacks the commit {commit[:10]}.", "Push it: git push")
    git(folder, "checkout", "--quiet", "--force", "--detach", commit, cancelled=cancelled, env=env)
    excluded = [part for name in KEPT for part in ("--exclude", name)]
    git(folder, "clean", "--quiet", "-ffdx", *excluded, cancelled=cancelled, env=env)
    if origin.checkout is not None:
        _share(origin.checkout / ".dvc", folder / ".dvc")


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


def _has(folder: Path, commit: str, env: Mapping[str, str], cancelled: IsCancelled) -> bool:
    try:
        git(folder, "cat-file", "-e", f"{commit}^{{commit}}", cancelled=cancelled, env=env)
    except InputError:
        return False
    return True


def _never() -> bool:
    return False
