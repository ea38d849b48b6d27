"""What runs without being asked: the deployments of prefect.yaml with the schedules of params.yaml, and the worker that runs them."""

import hashlib
import json
import os
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

from edgeloop.config import OFF, Schedules
from edgeloop.errors import ConfigError, ServiceError
from edgeloop.files import write_text
from edgeloop.services import Ports, Running, Service
from edgeloop.services.guard import detached_command
from edgeloop.services.ports import preferred
from edgeloop.services.processes import PROC
from edgeloop.workspace import Workspace
from flows.pools.worker import worker_command

POOL = "train"
PROBE_S = 3.0
ENDS_S = 15.0
"""What a worker has for ending its runs before it is killed."""
DEPLOY_S = 180.0
NEVER = "0 0 1 1 *"
"""A cron line for a schedule that is off: Prefect wants a valid one there too."""


def worker(workspace: Workspace, environment: Mapping[str, str]) -> Service:
    """A worker of the pool `train` on this machine; it makes the pool where there is none. Its runs never outlive it."""

    def argv(ports: Ports) -> list[str]:
        port = f"PREFECT_WORKER_WEBSERVER_PORT={ports['worker']}"
        # Its own queue: stages that were sent to the pool are not for it (flows/pools).
        return detached_command(["env", port, *worker_command(POOL, "default", "process", "--with-healthcheck")], ENDS_S)

    home = workspace.private / "prefect"
    env = {**environment, "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1", "PREFECT_WORKER_QUERY_SECONDS": "5"}
    ports = preferred({"worker": 4280})
    return Service(workspace, "worker", argv, ports, _is_healthy, home, env, start_deadline_s=120.0, stop_grace_s=2 * ENDS_S)


def talks_to(running: Running) -> str | None:
    """The address of the server that a running worker was started for, as far as the kernel tells."""
    try:
        environment = (PROC / str(running.pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return None
    name = b"PREFECT_API_URL="
    return next((entry.removeprefix(name).decode() for entry in environment if entry.startswith(name)), None)


def deploy(workspace: Workspace, schedules: Schedules, environment: Mapping[str, str], *, fresh: bool) -> bool:
    """Make the deployments of prefect.yaml on the server; returns whether that was needed.

    `fresh`: the server was just started. Otherwise nothing is done when these very deployments were made before.

    Raises:
        ConfigError: Prefect does not accept them (a cron line, a time zone); the message holds its words.
        ServiceError: the server does not answer in time.
    """
    variables = _variables(workspace, schedules)
    stamp = workspace.private / "services" / "deployments"
    digest = hashlib.sha256((workspace.root / "prefect.yaml").read_bytes() + json.dumps(variables).encode()).hexdigest()
    if not fresh and stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return False
    argv = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    env = os.environ | dict(environment) | variables
    try:
        done = subprocess.run(
            argv, cwd=workspace.root, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEPLOY_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ServiceError(f"Prefect did not make the deployments within {DEPLOY_S:.0f} s.", "On a busy machine just try again.") from None
    if done.returncode != 0:
        last = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()[-12:])
        raise ConfigError(f"Prefect does not accept the deployments:\n{last}", "Check prefect.yaml, and `schedules` in params.yaml.")
    write_text(stamp, digest)
    return True


def lines(schedules: Schedules) -> dict[str, str]:
    """The cron line, or `off`, of each flow."""
    return {"retrain": schedules.retrain.cron, "benchmark": schedules.benchmark.cron, "ingest": schedules.ingest}


def engine_command() -> str:
    """What the worker of `edgeloop up` runs for a flow run, with this very Python."""
    return shlex.join([sys.executable, "-m", "flows.engine"])


def _variables(workspace: Workspace, schedules: Schedules) -> dict[str, str]:
    """What prefect.yaml refers to."""
    variables = {"EDGELOOP_ROOT": str(workspace.root), "EDGELOOP_BEGIN": engine_command(), "EDGELOOP_TIMEZONE": schedules.timezone}
    for flow, line in lines(schedules).items():
        name = flow.upper()
        variables[f"EDGELOOP_{name}_CRON"] = NEVER if line == OFF else line
        variables[f"EDGELOOP_{name}_ACTIVE"] = str(line != OFF).lower()
    return variables


def _is_healthy(running: Running) -> bool:
    try:
        with urllib.request.urlopen(f"{running.address}/health", timeout=PROBE_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
