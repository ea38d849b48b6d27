"""A stage that a worker has taken: done in a thread of its own, while another one shows that the worker is alive."""

import datetime as dt
import os
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from edgeloop.errors import EdgeloopError, ServiceError, ServiceSilent
from edgeloop.workspace import Workspace
from flows.api import Server
from flows.commands import Ended, Say, veiled
from flows.pools.job import do
from flows.pools.order import BEAT_S, Result, read_order

LOOKS_A_BEAT = 2
LOOK_S = BEAT_S / LOOKS_A_BEAT
"""Whether it is cancelled is looked for more often than signs are given: the stage then ends within 10 s."""
REPORT_S = 3600.0
REPORT_AGAIN_S = 2.0
MOST_LINES = 5000
INFO = 20


class Running(threading.Thread):
    """Does one flow run, and reports what became of it."""

    def __init__(self, workspace: Workspace, server: Server, worker: str, run: dict[str, Any], say: Say) -> None:
        super().__init__(name=str(run["name"]), daemon=True)
        self._workspace, self._server, self._worker, self._run, self._say = workspace, server, worker, run, say
        self._over = threading.Event()
        self._halt = threading.Event()
        self._given_back = ""
        self._cancelled = False
        self._lines: list[dict[str, Any]] = []

    def end(self, why: str) -> None:
        """End the stage and give it back, so that another worker takes it."""
        self._given_back = why
        self._halt.set()

    def run(self) -> None:
        """Do it; whatever happens is reported to the server."""
        beat = threading.Thread(target=self._beat, name="beat", daemon=True)
        beat.start()
        try:
            if self._report("RUNNING", f"on {self._worker}"):
                self._work()
        finally:
            self._over.set()
            beat.join(BEAT_S)
            self._flush()

    def _work(self) -> None:
        begun = time.monotonic()
        try:
            result = do(self._workspace, self._worker, read_order(self._run["parameters"]), self._tell, self._halt.is_set)
        except Ended:
            self._say(f"{self.name}: {self._given_back or 'cancelled'}")
            if self._given_back:
                self._report("CRASHED", self._given_back)
            elif self._cancelled:
                self._report("CANCELLED", f"ended on {self._worker}")
            return
        except EdgeloopError as error:
            result = Result(worker=self._worker, what=str(error), may_pass=error.may_pass)
        except OSError as error:
            result = Result(worker=self._worker, what=f"The worker's host fails: {error}")
        said = result.outcome or f"failed: {result.what}"
        self._say(f"{self.name}: {said} ({time.monotonic() - begun:.0f} s)")
        self._flush()
        self._report("COMPLETED" if result.outcome else "FAILED", said, result)

    def _report(self, state: str, message: str, result: Result | None = None) -> bool:
        """Set the run's state, waiting for the server where it is away; returns whether it took that."""
        data = result.model_dump() if result else None
        body = {"state": {"type": state, "message": message, "data": data}, "force": state in ("CRASHED", "CANCELLED")}
        deadline = time.monotonic() + REPORT_S
        while time.monotonic() < deadline:
            try:
                return bool(self._server.post(f"/flow_runs/{self._run['id']}/set_state", body)["status"] == "ACCEPT")
            except ServiceSilent:
                if self._given_back:
                    return False
                time.sleep(REPORT_AGAIN_S)
            except ServiceError as error:
                self._say(f"{self.name}: {error}")
                return False
        return False

    def _beat(self) -> None:
        """Count up, which the flow watches, and look whether the stage is still wanted; tell its lines meanwhile."""
        looks = 0
        while not self._over.wait(LOOK_S if looks else 0.01):
            self._flush()
            looks += 1
            with suppress(ServiceError):
                if looks % LOOKS_A_BEAT == 1:
                    alive = f"{socket.gethostname()}:{os.getpid()}#{looks}"
                    self._server.ask("PATCH", f"/flow_runs/{self._run['id']}", {"infrastructure_pid": alive})
                state = self._server.get(f"/flow_runs/{self._run['id']}")["state_type"]
                if state not in ("PENDING", "RUNNING"):
                    self._cancelled = state == "CANCELLING"
                    self._halt.set()

    def _tell(self, line: str) -> None:
        now = dt.datetime.now(dt.UTC).isoformat()
        entry = {"name": "edgeloop.worker", "level": INFO, "message": veiled(line), "timestamp": now, "flow_run_id": self._run["id"]}
        if len(self._lines) < MOST_LINES:
            self._lines.append(entry)

    def _flush(self) -> None:
        sent, self._lines = self._lines, []
        if sent:
            try:
                self._server.post("/logs/", sent)
            except ServiceSilent:
                self._lines = sent + self._lines
            except ServiceError as error:
                self._say(f"{self.name}: its log is lost: {error}")
