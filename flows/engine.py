"""A flow has to begin in time: where Prefect's server goes away while a run starts, Prefect itself would wait for it for ever.

`python -m flows.engine` is what a worker runs for a flow run: Prefect's engine, with that limit.
"""

import runpy
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from edgeloop.errors import ServiceSilent
from flows.runs import WORKER_BEGINS_S


@contextmanager
def begins_in_time(seconds: float = WORKER_BEGINS_S) -> Iterator[None]:
    """Run a flow inside, in the main thread; the flow calls `has_begun`.

    Raises:
        ServiceSilent: it has not done that in time.
    """

    def late(_number: int, _frame: FrameType | None) -> NoReturn:
        raise ServiceSilent(f"The run could not begin within {seconds:.0f} s.", "Is Prefect's server there? edgeloop up, then run again.")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        has_begun()
        signal.signal(signal.SIGALRM, before)


def has_begun() -> None:
    """The flow's own code runs."""
    signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    with begins_in_time():
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)
