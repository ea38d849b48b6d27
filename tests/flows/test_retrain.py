"""The flow `retrain`, on a real Prefect server, over stages that DVC really runs."""

import json
import urllib.request

import pytest
from flows_in_miniature import FOLDER, VARIANT, Project

from edgeloop.config import load_params
from edgeloop.errors import InputError
from edgeloop.workspace import Workspace
from flows.run import select

pytestmark = pytest.mark.slow


def ask(project: Project, path: str) -> list[dict[str, object]]:
    """The newest things that the server has of that kind."""
    body = json.dumps({"limit": 50, "sort": "CREATED_DESC" if "artifacts" in path else "EXPECTED_START_TIME_DESC"}).encode()
    request = urllib.request.Request(project.env["PREFECT_API_URL"] + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[dict[str, object]] = json.load(answer)
    return found


def test_a_first_run_builds_everything_and_a_second_nothing(served: Project) -> None:
    first = served.retrain()
    assert "4 of 4 stages built" in first
    assert (served.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8") == "oneone"
    names = {str(run["name"]) for run in ask(served, "/task_runs/filter")}
    assert {"prepare", "other", f"train@{VARIANT}", f"card@{VARIANT}"} <= names
    keys = {artifact["key"] for artifact in ask(served, "/artifacts/filter")}
    assert {"plan", "results", "card-sample-fdmobilenet-0-25-96"} <= keys
    second = served.retrain()
    assert "up to date in" in second
    assert "Running stage" not in second


def test_lost_outputs_come_back_from_the_cache(served: Project) -> None:
    served.retrain()
    (served.root / FOLDER / "model").unlink()
    again = served.retrain()
    assert f"restored  train@{VARIANT}" in again
    assert f"> test ! -e broken && mkdir -p {FOLDER}" not in again


def test_a_failed_stage_stops_those_that_need_it_and_no_others(served: Project) -> None:
    (served.root / "broken").touch()
    said = served.retrain(ok=False)
    assert "1 of 4 stages failed" in said or "stages failed" in said
    assert f"Repeat it with: dvc repro train@{VARIANT}" in said
    assert (served.root / "data" / "sample" / "other").exists()
    assert not (served.root / FOLDER / "card").exists()
    (served.root / "broken").unlink()
    healed = served.retrain()
    assert f"ran  train@{VARIANT}" in healed
    assert "up to date  other" in healed


def test_parts_of_a_variant_select_and_all_selects_everything(workspace: Workspace) -> None:
    params = load_params(workspace)
    assert select(params, "flowers", "fdmobilenet_0.25", "128") == ["flowers-fdmobilenet_0.25-128"]
    assert len(select(params, "flowers", "all", "all")) == 10
    assert set(select(params, "all", "all", "all")) == set(params.variants)
    with pytest.raises(InputError, match="did you mean 'flowers'"):
        select(params, "flower", "all", "all")
    with pytest.raises(InputError, match="no variant sample-st_fdmobilenet_v1-96"):
        select(params, "sample", "st_fdmobilenet_v1", "96")
