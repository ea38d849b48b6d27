"""What Prefect's server knows of flow runs, asked over its HTTP interface (importing Prefect takes seconds).

A flow that is killed cannot tell the server, which goes on to show it as running. Each flow therefore holds a lock of its
own while it runs; where nobody holds it any more, or one that should never did, the run is marked as crashed.
"""

import base64
import datetime as dt
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from edgeloop.errors import ServiceError
from edgeloop.services.locks import exclusive
from edgeloop.workspace import Workspace

ASK_S = 10.0
SERVER_SECRET = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_SECRET = "PREFECT_API_AUTH_STRING"
UNFINISHED = ("RUNNING", "PENDING", "CANCELLING", "SCHEDULED")
BEGUN = ("RUNNING", "PENDING", "CANCELLING")
BEGINS_S = 10.0
"""Within that time after its state changed, a run that was started by hand holds its lock."""
WORKER_BEGINS_S = 120.0
"""The same for one that a worker started: its process first imports Prefect, maybe on a busy machine."""
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


def reconcile(workspace: Workspace, server: str, *, worker: bool = True) -> list[str]:
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


def _never_marked(workspace: Workspace, server: str, worker_begins_s: float) -> list[str]:
    """Runs that were killed between their making and their lock."""
    wanted = {"state": {"type": {"any_": list(BEGUN)}}}
    held = {lock.name for lock in _locks(workspace).glob("*")}
    now = dt.datetime.now(dt.UTC)
    found = []
    for run in ask(server, "/flow_runs/filter", {"flow_runs": wanted}):
        age_s = (now - dt.datetime.fromisoformat(run["state"]["timestamp"])).total_seconds()
        begins_s = worker_begins_s if run["work_pool_name"] else BEGINS_S
        if run["parameters"].get("root") == str(workspace.root) and run["id"] not in held and age_s >= begins_s:
            found.append(str(run["id"]))
    return found


def _locks(workspace: Workspace) -> Path:
    return workspace.private / "runs"


def _crash(server: str, run: str) -> list[str]:
    """Mark a run and its task runs; returns its name, or nothing where it had ended or this server does not know it."""
    this, unfinished = {"id": {"any_": [run]}}, {"state": {"type": {"any_": list(UNFINISHED)}}}
    state = {"state": {"type": "CRASHED", "name": "Crashed", "message": "Its process is gone."}, "force": True}
    found = ask(server, "/flow_runs/filter", {"flow_runs": this | unfinished})
    # A killed run that had just ended may have left task runs that the server was not told of.
    for task in ask(server, "/task_runs/filter", {"flow_runs": this, "task_runs": unfinished}):
        ask(server, f"/task_runs/{task['id']}/set_state", state)
    for flow in found:
        ask(server, f"/flow_runs/{flow['id']}/set_state", state)
    return [str(flow["name"]) for flow in found]


def ask(server: str, path: str, body: dict[str, Any]) -> Any:
    """Post a question to the server; returns its answer.

    Raises:
        ServiceError: it does not answer, or refuses.
    """
    request = urllib.request.Request(f"{server}/api{path}", json.dumps(body).encode(), _headers())
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        remedy = "Set PREFECT_API_AUTH_STRING." if error.code == HTTPStatus.UNAUTHORIZED else "Its log says more: .edgeloop/services."
        raise ServiceError(f"Prefect's server at {shown(server)} refuses {path}: {error.code} {error.reason}.", remedy) from None
    except OSError as error:
        raise ServiceError(
            f"Prefect's server at {shown(server)} does not answer ({type(error).__name__}).",
            "Start it (edgeloop up), or correct PREFECT_API_URL.",
        ) from None


def client_secret() -> str | None:
    """Name and password for the server, as `name:password`; where only the server's own are set, these."""
    return os.environ.get(CLIENT_SECRET) or os.environ.get(SERVER_SECRET)


def shown(server: str) -> str:
    """The address as messages show it: without a name or password that it may hold."""
    parts = urlsplit(server)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _headers() -> dict[str, str]:
    """With the name and password of the environment, as Prefect's own client sends them."""
    headers = {"Content-Type": "application/json"}
    if secret := client_secret():
        headers["Authorization"] = "Basic " + base64.b64encode(secret.encode()).decode()
    return headers


def _line(run: dict[str, Any]) -> str:
    when = str(run["start_time"] or run["expected_start_time"])[:19].replace("T", " ")
    return f"  {run['state_name']:<10} {run['name']}, {'since' if run['start_time'] else 'due'} {when} UTC"
