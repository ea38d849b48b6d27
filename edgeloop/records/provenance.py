"""What a result can be traced back to, gathered on this machine."""

import datetime as dt
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeloop.records.base import Provenance
from edgeloop.userpath import named_argument

WRITTEN = ("dvc.lock", "graph.yaml")
"""What follows from the files that somebody wrote."""


def provenance(root: Path, params: dict[str, Any], tools: list[str], started: dt.datetime, data_revision: str | None = None) -> Provenance:
    """The provenance of a result that this process made.

    `tools` names installed distributions whose versions go into the record; edgeloop and Python are always there.
    `started` is an aware time; `root` is the workspace whose git commit counts. Records are published: of a path outside of it
    the command states the last name only.
    """
    now = dt.datetime.now(dt.UTC)
    commit, dirty = _git_state(root)
    return Provenance(
        time_utc=now.isoformat(timespec="seconds"),
        command=shlex.join([Path(sys.argv[0]).name, *(named_argument(word, root) for word in sys.argv[1:])]),
        git_commit=commit,
        git_dirty=dirty,
        host=platform.node(),
        cpu=cpu_model(),
        cpus=os.cpu_count() or 1,
        tools={"edgeloop": version("edgeloop"), "python": platform.python_version()} | {name: version(name) for name in tools},
        params=params,
        data_revision=data_revision,
        duration_s=round((now - started).total_seconds(), 3),
    )


def cpu_model() -> str:
    """The processor's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def committer(root: Path) -> str | None:
    """Who works in this folder, as git knows it: `user.name`; None where it is not set."""
    return _git(root, "config", "user.name") or None


def committed_revision(root: Path, names: list[str]) -> str | None:
    """The commit that holds these files of the folder as they are; None where none does."""
    if _git(root, "ls-files", "--error-unmatch", "--", *names) is None or _git(root, "status", "--porcelain", "--", *names) != "":
        return None
    return _git(root, "rev-parse", "HEAD")


def _git_state(root: Path) -> tuple[str | None, bool | None]:
    """The commit and whether tracked files differ from it, but for those that builds write themselves; (None, None) without a commit."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{name}" for name in WRITTEN)))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
