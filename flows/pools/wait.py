"""Waits for a stage on another machine: who has it, whether its job is alive, and what became of it."""

import os
import time
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType, WorkPool
from prefect.events.filters import EventFilter, EventNameFilter, EventResourceFilter
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Cancelling, Crashed

from edgeloop.errors import ServiceError, StageError, StageMayPass
from flows.commands import Ended, IsCancelled, Say
from flows.pools.deployment import PROCESS
from flows.pools.order import WORKER

LEASE_S = float(os.environ.get("EDGELOOP_LEASE_S", "90"))
"""A job without a heartbeat of Prefect (one in 30 s) for so long is taken for dead, and its stage goes to another worker."""
TAKEN_S = float(os.environ.get("EDGELOOP_TAKEN_S", str(12 * 3600)))
"""So long a stage waits for a worker to take it."""
STARTS_S = {PROCESS: 110.0}
STARTS_ELSEWHERE_S = 1800.0
"""So long a job may take from its worker to its first heartbeat; in other pools an image is fetched, or a machine started."""
HEARTBEAT = "prefect.flow-run.heartbeat"
FIRST_LOOK_S, LATER_LOOK_S, HEART_S, PAUSE_S = 1.0, 5.0, 10.0, 0.25
SERVER_S = 600.0
"""So long the server may be away."""
REMIND_S = 60.0
CANCEL_S = 10.0


class Lost(StageMayPass):
    """Its worker is gone; another one may do it."""


class Waiting:
    """For one flow run. All times are of this machine's clock: workers' clocks don't matter."""

    def __init__(self, client: SyncPrefectClient, run: UUID, pool: WorkPool, say: Say, cancelled: IsCancelled) -> None:
        self._client, self._run, self._pool, self._say, self._cancelled = client, run, pool, say, cancelled
        self._begun = self._answered = self._signed = self._listened = time.monotonic()
        self._sign: UUID | None = None
        self._taken: float | None = None
        self._told = ""
        self._reminded = -REMIND_S
        self._silent = False

    def until_done(self) -> FlowRun:
        """The run, completed or failed.

        Raises:
            Lost: its worker or its job is gone.
            StageMayPass: nobody took it in time, or the server is away for too long.
            StageError: it was cancelled in the UI, or deleted.
            Ended: everything is being ended; the run is then cancelled, and its worker has had time to end the stage.
        """
        while True:
            if self._cancelled():
                self._cancel()
                raise Ended("The stage was ended.")
            try:
                if (run := self._look()) is not None:
                    return run
            except ObjectNotFound:
                raise StageError("Its run was deleted on Prefect's server.", "Run again.") from None
            except httpx.HTTPError as error:
                self._bear_silence(error)
            self._pause()

    def _pause(self) -> None:
        """Until the next look: often at first, later less often; the server serves many."""
        until = time.monotonic() + min(LATER_LOOK_S, max(FIRST_LOOK_S, (time.monotonic() - self._begun) / 10))
        while time.monotonic() < until and not self._cancelled():
            time.sleep(PAUSE_S)

    def _look(self) -> FlowRun | None:
        """Ask once; the run where it has ended."""
        run = self._client.read_flow_run(self._run)
        if self._silent:
            self._say("Prefect's server answers again")
            # Nobody could give a sign of life meanwhile.
            self._signed, self._silent = time.monotonic(), False
        self._answered = time.monotonic()
        state = run.state
        match state.type if state else None:
            case StateType.COMPLETED | StateType.FAILED:
                return run
            case StateType.CRASHED:
                raise Lost(f"on {run.labels.get(WORKER, 'a worker')}: {(state and state.message) or 'its job was lost.'}")
            case StateType.CANCELLED | StateType.CANCELLING:
                raise StageError("Its run on the worker was cancelled in the UI.", "Run again.")
            case StateType.RUNNING:
                self._tell(f"on {run.labels.get(WORKER, 'a worker')} (flow run {run.id})")
                self._hear()
            case StateType.PENDING:
                self._see_it_start(str(run.labels.get(WORKER, "a worker")))
            case _:
                self._wait_for_worker()
        return None

    def _hear(self) -> None:
        """See that its heart beats."""
        if time.monotonic() - self._listened < min(HEART_S, LEASE_S / 3):
            return
        self._listened = time.monotonic()
        wanted = EventFilter(event=EventNameFilter(name=[HEARTBEAT]), resource=EventResourceFilter(id=[f"prefect.flow-run.{self._run}"]))
        last = next(iter(self._client.read_events(wanted, limit=1).events), None)
        if last is not None and last.id != self._sign:
            self._sign, self._signed = last.id, time.monotonic()
        if time.monotonic() - self._signed > LEASE_S:
            never = "" if self._sign else " Nor has it given a first one: do websockets reach Prefect's server?"
            self._lose(f"Its job has given no sign of life for {LEASE_S:.0f} s.{never}")

    def _see_it_start(self, worker: str) -> None:
        self._tell(f"starts on {worker}")
        self._taken = self._taken or time.monotonic()
        self._signed = time.monotonic()
        if time.monotonic() - self._taken > (limit_s := STARTS_S.get(self._pool.type, STARTS_ELSEWHERE_S)):
            self._lose(f"Its job did not start on {worker} within {limit_s:.0f} s.")

    def _lose(self, why: str) -> None:
        self._set(Crashed(message=why))
        raise Lost(why)

    def _wait_for_worker(self) -> None:
        waited = time.monotonic() - self._begun
        if waited > TAKEN_S:
            self._cancel()
            raise StageMayPass(f"No worker of the pool '{self._pool.name}' took it within {TAKEN_S:.0f} s.", f"{_START} {self._pool.name}")
        if waited - self._reminded >= REMIND_S:
            self._reminded = waited
            online = sum(worker.status == "ONLINE" for worker in self._client.read_workers_for_work_pool(self._pool.name))
            missing = "" if online else f"; start one on its host: {_START} {self._pool.name}"
            self._say(f"waits for a worker of the pool '{self._pool.name}' ({online} online{missing})")

    def _tell(self, line: str) -> None:
        if line != self._told:
            self._told = line
            self._say(line)

    def _bear_silence(self, error: httpx.HTTPError) -> None:
        if isinstance(error, httpx.HTTPStatusError) and error.response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ServiceError(f"Prefect's server refuses to say how it goes on: {error}", "Is its version the locked one?") from error
        if not self._silent:
            self._say("Prefect's server does not answer: waiting for it")
        self._silent = True
        if time.monotonic() - self._answered > SERVER_S:
            raise StageMayPass(f"Prefect's server was away for {SERVER_S:.0f} s.", "Start it, then run again.")

    def _cancel(self) -> None:
        """Cancel the run, and give its worker the time to end the stage."""
        deadline = time.monotonic() + CANCEL_S
        with suppress(httpx.HTTPError, ObjectNotFound):
            state = self._client.read_flow_run(self._run).state
            if state is not None and state.is_final():
                return
            is_begun = state is not None and state.type in (StateType.PENDING, StateType.RUNNING)
            self._set((Cancelling if is_begun else Cancelled)(message="the flow that sent it was ended"))
            while is_begun and time.monotonic() < deadline:
                state = self._client.read_flow_run(self._run).state
                if state is None or state.is_final():
                    return
                time.sleep(FIRST_LOOK_S / 2)

    def _set(self, state: State[None]) -> None:
        self._client.set_flow_run_state(self._run, state, force=True)


_START = "edgeloop worker --pool"
