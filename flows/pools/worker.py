"""Does the stages that flows send to a pool, until Ctrl-C."""

import datetime as dt
import os
import signal
import sys
import threading
import time
from typing import Any

from edgeloop import __version__
from edgeloop.console import courtesy
from edgeloop.errors import InputError, ServiceError, ServiceSilent
from edgeloop.names import RULE, is_name
from edgeloop.workspace import Workspace
from flows.api import Server
from flows.pools.check import check
from flows.pools.declared import BENCH
from flows.pools.deployment import QUEUE, ensure_pool
from flows.pools.order import BEAT_S, LEASE_S
from flows.pools.running import Running

LOOK_S = BEAT_S
"""Between two questions for work; so long a stage waits at most for an idle worker."""
HEARTBEAT_S = 20
END_S = 9.0


class Worker:
    """Takes stages of one pool while it has free places."""

    def __init__(self, workspace: Workspace, server: Server, pool: str, name: str, limit: int) -> None:
        self.name = name
        self._workspace, self._server, self._pool, self._limit = workspace, server, pool, limit
        self._ending = threading.Event()
        self._jobs: list[Running] = []
        self._heard = 0.0
        self._away = False

    def work(self) -> None:
        """Until `end` is called; then the running stages are ended and given back."""
        while not self._ending.is_set():
            try:
                self._look()
                if self._away:
                    _say("Prefect's server answers again")
                self._away = False
            except ServiceSilent as error:
                if not self._away:
                    _say(f"{error.what} Waiting for it; stages that run go on.")
                self._away = True
            self._ending.wait(LOOK_S)
        self._give_back()

    def end(self) -> None:
        """Called by a signal."""
        self._ending.set()

    def _look(self) -> None:
        if time.monotonic() - self._heard > HEARTBEAT_S or not self._heard:
            body = {"name": self.name, "heartbeat_interval_seconds": HEARTBEAT_S}
            self._server.post(f"/work_pools/{self._pool}/workers/heartbeat", body)
            self._heard = time.monotonic()
        self._jobs = [job for job in self._jobs if job.is_alive()]
        if free := self._limit - len(self._jobs):
            now = dt.datetime.now(dt.UTC).isoformat()
            body = {"work_queue_names": [QUEUE], "scheduled_before": now, "limit": free}
            for found in self._server.post(f"/work_pools/{self._pool}/get_scheduled_flow_runs", body):
                self._take(found["flow_run"])

    def _take(self, run: dict[str, Any]) -> None:
        """Claim the run; the server lets one worker only do that."""
        answer = self._server.post(f"/flow_runs/{run['id']}/set_state", {"state": {"type": "PENDING", "message": f"taken by {self.name}"}})
        if answer["status"] != "ACCEPT":
            return
        _say(f"{run['name']}: taken")
        job = Running(self._workspace, self._server, self.name, run, _say)
        self._jobs.append(job)
        job.start()

    def _give_back(self) -> None:
        for job in self._jobs:
            job.end(f"The worker {self.name} was ended.")
        deadline = time.monotonic() + END_S
        for job in self._jobs:
            job.join(max(0.0, deadline - time.monotonic()))


def serve(workspace: Workspace, pool: str, name: str, limit: int) -> None:
    """Check that everything is there, then work.

    Raises:
        EdgeloopError: something is missing; the message says what.
    """
    if not is_name(pool.removeprefix(BENCH)):
        raise InputError(f"'{pool}' can be no pool: {RULE}.", "Pools are declared in params.yaml (`pools`), labs in lab.yaml (`lab`).")
    server = Server(_address(workspace))
    store = check(workspace, server)
    ensure_pool(server, pool)
    worker = Worker(workspace, server, pool, name, limit)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.end())
    _say(
        f"worker {name}: pool {pool}, {limit} at once, edgeloop {__version__}; server {server.shown}; store {store}; lease {LEASE_S:.0f} s"
    )
    worker.work()
    _say("ended")


def _address(workspace: Workspace) -> str:
    """Of the environment, or the project's own server where it runs.

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


def _say(line: str) -> None:
    courtesy(f"{dt.datetime.now().astimezone():%H:%M:%S} {line}", sys.stdout)
