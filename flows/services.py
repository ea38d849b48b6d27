"""The services of a project: object storage, Prefect's server and a worker, all on this machine only."""

from textwrap import indent

from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.state import render, states
from edgeloop.config import OFF, Schedules, load_params
from edgeloop.console import say
from edgeloop.services import Running, Service
from edgeloop.store.local import local_store
from edgeloop.workspace import Workspace
from flows.api import Server
from flows.deployments import deploy, lines, talks_to, worker
from flows.runs import reconcile, unfinished_runs
from flows.server import client_environment, database_of, listening_host, prefect_server, start_prefect


def up(workspace: Workspace) -> None:
    """Start what does not run yet, and make the deployments.

    Raises:
        ServiceError: a service does not start.
        ConfigError: params.yaml or prefect.yaml is wrong.
    """
    schedules = load_params(workspace).schedules
    listening_host()
    server = start_prefect(workspace)  # first, because it takes the database's address out of the environment
    _say("Prefect", server)
    say(f"  its data: {database_of(workspace)}")
    _say("object storage", local_store(workspace).up())
    environment = client_environment(workspace, server)
    workers = worker(workspace, environment)
    if (known := workers.status()) is not None and talks_to(known) != environment["PREFECT_API_URL"]:
        workers.down()  # its server is gone, and this one has another port
    for name in reconcile(workspace, Server(environment["PREFECT_API_URL"]), worker=workers.status() is not None):
        say(f"the run '{name}' had ended without a word: marked as crashed")
    _say("worker", workers.up())
    made = deploy(workspace, schedules, environment, fresh=not server.was_running)
    say(f"deployments {'made' if made else 'were made already'}; by themselves run: {_planned(schedules)}")


def _planned(schedules: Schedules) -> str:
    active = [f"{name} ({line} {schedules.timezone})" for name, line in lines(schedules).items() if line != OFF]
    return ", ".join(active) or "none (schedules in params.yaml)"


def _say(title: str, running: Running) -> None:
    where = "" if title == "worker" else f": {running.address}"
    say("\n".join([*running.notes, f"{title} {'was already running' if running.was_running else 'started'}{where}"]))


def down(workspace: Workspace) -> None:
    """Stop all of them; the worker first, so that its runs end while the server still listens."""
    for title, service in reversed(_services(workspace).items()):
        say(f"{title} {'stopped' if service.down() else 'was not running'}")


def status(workspace: Workspace) -> None:
    """Say what runs, what flow runs there are, and which boards are held."""
    for title, service in _services(workspace).items():
        running = service.status()
        said = f"runs since {running.started_utc}: {running.address}" if running else "does not run"
        say(f"{title:<15} {said}")
    server = prefect_server(workspace).status()
    for line in unfinished_runs(Server(f"{server.address}/api")) if server else []:
        say(line)
    say("boards\n" + indent(render(states(load_lab(workspace), workspace.root)), "  "))


def _services(workspace: Workspace) -> dict[str, Service]:
    return {"object storage": local_store(workspace), "Prefect": prefect_server(workspace), "worker": worker(workspace, {})}
