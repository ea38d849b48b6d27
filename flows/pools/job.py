"""One stage on a worker: a clean clone of the commit, its inputs from the store, the command, and its outputs into the store."""

import os
from collections.abc import Mapping
from pathlib import Path

from edgeloop import __version__
from edgeloop.errors import EdgeloopError, InputError
from edgeloop.events import Event, Notice, Progress
from edgeloop.workspace import Workspace
from flows.commands import Say, Watch, environment, run, veiled
from flows.pools.clone import clean_clone
from flows.pools.lockfile import entries, write_part
from flows.pools.order import Order, Result
from flows.stage import outcome_of, stage_command
from flows.transfer import transfer


def do(workspace: Workspace, worker: str, order: Order, say: Say, ended: Watch) -> Result:
    """Do the stage; a failure is a result, too.

    Raises:
        Ended: it was ended in the middle.
    """
    try:
        if order.edgeloop != __version__:
            raise InputError(
                f"This worker has edgeloop {__version__}, the flow {order.edgeloop}.", "Update the worker, and start it again."
            )
        outer = environment()
        with clean_clone(workspace, order.commit, outer, say, ended) as folder:
            return _done(folder, worker, order, outer | {"PYTHONPATH": _path(folder)}, say, ended)
    except EdgeloopError as error:
        if ended():
            raise
        return Result(worker=worker, what=veiled(str(error)), may_pass=error.may_pass)


def _done(folder: Path, worker: str, order: Order, env: Mapping[str, str], say: Say, ended: Watch) -> Result:
    write_part(folder, order.lock)
    if order.upstream:
        say(f"pulling what {order.address} needs: {', '.join(order.upstream)}")
        transfer(["pull", *order.upstream], folder, env, say, ended)
    # A stage that another worker finished, but could not report, is not done twice: its result comes out of the run cache.
    done = run(stage_command(order.address, force=order.force, pull=True), folder, env, say, ended, lambda event: _said(event, say))
    outcome = outcome_of(done, order.address)
    say("pushing what it made, and the run cache")
    transfer(["push", "--run-cache", order.address], folder, env, say, ended)
    entry = entries(folder, [order.address]).get(order.address)
    if not isinstance(entry, dict):
        raise InputError(f"DVC left no entry of {order.address} in dvc.lock.", "Its version may be another than the locked one.")
    return Result(worker=worker, outcome=outcome, entry=entry)


def _said(event: Event, say: Say) -> None:
    if isinstance(event, Progress | Notice):
        say(event.text)


def _path(folder: Path) -> str:
    """The commit's own code is what runs, not that of the worker's checkout."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
