"""Cancelling in Prefect's UI (what it tells the server), and Ctrl-C: the stages end, boards are free, a new run goes on."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flows_in_miniature import HANGS_S, ROOT, VARIANT, Project, sleepers, until

from edgeloop.boards.lock import occupancy

pytestmark = pytest.mark.slow

ENDS_S = 10.0
BOARD = "virtual-h7"
HOLDS = f"""\
import time
from pathlib import Path
from edgeloop.boards.lock import hold
with hold("{BOARD}", "a benchmark", 5):
    Path("other.here").touch()
    time.sleep(987.1)
"""


def cancel(project: Project, run: str) -> None:
    """As the button in the UI does."""
    project.ask(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})


def slow(project: Project) -> str:
    """Two of the stages go on for ever, one holds a board and one ignores TERM; returns the pipeline as it was."""
    (project.root / "hold.py").write_text(HOLDS, encoding="utf-8")
    pipeline = project.root / "dvc.yaml"
    text = pipeline.read_text(encoding="utf-8")
    stubborn = "trap '' TERM; touch train.here; sleep 987.1; sleep 987.1"
    changed = text.replace("test ! -e broken", stubborn).replace("cp data/sample/prepared", "python hold.py; cp")
    pipeline.write_text(changed, encoding="utf-8")
    return text


def start(project: Project) -> "subprocess.Popen[str]":
    """A run, once both of its stages have begun."""
    argv = [sys.executable, "-m", "edgeloop", "run", "sample", "all", "all", "--slots", "2"]
    flow = subprocess.Popen(argv, cwd=project.root, env=project.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until(lambda: all((project.root / f"{name}.here").exists() for name in ("train", "other")), HANGS_S)
    return flow


def task_states(project: Project, run: str) -> dict[str, str]:
    """Of each stage of the run, once the server knows that all of them have ended."""
    found: dict[str, str] = {}

    def ended() -> bool:
        tasks = project.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        found.update({task["name"]: task["state_type"] for task in tasks})
        return bool(found) and not set(found.values()) & {"RUNNING", "PENDING"}

    until(ended, 20)
    return found


def assert_it_ended_well(project: Project, run: str, began: float) -> None:
    """Nothing runs, the board is free, and the server shows what happened."""
    until(lambda: not sleepers(project.root), ENDS_S - (time.monotonic() - began))
    assert not occupancy(BOARD).held
    until(lambda: project.ask(f"/flow_runs/{run}")["state_type"] == "CANCELLED", 20)
    states = task_states(project, run)
    assert (states[f"train@{VARIANT}"], states["other"], states["prepare"]) == ("CANCELLED", "CANCELLED", "COMPLETED")


def assert_a_rerun_goes_on(project: Project, pipeline: str) -> None:
    (project.root / "dvc.yaml").write_text(pipeline, encoding="utf-8")
    again = project.retrain()
    assert "up to date  prepare" in again
    assert f"ran  train@{VARIANT}" in again
    assert "Data and pipelines are up to date" in project.run(sys.executable, "-m", "dvc", "status")


@pytest.mark.thorough
def test_a_run_that_is_cancelled_in_the_ui_ends_its_stages_and_frees_its_boards(served: Project) -> None:
    pipeline = slow(served)
    flow = start(served)
    run = served.flow_runs()[0]
    assert run["deployment_id"], "the UI offers to cancel runs of deployments only"
    assert occupancy(BOARD).held
    began = time.monotonic()
    cancel(served, run["id"])
    assert_it_ended_well(served, run["id"], began)
    assert "goes on where this one stopped" in flow.communicate(timeout=30)[1]
    assert flow.returncode == 130
    assert "Cancelled in the UI" in served.ask(f"/flow_runs/{run['id']}")["state"]["message"]
    assert_a_rerun_goes_on(served, pipeline)


@pytest.mark.thorough
def test_ctrl_c_is_shown_as_cancelled(served: Project) -> None:
    slow(served)
    flow = start(served)
    run = served.flow_runs()[0]["id"]
    began = time.monotonic()
    flow.send_signal(signal.SIGINT)
    assert_it_ended_well(served, run, began)
    flow.communicate(timeout=30)
    assert flow.returncode == 130
    assert "Ctrl-C" in served.ask(f"/flow_runs/{run}")["state"]["message"]


@pytest.fixture
def installed(project: Project) -> Iterator[Project]:
    """The small project with its own services, a worker among them."""
    (project.root / "flows").symlink_to(ROOT / "flows")
    (project.root / "prefect.yaml").write_bytes((ROOT / "prefect.yaml").read_bytes())
    project.run(sys.executable, "-m", "edgeloop", "up")
    address = json.loads((project.root / ".edgeloop" / "services" / "prefect.json").read_text(encoding="utf-8"))["address"]
    yield Project(
        project.root, project.env | {"PREFECT_API_URL": f"{address}/api", "PREFECT_HOME": str(project.root / ".edgeloop/prefect")}
    )
    project.run(sys.executable, "-m", "edgeloop", "down")


@pytest.mark.long
def test_a_run_of_the_worker_is_cancelled_too(installed: Project) -> None:
    pipeline = slow(installed)
    installed.run("git", "add", ".")  # a scheduled run commits what it builds
    installed.run("git", "commit", "--quiet", "--message", "First revision")
    deployment = installed.ask("/deployments/name/retrain/scheduled")["id"]
    parameters = {"root": str(installed.root), "publish": False, "slots": 2}
    run = installed.ask(f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"]
    until(lambda: all(Path(installed.root / f"{name}.here").exists() for name in ("train", "other")), HANGS_S)
    began = time.monotonic()
    cancel(installed, run)
    assert_it_ended_well(installed, run, began)
    assert_a_rerun_goes_on(installed, pipeline)
