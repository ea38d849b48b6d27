"""A run goes on where a kill has left DVC's file of locks half written."""

from pathlib import Path

import pytest
from flows_in_miniature import Project
from matrix import first_is_short

from flows import dvc_lock
from flows.commands import ignore, run
from flows.stage import outcome_of, stage_command


@pytest.mark.parametrize("left", first_is_short(['{"input.txt": {"read": [', ""]))
def test_a_damaged_file_is_removed_and_the_stage_runs(project: Project, left: str) -> None:
    file = project.root / ".dvc" / "tmp" / "rwlock"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(left, encoding="utf-8")
    refused = run(stage_command("prepare"), project.root, project.env, ignore, lambda: False)
    assert refused.code != 0  # by DVC itself: else there is nothing to mend
    assert dvc_lock.mend(project.root)
    done = run(stage_command("prepare"), project.root, project.env, ignore, lambda: False)
    assert outcome_of(done, "prepare") == "ran"


@pytest.mark.parametrize("content", [None, "{}"])
def test_another_one_stays(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / ".dvc" / "tmp" / "rwlock"
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_text(content, encoding="utf-8")
    assert not dvc_lock.mend(tmp_path)
    assert file.exists() == (content is not None)
