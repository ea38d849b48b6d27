"""What Prefect's server knows of flow runs, asked over its HTTP interface (importing Prefect takes seconds).

A flow that is killed cannot tell the server, which goes on to show it as running. Each flow therefore holds a lock of its
own while it runs; where nobody holds it any more, or one that should never did, the run is marked as crashed.
"""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeloop.services.locks import exclusive
from edgeloop.workspace import Workspace
from flows.api import Server

UNFINISHED = ("RUNNING", "PENDING", "CANCELLING", "SCHEDULED")
BEGUN = ("RUNNING", "PENDING", "CANCELLING")
BEGINS_S = 10.0
"""Within that time after its state changed, a run that was started by hand holds its lock."""
WORKER_BEGINS_S = 120.0
"""The same for one that a worker started: its process first imports Prefect, maybe on a busy machine."""
BY_HAND = "started in a terminal"
"""What the first state of a run says that no worker started."""
MOST_SCHEDULED = 3
"""A schedule has a hundred runs ahead of it: the next ones are enough."""


def unfinished_runs(server: Server) -> list[str]:
    """A line for each flow run that runs or waits, the running ones first."""
    found = server.post(
        "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": list(UNFINISHED)}}}, "sort": "EXPECTED_START_TIME_ASC"}
    )
    waiting = [run for run in found if run["state_type"] == "SCHEDULED"]
    active = [run for run in found if run["state_type"] != "SCHEDULED"]
    return [_line(run) for run in [*active, *waiting[:MOST_SCHEDULED]]]


_marked: set[str] = set()
"""Runs whose lock this process holds."""


@contextmanager
def marked_alive(workspace: Workspace, run: str) -> Iterator[None]:
    """Hold the lock of the flow run with that id; once more, where this process holds it already, changes nothing."""
    if run in _marked:
        yield
        return
    lock = _locks(workspace) / run
    lock.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(lock, 0):
        _marked.add(run)
        try:
            yield
        finally:
            _marked.discard(run)
        lock.unlink(missing_ok=True)


def reconcile(workspace: Workspace, server: Server, *, worker: bool = True) -> list[str]:
    """Mark flow runs of this project whose process is gone, and their task runs, as crashed; returns the runs' names.

    `worker`: whether one of this project may just be starting a run.

    Raises:
        ServiceError: the server does not answer.
    """
    crashed = []
    for lock in sorted(_locks(workspace).glob("*")):
        try:
            with exclusive(lock, 0):
                crashed += _crash(server, lock.name)
                lock.unlink(missing_ok=True)
        except TimeoutError:
            continue
    for run in _never_marked(workspace, server, WORKER_BEGINS_S if worker else 0.0):
        crashed += _crash(server, run)
    return crashed


def _never_marked(workspace: Workspace, server: Server, worker_begins_s: float) -> list[str]:
    """Runs that were killed between their making and their lock."""
    wanted = {"state": {"type": {"any_": list(BEGUN)}}}
    held = {lock.name for lock in _locks(workspace).glob("*")}
    now = dt.datetime.now(dt.UTC)
    found = []
    for run in server.post("/flow_runs/filter", {"flow_runs": wanted}):
        age_s = (now - dt.datetime.fromisoformat(run["state"]["timestamp"])).total_seconds()
        begins_s = BEGINS_S if run["state"]["message"] == BY_HAND or not run["work_pool_name"] else worker_begins_s
        if run["parameters"].get("root") == str(workspace.root) and run["id"] not in held and age_s >= begins_s:
            found.append(str(run["id"]))
    return found


def _locks(workspace: Workspace) -> Path:
    return workspace.private / "runs"


def _crash(server: Server, run: str) -> list[str]:
    """Mark a run and its task runs; returns its name, or nothing where it had ended or this server does not know it."""
    this, unfinished = {"id": {"any_": [run]}}, {"state": {"type": {"any_": list(UNFINISHED)}}}
    state = {"state": {"type": "CRASHED", "name": "Crashed", "message": "Its process is gone."}, "force": True}
    found = server.post("/flow_runs/filter", {"flow_runs": this | unfinished})
    # A killed run that had just ended may have left task runs that the server was not told of.
    for task in server.post("/task_runs/filter", {"flow_runs": this, "task_runs": unfinished}):
        server.post(f"/task_runs/{task['id']}/set_state", state)
    for flow in found:
        server.post(f"/flow_runs/{flow['id']}/set_state", state)
    return [str(flow["name"]) for flow in found]


def _line(run: dict[str, Any]) -> str:
    when = str(run["start_time"] or run["expected_start_time"])[:19].replace("T", " ")
    return f"  {run['state_name']:<10} {run['name']}, {'since' if run['start_time'] else 'due'} {when} UTC"
