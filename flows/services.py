"""`python -m flows.services up|down|status`: object storage, Prefect's server and a worker, all on this machine only."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from textwrap import indent

from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.state import render, states
from edgeloop.config import OFF, Schedules, load_params
from edgeloop.errors import ConfigError, EdgeloopError
from edgeloop.files import disk_explained
from edgeloop.services import Ports, Running, Service
from edgeloop.services.ports import LOOPBACK, preferred
from edgeloop.store.local import local_store
from edgeloop.workspace import Workspace, find_workspace
from flows.deployments import deploy, lines, talks_to, worker
from flows.runs import CLIENT_SECRET, SERVER_SECRET, client_secret, reconcile, unfinished_runs

PROBE_S = 3.0
HOST = "EDGELOOP_PREFECT_HOST"
"""The variable that lets Prefect's server listen elsewhere than on loopback."""
EVERYWHERE = "0.0.0.0"


def listening_host() -> str:
    """Where Prefect's server is to listen: on loopback, unless the environment says everywhere, and with a password then.

    Raises:
        ConfigError: the environment says something else, or sets no password.
    """
    host = os.environ.get(HOST, LOOPBACK)
    if host not in (LOOPBACK, EVERYWHERE):
        raise ConfigError(f"{HOST} is '{host}'.", f"It takes {LOOPBACK} (the default) or {EVERYWHERE}: docs/operations.md.")
    name, _, password = os.environ.get(SERVER_SECRET, "").partition(":")
    if host == EVERYWHERE and not (name and password):
        raise ConfigError(
            f"{HOST}={EVERYWHERE} would let everybody in your network run programs here.",
            f"Set a name and a password first, {SERVER_SECRET}=NAME:PASSWORD, or use a tunnel: docs/operations.md.",
        )
    return host


def prefect_server(workspace: Workspace) -> Service:
    """Prefect's server with its UI; SQLite below the project's private folder."""
    home = workspace.private / "prefect"

    def argv(ports: Ports) -> list[str]:
        return [sys.executable, "-m", "prefect", "server", "start", "--host", listening_host(), "--port", str(ports["Prefect"])]

    environment = {
        "PREFECT_HOME": str(home),
        # Relative, or the page asks port 4200 whatever the server's own is.
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "DO_NOT_TRACK": "1",
    }
    return Service(workspace, "prefect", argv, preferred({"Prefect": 4200}), _is_healthy, home, environment, start_deadline_s=240.0)


def client_environment(workspace: Workspace, server: Running) -> Mapping[str, str]:
    """What a flow's process must have in its environment, before Prefect is imported, to use that server."""
    return {
        "PREFECT_API_URL": f"{server.address}/api",
        "PREFECT_HOME": str(workspace.private / "prefect"),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "DO_NOT_TRACK": "1",
        **({CLIENT_SECRET: secret} if (secret := client_secret()) else {}),
    }


def _is_healthy(running: Running) -> bool:
    try:
        with urllib.request.urlopen(f"{running.address}/api/health", timeout=PROBE_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def up(workspace: Workspace) -> None:
    """Start what does not run yet, and make the deployments.

    Raises:
        ServiceError: a service does not start.
        ConfigError: params.yaml or prefect.yaml is wrong.
    """
    schedules = load_params(workspace).schedules
    listening_host()
    _say("object storage", local_store(workspace).up())
    server = prefect_server(workspace).up()
    _say("Prefect", server)
    environment = client_environment(workspace, server)
    workers = worker(workspace, environment)
    if (known := workers.status()) is not None and talks_to(known) != environment["PREFECT_API_URL"]:
        workers.down()  # its server is gone, and this one has another port
    for name in reconcile(workspace, server.address, worker=workers.status() is not None):
        sys.stdout.write(f"the run '{name}' had ended without a word: marked as crashed\n")
    _say("worker", workers.up())
    made = deploy(workspace, schedules, environment, fresh=not server.was_running)
    sys.stdout.write(f"deployments {'made' if made else 'were made already'}; by themselves run: {_planned(schedules)}\n")


def _planned(schedules: Schedules) -> str:
    active = [f"{name} ({line} {schedules.timezone})" for name, line in lines(schedules).items() if line != OFF]
    return ", ".join(active) or "none (schedules in params.yaml)"


def _say(title: str, running: Running) -> None:
    where = "" if title == "worker" else f": {running.address}"
    sys.stdout.write("\n".join([*running.notes, f"{title} {'was already running' if running.was_running else 'started'}{where}"]) + "\n")


def down(workspace: Workspace) -> None:
    """Stop all of them; the worker first, so that its runs end while the server still listens."""
    for title, service in reversed(_services(workspace).items()):
        sys.stdout.write(f"{title} {'stopped' if service.down() else 'was not running'}\n")


def status(workspace: Workspace) -> None:
    """Say what runs, what flow runs there are, and which boards are held."""
    for title, service in _services(workspace).items():
        running = service.status()
        said = f"runs since {running.started_utc}: {running.address}" if running else "does not run"
        sys.stdout.write(f"{title:<15} {said}\n")
    server = prefect_server(workspace).status()
    for line in unfinished_runs(server.address) if server else []:
        sys.stdout.write(line + "\n")
    sys.stdout.write("boards\n" + indent(render(states(load_lab(workspace), workspace.root)), "  ") + "\n")


def _services(workspace: Workspace) -> dict[str, Service]:
    return {"object storage": local_store(workspace), "Prefect": prefect_server(workspace), "worker": worker(workspace, {})}


def main(action: str) -> int:
    """Do it to the project of the current folder; returns the exit code."""
    with disk_explained():
        {"up": up, "down": down, "status": status}[action](find_workspace())
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1]))
    except EdgeloopError as error:
        sys.stderr.write(f"edgeloop: {error}\n")
        raise SystemExit(1) from None
