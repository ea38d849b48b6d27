"""One data set's entries of dvc.lock: put into another dvc.lock, and committed alone where the file has other changes, too."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgeloop.files import read_text
from edgeloop.lockfile import LOCK_FILE, locked_stage
from edgeloop.workspace import Workspace
from flows.revision import STAGES, ask_git, said

EMPTY = "schema: '2.0'\nstages: {}\n"

Entries = dict[str, dict[str, Any]]
"""By address."""


def entries_in(text: str, dataset: str) -> Entries:
    """Those entries of a dvc.lock that are the data set's."""
    found = {f"{stage}@{dataset}": locked_stage(text, f"{stage}@{dataset}") for stage in STAGES}
    return {address: entry for address, entry in found.items() if entry}


def lock_text(workspace: Workspace) -> str:
    """dvc.lock as it is now; empty where there is none."""
    lock = workspace.root / LOCK_FILE
    return read_text(lock) if lock.is_file() else ""


def with_entries(text: str, dataset: str, entries: Entries) -> str:
    """The text of a dvc.lock with these entries in the place of the data set's own, as DVC writes it."""
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    tree = parse_yaml_for_update(text or EMPTY, LOCK_FILE)
    stages = tree.setdefault("stages", {})
    for stage in STAGES:
        stages.pop(f"{stage}@{dataset}", None)
    stages.update(entries)
    return str(dumps_yaml(tree))


def commit_entries(workspace: Workspace, dataset: str, message: str, files: Iterable[Path]) -> str:
    """Commit these files and the data set's entries of dvc.lock; what else has changed there stays uncommitted. Returns the commit.

    Raises:
        StageError: git refuses; the message holds its words.
    """
    before = ask_git(workspace, "show", f"HEAD:./{LOCK_FILE}", ok=False) or ""
    text = with_entries(before, dataset, entries_in(lock_text(workspace), dataset))
    blob = said(workspace, "hash-object", "-w", "--stdin", given=text)
    entry = f"100644,{blob},{said(workspace, 'rev-parse', '--show-prefix')}{LOCK_FILE}"
    names = [path.relative_to(workspace.root).as_posix() for path in files]
    with tempfile.TemporaryDirectory(dir=said(workspace, "rev-parse", "--absolute-git-dir")) as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        said(workspace, "read-tree", "HEAD", env=index)
        # The index that everybody uses goes first: were this killed in between, the files would be staged, and nothing taken back.
        for env in ({}, index):
            said(workspace, "add", "--", *names, env=env)
            said(workspace, "update-index", "--add", "--cacheinfo", entry, env=env)
        said(workspace, "commit", "--quiet", "--message", message, env=index)
    return said(workspace, "rev-parse", "HEAD")
