"""What `edgeloop up` leaves running: a schedule that fires, a worker that runs the flow, and nothing of it after `down`."""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import ABSENT, PROGRAM, chromium
from flows_in_miniature import FOLDER, ROOT, Project, until

from edgeloop.config import load_params
from edgeloop.errors import ConfigError
from edgeloop.workspace import Workspace
from flows.api import Server

pytestmark = pytest.mark.slow


def services(project: Project, action: str, ok: bool = True) -> str:
    return project.run(sys.executable, "-m", "edgeloop", action, ok=ok)


def schedule(project: Project, line: str) -> None:
    params = project.root / "params.yaml"
    text = params.read_text(encoding="utf-8").split("schedules:")[0]
    params.write_text(f'{text}schedules: {{retrain: "{line}"}}\n', encoding="utf-8")


@pytest.fixture
def installed(project: Project) -> Iterator[Project]:
    """The small project with this checkout's flows and deployments; its services are stopped at the end."""
    (project.root / "flows").symlink_to(ROOT / "flows")
    (project.root / "prefect.yaml").write_bytes((ROOT / "prefect.yaml").read_bytes())
    yield project
    services(project, "down")
    assert not processes_of(project.root)


def processes_of(root: Path) -> list[str]:
    """Command lines of processes in this project's folder, zombies left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").readlink().is_relative_to(root):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if line]


def finished_runs(root: Path) -> list[dict[str, object]]:
    server = json.loads((root / ".edgeloop" / "services" / "prefect.json").read_text(encoding="utf-8"))["address"]
    found: list[dict[str, object]] = Server(f"{server}/api").post(
        "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["COMPLETED", "FAILED"]}}}}
    )
    return found


@pytest.mark.long
def test_a_schedule_fires_and_the_worker_builds_what_is_out_of_date(installed: Project) -> None:
    schedule(installed, "* * * * *")
    for command in ("git add --all", "git commit --quiet --message Scheduled"):
        installed.run(*command.split())
    said = services(installed, "up")
    assert "by themselves run: retrain (* * * * * UTC)" in said
    assert "deployments were made already" in services(installed, "up")
    deadline = time.monotonic() + 200
    while not finished_runs(installed.root):
        assert time.monotonic() < deadline, services(installed, "status")
        time.sleep(1)
    run = finished_runs(installed.root)[0]
    assert run["auto_scheduled"], run
    # The card was built; publishing fails, because this project has no records.
    assert (installed.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8") == "oneone"
    # What was built until then is committed.
    assert installed.run("git", "log", "-1", "--format=%s %b").split() == ["Models:", "a", "scheduled", "retraining", "all"]
    assert installed.run("git", "diff", "--name-only", "HEAD~1").split() == ["dvc.lock"]
    assert run["name"] == "scheduled: all"
    assert "worker          runs since" in services(installed, "status")
    assert re.search(r"^  virtual-h7 +virtual-h7 +free$", services(installed, "status"), re.MULTILINE)
    schedule(installed, "off")
    assert "deployments made; by themselves run: none" in services(installed, "up")
    time.sleep(3)
    assert "Scheduled" not in services(installed, "status")


@pytest.mark.long
@pytest.mark.skipif(PROGRAM is None, reason=ABSENT)
def test_a_run_of_a_terminal_that_is_retried_in_the_ui_is_done_by_the_worker(installed: Project, tmp_path: Path) -> None:
    (installed.root / "broken").touch()
    installed.retrain(ok=False)
    services(installed, "up")
    (installed.root / "broken").unlink()
    server = json.loads((installed.root / ".edgeloop" / "services" / "prefect.json").read_text(encoding="utf-8"))["address"]
    (run,) = finished_runs(installed.root)
    with chromium(tmp_path / "profile") as page:
        page.open(f"{server}/runs/flow-run/{run['id']}")
        page.see("Failed")
        page.click("Retry")
        page.see("This will retry flow run")
        page.click("Retry")  # the dialog's
        until(lambda: [run["state_type"] for run in finished_runs(installed.root)] == ["COMPLETED"], 120)
    assert (installed.root / FOLDER / "card" / "README.md").read_text(encoding="utf-8") == "oneone"


def test_what_is_no_cron_line_is_refused_before_anything_starts(installed: Project) -> None:
    schedule(installed, "every night")
    with pytest.raises(ConfigError, match="'every night' is neither a cron line of five fields"):
        load_params(Workspace(installed.root))
    assert "neither a cron line" in services(installed, "up", ok=False)
    assert not processes_of(installed.root)
