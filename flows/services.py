"""`python -m flows.services up|down`: the local services, object storage and Prefect's server, both on loopback."""

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

from edgeloop.errors import EdgeloopError
from edgeloop.services import Ports, Running, Service
from edgeloop.services.ports import preferred
from edgeloop.store.local import local_store
from edgeloop.workspace import Workspace, find_workspace

PROBE_S = 3.0


def prefect_server(workspace: Workspace) -> Service:
    """Prefect's server with its UI; SQLite below the project's private folder."""
    home = workspace.private / "prefect"

    def argv(ports: Ports) -> list[str]:
        return [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(ports["Prefect"])]

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
    }


def _is_healthy(running: Running) -> bool:
    try:
        with urllib.request.urlopen(f"{running.address}/api/health", timeout=PROBE_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main(action: str) -> int:
    """Start or stop the services, and say where they are."""
    workspace = find_workspace()
    services = {"object storage": local_store(workspace), "Prefect": prefect_server(workspace)}
    for title, service in services.items():
        if action == "up":
            running = service.up()
            said = [*running.notes, f"{title} {'was already running' if running.was_running else 'started'}: {running.address}"]
        else:
            said = [f"{title} {'stopped' if service.down() else 'was not running'}"]
        sys.stdout.write("\n".join(said) + "\n")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1]))
    except EdgeloopError as error:
        sys.stderr.write(f"edgeloop: {error}\n")
        raise SystemExit(1) from None
