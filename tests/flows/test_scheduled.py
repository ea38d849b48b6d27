"""Scheduled runs: the variants that params.yaml names, dvc.lock committed like an ingest's, a pinned model left as it is."""

import sys

import pytest
from flows_in_miniature import FOLDER, VARIANT, Project

from edgeloop.config import load_params
from edgeloop.errors import InputError
from edgeloop.workspace import Workspace
from flows.benchmark import matching
from flows.pipeline import read_plan
from flows.schedule import unchanged

RETRAIN = "import sys; from flows.retrain import retrain; print([row['outcome'] for row in retrain(sys.argv[1], scheduled=True)])"


@pytest.fixture
def committed(served: Project) -> Project:
    """The small project with two variants, of which the schedule names one."""
    params = served.root / "params.yaml"
    text = params.read_text(encoding="utf-8").replace("networks: fdmobilenet_0.25", "networks: [fdmobilenet_0.25, fdmobilenet_0.5]")
    params.write_text(f'{text}schedules: {{retrain: {{cron: "0 2 * * *", variants: ["*_0.25-*"]}}}}\n', encoding="utf-8")
    pipeline = served.root / "dvc.yaml"
    pipeline.write_text(pipeline.read_text(encoding="utf-8").replace(FOLDER, "${item.folder}"), encoding="utf-8")
    (served.root / ".gitignore").write_text("/data\n/models\n/.edgeloop/\n", encoding="utf-8")
    for command in ("git add --all", "git commit --quiet --message First"):
        served.run(*command.split())
    return served


def scheduled(project: Project) -> str:
    return project.run(sys.executable, "-c", RETRAIN, str(project.root))


def commits(project: Project) -> list[str]:
    return project.run("git", "log", "--format=%s").splitlines()


@pytest.mark.slow
def test_a_scheduled_run_builds_what_it_is_for_and_commits_it(committed: Project) -> None:
    scheduled(committed)
    assert commits(committed) == ["Models: a scheduled retraining", "First"]
    # graph.yaml was behind the committed params.yaml: it follows from it, and goes along.
    assert set(committed.run("git", "diff", "--name-only", "HEAD~1").split()) == {"dvc.lock", "graph.yaml"}
    assert committed.run("git", "status", "--short") == ""
    assert (committed.root / FOLDER / "card").is_dir()
    assert not (committed.root / FOLDER.replace("0.25", "0.5")).exists()
    assert "'up to date'" in scheduled(committed)
    assert len(commits(committed)) == 2


@pytest.mark.slow
@pytest.mark.thorough
def test_somebodys_own_changes_are_left_to_them(committed: Project) -> None:
    params = committed.root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    assert "dvc.lock was left for you to commit: params.yaml had changes of its own before" in scheduled(committed)
    assert commits(committed) == ["First"]


@pytest.mark.slow
@pytest.mark.long
def test_a_pinned_model_is_left_as_it_is_and_the_run_says_so(committed: Project) -> None:
    scheduled(committed)
    params, model = committed.root / "params.yaml", committed.root / FOLDER / "model"
    params.write_text(params.read_text(encoding="utf-8") + f"pin: [{VARIANT}]\n", encoding="utf-8")
    (committed.root / "input.txt").write_text("two", encoding="utf-8")
    said = scheduled(committed)
    assert f"{VARIANT} is pinned in params.yaml: its model stays as it is" in said
    assert model.read_text(encoding="utf-8") == "one"
    assert (committed.root / "data/sample/prepared").read_text(encoding="utf-8") == "two"
    committed.retrain()  # by hand as well
    assert model.read_text(encoding="utf-8") == "one"
    params.write_text(params.read_text(encoding="utf-8").replace(f"pin: [{VARIANT}]", "pin: []"), encoding="utf-8")
    assert "pinned" not in scheduled(committed)
    assert model.read_text(encoding="utf-8") == "two"


def test_what_was_never_built_is_built_once_although_it_is_pinned(project: Project) -> None:
    params = project.root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8") + "pin: sample\n", encoding="utf-8")
    assert not [stage for stage in read_plan(project.root, [f"card@{VARIANT}"]) if stage.pinned]
    project.run(sys.executable, "-m", "dvc", "repro")
    plan = read_plan(project.root, [f"card@{VARIANT}"])
    assert {stage.address for stage in plan if stage.pinned} == {f"train@{VARIANT}", f"card@{VARIANT}"}
    (project.root / "input.txt").write_text("two", encoding="utf-8")
    plan = read_plan(project.root, [f"card@{VARIANT}"])
    assert {stage.address for stage in unchanged(plan, {"prepare": "ran", "other": "ran"})} == {f"train@{VARIANT}", f"card@{VARIANT}"}


def test_benchmarks_are_chosen_by_words_and_boards(workspace: Workspace) -> None:
    params = load_params(workspace).model_copy(update={"build": ("sample", "flowers")})
    assert matching(params, None, ["sample"]) == ["sample-fdmobilenet_0.25-96-host", "sample-fdmobilenet_0.25-96-virtual-h7"]
    assert len(matching(params, ["host"], ["all"])) == 11
    assert matching(params, ["virtual-h7"], ["flowers-*-128"]) == [
        "flowers-fdmobilenet_0.25-128-virtual-h7",
        "flowers-st_fdmobilenet_v1-128-virtual-h7",
    ]
    with pytest.raises(InputError, match=r"plant is declared in params\.yaml, and not built"):
        matching(params, None, ["plant"])
    with pytest.raises(InputError, match=r"None of these variants is measured on virtual-h7"):
        matching(params, ["virtual-h7"], ["flowers-fdmobilenet_0.5-128"])
    with pytest.raises(InputError, match="`build` is empty"):
        matching(params.model_copy(update={"build": ()}), None, ["all"])
