"""A run that is cancelled in Prefect's UI, or by Ctrl-C: its stages end, and the UI shows it as cancelled.

Prefect itself ends a cancelled run only where a worker started it, and shows one that Ctrl-C ended as crashed.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.logging import get_run_logger
from prefect.states import Cancelled

from flows.show.telling import telling
from flows.supervisor import end_all

LOOK_EVERY_S = 2.0
CANCELLING = (StateType.CANCELLING, StateType.CANCELLED)
IN_UI = "Cancelled in the UI; the stages that ran were ended. A new run goes on where this one stopped."
BY_HAND = "Ended by Ctrl-C, and its stages with it. A new run goes on where this one stopped."


@contextmanager
def cancellable(run: UUID) -> Iterator[None]:
    """While this lasts, cancelling the flow run in the UI ends the stages' commands and interrupts the flow as Ctrl-C does."""
    ended, cancelled = threading.Event(), threading.Event()
    arguments = (run, ended, cancelled)
    thread = threading.Thread(target=copy_context().run, args=(_look, *arguments), name=f"cancel {run}", daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        end_all()
        _say_so(run, IN_UI if cancelled.is_set() else BY_HAND)
        raise
    finally:
        ended.set()


def _look(run: UUID, ended: threading.Event, cancelled: threading.Event) -> None:
    """Ask the server now and then; it may be away for a while."""
    while not ended.wait(LOOK_EVERY_S):
        with telling("whether this run is cancelled"), get_client(sync_client=True) as client:
            state = client.read_flow_run(run).state
            if state is not None and state.type in CANCELLING and not ended.is_set():
                cancelled.set()
                get_run_logger().warning("cancelled in the UI: ending the stages that run")
                end_all()
                _interrupt()
                return


def _interrupt() -> None:
    """As Ctrl-C does; it wakes the flow's thread, which is the main one, from whatever it waits for."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)


def _say_so(run: UUID, why: str) -> None:
    """Before Prefect marks it as crashed, which an ended run is not any more."""
    with telling("that this run was cancelled"), get_client(sync_client=True) as client:
        client.set_flow_run_state(run, Cancelled(message=why), force=True)
