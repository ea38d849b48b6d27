"""`edgeloop worker`: sees that this machine has what stages need, and becomes a worker of Prefect."""

import datetime as dt
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from edgeloop import __version__
from edgeloop.console import courtesy
from edgeloop.errors import InputError, ServiceError
from edgeloop.names import RULE, is_name
from edgeloop.workspace import Workspace
from flows.api import CLIENT_SECRET, client_secret
from flows.pools.declared import BENCH

QUERY_S = 5
"""Between two questions for work; so long a stage waits at most for an idle worker."""


def serve(workspace: Workspace, pool: str, name: str, limit: int) -> NoReturn:
    """Check that everything is there, then become `prefect worker start`, which takes the stages of the pool.

    Raises:
        EdgeloopError: something is missing; the message says what.
    """
    if not is_name(pool.removeprefix(BENCH)):
        raise InputError(f"'{pool}' is no pool's name: {RULE}.", "Pools are declared in params.yaml (`pools`), labs in lab.yaml (`lab`).")
    env = os.environ | worker_environment(workspace)
    os.environ.update(env)  # before Prefect is imported
    from flows.pools.check import check
    from flows.pools.deployment import QUEUE

    checked = check(workspace, pool)
    now = dt.datetime.now().astimezone()
    said = f"{now:%H:%M:%S} worker {name}: pool {pool} ({checked.kind}), {limit} at once, edgeloop {__version__}"
    courtesy(f"{said}; server {checked.server}; store {checked.store}", sys.stdout)
    os.execve(sys.executable, worker_command(pool, QUEUE, checked.kind, "--name", name, "--limit", str(limit)), env)


def worker_command(pool: str, queue: str, kind: str, *options: str) -> list[str]:
    """Starts a worker of Prefect for one queue of a pool."""
    start = ["worker", "start", "--pool", pool, "--work-queue", queue, "--type", kind, "--install-policy", "never"]
    return [sys.executable, "-m", "prefect", "--no-prompt", *start, *options]


def worker_environment(workspace: Workspace) -> Mapping[str, str]:
    """What Prefect's worker and its jobs need to have in theirs."""
    from flows.pools.clone import CHECKOUT

    defaults = {
        "PREFECT_HOME": str(workspace.private / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": str(QUERY_S),
        # Also runs that are cancelled before their job begins.
        "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
        "PREFECT_CLIENT_MAX_RETRIES": "4",
        "DO_NOT_TRACK": "1",
    }
    # Jobs call `python`, as those in containers do: it is this one.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    kept = {name: os.environ.get(name, value) for name, value in defaults.items()}
    login = {CLIENT_SECRET: secret} if (secret := client_secret()) else {}
    return kept | login | {"PREFECT_API_URL": _address(workspace), CHECKOUT: str(workspace.root), "PATH": path}


def _address(workspace: Workspace) -> str:
    """The server's address from the environment, or the project's own server where it runs.

    Raises:
        ServiceError: neither is known.
    """
    if address := os.environ.get("PREFECT_API_URL"):
        return address
    from flows.server import prefect_server

    running = prefect_server(workspace).status()
    if running is None:
        raise ServiceError(
            "It is not known where Prefect's server is.",
            "Set PREFECT_API_URL=http://HOST:4200/api (here: edgeloop up); see docs/machines.md",
        )
    return f"{running.address}/api"
