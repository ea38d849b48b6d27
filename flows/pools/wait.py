"""Waits for a dispatched stage: who has it, whether that worker is alive, what it says, and what became of it."""

import time
from contextlib import suppress
from typing import Any

from edgeloop.errors import ServiceError, ServiceSilent, StageError, StageMayPass
from flows.api import Server
from flows.commands import Ended, Say, Watch
from flows.pools.order import BEAT_S, LEASE_S, TAKEN_S

LOOK_S = 1.0
SERVER_S = 600.0
"""So long the server may be away."""
REMIND_S = 60.0
CANCEL_S = 10.0
LINES = 200


class Lost(StageMayPass):
    """Its worker is gone; another one may do it."""


class Waiting:
    """For one flow run. All times are of this machine's clock: workers' clocks don't matter."""

    def __init__(self, server: Server, run: str, pool: str, say: Say, ended: Watch) -> None:
        self._server, self._run, self._pool, self._say, self._ended = server, run, pool, say, ended
        self._told = 0
        self._sign: str | None = ""  # nobody has taken it yet
        self._signed = self._answered = self._begun = time.monotonic()
        self._reminded = -REMIND_S
        self._silent = False

    def until_done(self) -> dict[str, Any]:
        """Its last state.

        Raises:
            Lost: its worker is gone.
            StageMayPass: nobody took it in time, or the server is away for too long.
            StageError: it was cancelled in the UI.
            Ended: everything is being ended; the run is then cancelled, and its worker has had time to end the stage.
        """
        while True:
            if self._ended():
                self._cancel()
                raise Ended("The stage was ended.")
            with suppress(ServiceSilent):
                if (state := self._look()) is not None:
                    return state
                self._pause()
                continue
            self._bear_silence()

    def _pause(self) -> None:
        """Until the next look: often at first, later as often as a worker gives signs; the server serves many."""
        age = time.monotonic() - self._begun
        until = time.monotonic() + min(BEAT_S, max(LOOK_S, age / 10))
        while time.monotonic() < until and not self._ended():
            time.sleep(LOOK_S / 4)

    def _look(self) -> dict[str, Any] | None:
        """Ask once; the state where it is a last one."""
        seen = self._server.get(f"/flow_runs/{self._run}")
        self._tell()
        if self._silent:
            self._say("Prefect's server answers again")
            # Nobody could give a sign of life meanwhile.
            self._signed, self._silent = time.monotonic(), False
        self._answered = time.monotonic()
        state: dict[str, Any] = seen["state"]
        match state["type"]:
            case "COMPLETED" | "FAILED":
                return state
            case "CRASHED":
                raise Lost(state["message"] or "Its worker was lost.")
            case "CANCELLED" | "CANCELLING":
                raise StageError("Its run on the worker was cancelled in the UI.", "Run again.")
            case "PENDING" | "RUNNING":
                self._see_life(seen["infrastructure_pid"], state["message"])
            case _:
                self._wait_for_worker()
        return None

    def _see_life(self, sign: str | None, where: str | None) -> None:
        now = time.monotonic()
        if sign != self._sign:
            if self._sign == "":
                self._say(f"{where or 'taken'} (flow run {self._run})")
            self._sign, self._signed = sign, now
        elif now - self._signed > LEASE_S:
            why = f"The worker ({(self._sign or where or 'unknown').partition('#')[0]}) has given no sign of life for {LEASE_S:.0f} s."
            self._server.post(f"/flow_runs/{self._run}/set_state", {"state": {"type": "CRASHED", "message": why}, "force": True})
            raise Lost(why)

    def _wait_for_worker(self) -> None:
        waited = time.monotonic() - self._begun
        if waited > TAKEN_S:
            self._cancel()
            raise StageMayPass(f"No worker of the pool '{self._pool}' took it within {TAKEN_S:.0f} s.", f"{_START} {self._pool}")
        if waited - self._reminded >= REMIND_S:
            self._reminded = waited
            workers = self._server.post(f"/work_pools/{self._pool}/workers/filter", {})
            online = sum(worker["status"] == "ONLINE" for worker in workers)
            missing = "" if online else f"; start one on its host: {_START} {self._pool}"
            self._say(f"waits for a worker of the pool '{self._pool}' ({online} online{missing})")

    def _bear_silence(self) -> None:
        if not self._silent:
            self._say("Prefect's server does not answer: waiting for it")
        self._silent = True
        if time.monotonic() - self._answered > SERVER_S:
            raise StageMayPass(f"Prefect's server was away for {SERVER_S:.0f} s.", "Start it, then run again.")
        time.sleep(LOOK_S)

    def _tell(self) -> None:
        """What the stage printed since."""
        wanted = {"flow_run_id": {"any_": [self._run]}}
        body = {"logs": wanted, "sort": "TIMESTAMP_ASC", "offset": self._told, "limit": LINES}
        lines = self._server.post("/logs/filter", body)
        self._told += len(lines)
        for line in lines:
            self._say(line["message"])

    def _cancel(self) -> None:
        """Cancel the run, and give its worker the time to end the stage."""
        deadline = time.monotonic() + CANCEL_S
        with suppress(ServiceError):
            state = self._server.get(f"/flow_runs/{self._run}")["state"]["type"]
            to = "CANCELLING" if state in ("PENDING", "RUNNING") else "CANCELLED"
            self._server.post(f"/flow_runs/{self._run}/set_state", {"state": {"type": to, "message": "the flow was ended"}, "force": True})
            while time.monotonic() < deadline:
                if self._server.get(f"/flow_runs/{self._run}")["state"]["type"] != "CANCELLING":
                    return
                time.sleep(LOOK_S / 2)


_START = "edgeloop worker --pool"
