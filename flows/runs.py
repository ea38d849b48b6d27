"""What Prefect's server knows of flow runs, asked over its HTTP interface (importing Prefect takes seconds).

A flow that is killed cannot tell the server, which goes on to show it as running. Each flow therefore holds a lock of its
own while it runs; where nobody holds it any more, the run is marked as crashed.
"""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeloop.services.locks import exclusive
from edgeloop.workspace import Workspace

ASK_S = 10.0
UNFINISHED = ("RUNNING", "PENDING", "CANCELLING", "SCHEDULED")
MOST_SCHEDULED = 3
"""A schedule has a hundred runs ahead of it: the next ones are enough."""


def unfinished_runs(server: str) -> list[str]:
    """A line for each flow run that runs or waits, the running ones first."""
    found = ask(
        server, "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": list(UNFINISHED)}}}, "sort": "EXPECTED_START_TIME_ASC"}
    )
    waiting = [run for run in found if run["state_type"] == "SCHEDULED"]
    active = [run for run in found if run["state_type"] != "SCHEDULED"]
    return [_line(run) for run in [*active, *waiting[:MOST_SCHEDULED]]]


@contextmanager
def marked_alive(workspace: Workspace, run: str) -> Iterator[None]:
    """Hold the lock of the flow run with that id."""
    folder = _locks(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / run
    with exclusive(lock, 0):
        yield
        lock.unlink(missing_ok=True)


def reconcile(workspace: Workspace, server: str) -> list[str]:
    """Mark flow runs of this project whose process is gone, and their task runs, as crashed; returns the runs' names."""
    crashed = []
    for lock in sorted(_locks(workspace).glob("*")):
        try:
            with exclusive(lock, 0):
                crashed += _crash(server, lock.name)
                lock.unlink(missing_ok=True)
        except TimeoutError:
            continue
    return crashed


def _locks(workspace: Workspace) -> Path:
    return workspace.private / "runs"


def _crash(server: str, run: str) -> list[str]:
    """Mark a run and its task runs; returns its name, or nothing where it had ended or this server does not know it."""
    this, unfinished = {"id": {"any_": [run]}}, {"state": {"type": {"any_": list(UNFINISHED)}}}
    state = {"state": {"type": "CRASHED", "name": "Crashed", "message": "Its process is gone."}, "force": True}
    found = ask(server, "/flow_runs/filter", {"flow_runs": this | unfinished})
    for task in ask(server, "/task_runs/filter", {"flow_runs": this, "task_runs": unfinished}) if found else []:
        ask(server, f"/task_runs/{task['id']}/set_state", state)
    for flow in found:
        ask(server, f"/flow_runs/{flow['id']}/set_state", state)
    return [str(flow["name"]) for flow in found]


def ask(server: str, path: str, body: dict[str, Any]) -> Any:
    """Post a question to the server; returns its answer."""
    request = urllib.request.Request(f"{server}/api{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ASK_S) as answer:
        return json.load(answer)


def _line(run: dict[str, Any]) -> str:
    when = str(run["start_time"] or run["expected_start_time"])[:19].replace("T", " ")
    return f"  {run['state_name']:<10} {run['name']}, {'since' if run['start_time'] else 'due'} {when} UTC"
