"""A split is made once: what `fetch` brings later never moves a picture that is known, and what changed is said."""

from pathlib import Path

import pandas as pd
import pytest
from datasets_in_miniature import fill, jpeg, settings, two_classes

from edgeloop.datasets.fetch import fetch
from edgeloop.datasets.manifest import read_manifest
from edgeloop.datasets.prepare import prepare
from edgeloop.records import PrepareRecord
from edgeloop.workspace import Workspace

RULES = [{"rule": "stratified"}, {"rule": "keras"}]


def fetched(workspace: Workspace, folder: Path, **changes: object) -> PrepareRecord:
    """Fetch a folder and prepare it, as `dvc repro` does."""
    params = settings(workspace, "sample", **changes)
    fetch(workspace, params, "sample", given=str(folder))
    return prepare(workspace, params, "sample")


def splits(workspace: Workspace) -> pd.Series:
    return read_manifest(workspace.dataset("sample").manifest).set_index("path")["split"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["rule"])
def test_pictures_that_come_into_a_folder_move_none_that_was_there(workspace: Workspace, tmp_path: Path, rule: dict[str, str]) -> None:
    folder = fill(tmp_path, two_classes(60)) / "set"
    fetched(workspace, folder, split=rule)
    before = splits(workspace)
    fill(folder, {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(12)})
    fetched(workspace, folder, split=rule)
    after = splits(workspace)
    assert after[before.index].equals(before)
    assert after[after.index.difference(before.index)].notna().all()
