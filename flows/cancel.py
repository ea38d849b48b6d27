"""A run that is cancelled in Prefect's UI, or by Ctrl-C: its stages end, and the UI shows it as cancelled.

Prefect itself ends a cancelled run only where a worker started it, and shows one that Ctrl-C ended as crashed.
"""

import logging
import signal
import threading
from contextvars import copy_context
from types import TracebackType
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from edgeloop.errors import EdgeloopError
from flows.engine import has_begun
from flows.show.best_effort import best_effort
from flows.supervisor import end_all

LOOK_EVERY_S = 2.0
OVER = (StateType.CANCELLING, StateType.CANCELLED, StateType.CRASHED)
"""Cancelled, or taken for dead: another one does it now."""
IN_UI = "Cancelled in the UI, and its stages ended. A new run goes on where this one stopped."
BY_HAND = "Ended by Ctrl-C, and its stages with it. A new run goes on where this one stopped."
BY_CALLER = "Ended with the run that called it, and its stages, too. A new run goes on where this one stopped."


class Cancellable:
    """While this context lasts, cancelling the flow run in the UI ends its stages and interrupts the flow as Ctrl-C does.

    The context swallows that interruption; the flow then returns `state`, its final one. Prefect makes an exception of that
    for a flow that called it, whose own context takes it for the same.
    """

    def __init__(self, by_hand: State[str] | None = None, look_every_s: float = LOOK_EVERY_S) -> None:
        """`by_hand`: the state where a signal ends this process, and nobody has cancelled the run."""
        self._look_every_s = look_every_s
        self._ended = threading.Event()
        self._run = _present_run()
        # A run of a deployment has a process of its own, whoever called it.
        self._called = self._run is not None and self._run.parent_task_run_id is not None and self._run.deployment_id is None
        self.state: State[str] = by_hand or Cancelled(message=BY_CALLER if self._called else BY_HAND, data="cancelled")

    def __enter__(self) -> "Cancellable":
        has_begun()
        logging.getLogger("prefect.flow_runs").addFilter(without_traceback)
        if self._run is not None and not self._called:
            look = threading.Thread(target=copy_context().run, args=(self._look, self._run.id), name="cancel", daemon=True)
            look.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self._ended.set()
        if not isinstance(error, KeyboardInterrupt | CancelledRun):
            return False
        end_all()
        return self._run is not None

    def _look(self, run: UUID) -> None:
        """Ask the server now and then; it may be away for a while."""
        with get_client(sync_client=True) as client:
            while not self._ended.wait(self._look_every_s):
                with best_effort("whether this run is cancelled"):
                    state = client.read_flow_run(run).state
                    if state is not None and state.type in OVER and not self._ended.is_set():
                        self._cancel()
                        return

    def _cancel(self) -> None:
        """End the stages, and wake the flow's thread, which is the main one, from whatever it waits for."""
        self.state = Cancelled(message=IN_UI, data="cancelled")
        get_run_logger().warning("cancelled in the UI: ending the stages that run")
        end_all()
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGINT)


def without_traceback(record: logging.LogRecord) -> bool:
    """Errors that explain themselves are logged in their words alone; Prefect would add where in the program they were raised."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, EdgeloopError):
        record.msg, record.args, record.exc_info = str(error), (), None
    return True


def _present_run() -> FlowRun | None:
    context = FlowRunContext.get()
    return context.flow_run if context else None
