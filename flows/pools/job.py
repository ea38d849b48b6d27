"""The flow `stage`: one stage on a worker. A clone of the commit, its inputs from the store, the command, its outputs into the store."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, Crashed, Failed

from edgeloop import __version__
from edgeloop.errors import EdgeloopError, InputError
from edgeloop.events import Caution, Event, Notice, Progress
from flows.cancel import Cancellable
from flows.commands import Ended, Say, environment, run, veiled
from flows.pools.clone import clean_clone, source
from flows.pools.lock_entries import write_entries
from flows.pools.order import FLOW, MAY_PASS, OUTCOME, RUN_CACHE, WARNINGS, Order, read_order
from flows.show.progress import ShownProgress
from flows.stage import Outcome, entry_of, outcome_of, stage_command
from flows.supervisor import begin, is_ending
from flows.transfer import transfer

ENDS_S = 10.0
LOOK_EVERY_S = 5.0
"""Whether the run is cancelled: its worker looks as well, as long as it lives."""


@flow(name=FLOW, persist_result=False)
def stage(order: dict[str, Any]) -> State[str]:
    """Do the stage of the order; the run's labels say what became of it, and where DVC's run cache has the result."""
    begin()
    with Cancellable(Crashed(message="Its worker was ended."), LOOK_EVERY_S) as cancelled:
        try:
            outcome, entry, warnings = _done(read_order(order))
            with get_client(sync_client=True) as client:
                client.update_flow_run_labels(flow_run.id, {OUTCOME: outcome, RUN_CACHE: entry, WARNINGS: json.dumps(warnings)})
            return Completed(message=outcome)
        except Ended:
            time.sleep(ENDS_S)  # whoever ended it interrupts this thread as well
            return cancelled.state
        except EdgeloopError as error:
            return Failed(message=veiled(str(error)), name=MAY_PASS if error.may_pass else "Failed")
        except OSError as error:
            return Failed(message=f"The worker's host fails: {veiled(str(error))}")
        except httpx.HTTPError as error:
            return Failed(message=f"Prefect's server does not take the result: {error}", name=MAY_PASS)
    return cancelled.state


def _done(order: Order) -> tuple[Outcome, str, list[str]]:
    """What became of it, the entry of the run cache, and the stage's warnings.

    Raises:
        Ended: it was ended in the middle.
        EdgeloopError: it failed.
    """
    if order.edgeloop != __version__:
        raise InputError(f"This worker has edgeloop {__version__}, the flow {order.edgeloop}.", "Update the worker, and start it again.")
    outer, say = environment(), get_run_logger().info
    with clean_clone(source(os.environ), order.commit, outer, say, is_ending) as folder:
        return _done_in(folder, order, outer | {"PYTHONPATH": _path(folder)}, say)


def _done_in(folder: Path, order: Order, env: Mapping[str, str], say: Say) -> tuple[Outcome, str, list[str]]:
    bar, warnings = ShownProgress(order.address), list[str]()

    def hear(event: Event) -> None:
        if isinstance(event, Progress | Notice):
            say(event.text)
        if isinstance(event, Caution):
            get_run_logger().warning(event.text)
            warnings.append(event.text)
        if isinstance(event, Progress):
            bar.show(event)

    write_entries(folder, order.lock)
    if order.upstream:
        say(f"pulling what {order.address} needs: {', '.join(order.upstream)}")
        transfer(["pull", *order.upstream], folder, env, say, is_ending)
    # A stage that another worker finished, but could not report, is not done twice: its result comes out of the run cache.
    done = run(stage_command(order.address, force=order.force, pull=True), folder, env, say, is_ending, hear)
    outcome, entry = outcome_of(done, order.address), entry_of(done, order.address)
    say("pushing what it made, and the run cache")
    transfer(["push", "--run-cache", order.address], folder, env, say, is_ending)
    return outcome, entry, warnings


def _path(folder: Path) -> str:
    """The commit's own code is what runs, not that of the worker's checkout."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
