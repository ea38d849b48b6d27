"""Prefect's server: where it listens, where it keeps its data, and how flows reach it."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

from edgeloop.errors import ConfigError, ServiceError
from edgeloop.files import write_text
from edgeloop.services import Ports, Running, Service
from edgeloop.services.ports import LOOPBACK, preferred
from edgeloop.workspace import Workspace
from flows.api import CLIENT_SECRET, SERVER_SECRET, client_secret
from flows.database import Database, check, take_database

PROBE_S = 3.0
SQLITE = "SQLite, below .edgeloop"
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


def prefect_server(workspace: Workspace, database: Database | None = None) -> Service:
    """Prefect's server with its UI; its data are in that database, or in SQLite below the project's private folder."""
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
    if database is not None:
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database.address
    return Service(workspace, "prefect", argv, preferred({"Prefect": 4200}), _is_healthy, home, environment, start_deadline_s=240.0)


def start_prefect(workspace: Workspace) -> Running:
    """Start Prefect's server where it does not run, with the database that the environment names.

    Raises:
        ServiceError: it does not start, its database cannot be used, or it runs already with another one.
        ConfigError: the environment names no PostgreSQL database.
    """
    database = take_database()
    service = prefect_server(workspace, database)
    running = service.status()
    if database is not None and running is None:
        check(database)
    running = service.up()
    kept = workspace.private / "services" / "database"
    shown = database.shown if database is not None else SQLITE
    if not running.was_running:
        write_text(kept, shown)
    elif database is not None and database_of(workspace) != shown:
        raise ServiceError(
            f"Prefect's server runs already, with {database_of(workspace)}, not {shown}.", "edgeloop down, then edgeloop up."
        )
    return running


def database_of(workspace: Workspace) -> str:
    """Where the running server keeps its data, in words."""
    kept = workspace.private / "services" / "database"
    return kept.read_text(encoding="utf-8") if kept.exists() else SQLITE


def client_environment(workspace: Workspace, server: Running) -> Mapping[str, str]:
    """What a flow's process must have in its environment, before Prefect is imported, to use that server."""
    return {
        "PREFECT_API_URL": f"{server.address}/api",
        "PREFECT_HOME": str(workspace.private / "prefect"),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        # Half a minute for each question, enough for a server that is started again; with more a run whose server is gone hangs on.
        "PREFECT_CLIENT_MAX_RETRIES": "4",
        "DO_NOT_TRACK": "1",
        **({CLIENT_SECRET: secret} if (secret := client_secret()) else {}),
    }


def _is_healthy(running: Running) -> bool:
    try:
        with urllib.request.urlopen(f"{running.address}/api/health", timeout=PROBE_S) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
