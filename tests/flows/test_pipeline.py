"""The plan is read from dvc.yaml: the targets, what they need, in an order that can be run, and why."""

import sys

import pytest
from flows_in_miniature import VARIANT, Project

from edgeloop.errors import ConfigError
from flows.pipeline import read_plan


def plan(project: Project, target: str = f"card@{VARIANT}") -> dict[str, str | None]:
    return {stage.address: stage.reason for stage in read_plan(project.root, [target])}


def test_a_target_comes_with_all_that_it_needs_in_order(project: Project) -> None:
    stages = read_plan(project.root, [f"card@{VARIANT}"])
    seen: set[str] = set()
    for stage in stages:
        assert stage.upstream <= seen
        seen.add(stage.address)
    assert seen == {"prepare", "other", f"train@{VARIANT}", f"card@{VARIANT}"}
    assert set(plan(project, f"train@{VARIANT}")) == {"prepare", f"train@{VARIANT}"}, "what it does not need is left out"


def test_after_a_build_nothing_is_out_of_date_and_a_change_names_what_it_touches_and_why(project: Project) -> None:
    assert set(plan(project).values()) == {"it was not built yet"}
    project.run(sys.executable, "-m", "dvc", "repro")
    assert not any(plan(project).values())
    params = project.root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("calibration_images: 10", "calibration_images: 11"), encoding="utf-8")
    assert {address: reason for address, reason in plan(project).items() if reason} == {
        f"train@{VARIANT}": "quantize.calibration_images: 10 -> 11"
    }
    (project.root / "input.txt").write_text("two", encoding="utf-8")
    assert plan(project)["prepare"] == "input.txt changed"
    (project.root / "data" / "sample" / "other").unlink()
    assert plan(project)["other"] == "data/sample/other, which it made, is not there"


def test_an_unknown_target_and_a_broken_pipeline_are_clear_errors(project: Project) -> None:
    with pytest.raises(ConfigError, match="no stage 'card@nothing'"):
        read_plan(project.root, ["card@nothing"])
    (project.root / "dvc.yaml").write_text("stages: [", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"dvc\.yaml"):
        read_plan(project.root, [f"card@{VARIANT}"])
