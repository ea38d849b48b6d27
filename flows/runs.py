"""What Prefect's server knows of flow runs, asked over its HTTP interface (importing Prefect takes seconds)."""

import json
import urllib.request
from typing import Any

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


def ask(server: str, path: str, body: dict[str, Any]) -> Any:
    """Post a question to the server; returns its answer."""
    request = urllib.request.Request(f"{server}/api{path}", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ASK_S) as answer:
        return json.load(answer)


def _line(run: dict[str, Any]) -> str:
    when = str(run["start_time"] or run["expected_start_time"])[:19].replace("T", " ")
    return f"  {run['state_name']:<10} {run['name']}, {'since' if run['start_time'] else 'due'} {when} UTC"
