"""The commit that a dispatched stage runs at: the workspace's, which must have nothing more to say than that."""

import re
from collections.abc import Mapping
from pathlib import Path

from edgeloop.errors import InputError
from flows.commands import IsCancelled, Say, git
from flows.pools.lock_entries import LOCK_FILE

MOST_NAMED = 5
_CHANGE = re.compile(r"[ MTADRCU?]{2} ")


def commit_of(root: Path, env: Mapping[str, str], say: Say, cancelled: IsCancelled) -> str:
    """The last commit. dvc.lock may differ from it, because what it says of the stage is sent along.

    Raises:
        InputError: this is no repository, or tracked files were changed.
    """
    lines = git(root, "status", "--porcelain", "--untracked-files=normal", cancelled=cancelled, env=env).splitlines()
    lines = [line for line in lines if _CHANGE.match(line)]  # git may warn of something besides
    changed = [line[3:] for line in lines if not line.startswith("??") and line[3:] != LOCK_FILE]
    if changed:
        more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
        raise InputError(
            f"Other machines run commits, and this workspace has changes: {', '.join(changed[:MOST_NAMED])}{more}.",
            "Commit and push them (dvc.lock may wait), then run again.",
        )
    if new := [line[3:] for line in lines if line.startswith("??") and line[3:] != LOCK_FILE]:
        say(f"not sent along, because git does not know them: {', '.join(new[:MOST_NAMED])}")
    return git(root, "rev-parse", "HEAD", cancelled=cancelled, env=env)
