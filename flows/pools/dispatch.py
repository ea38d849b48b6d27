"""Sends a stage to a pool of workers, waits for its result whatever happens to them, and takes it over into this workspace."""

import hashlib
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeloop import __version__
from edgeloop.errors import StageError, StageMayPass
from flows.api import Server
from flows.commands import Say, Watch, environment, ignore, run, veiled
from flows.pools.deployment import ensure_deployment
from flows.pools.lockfile import CHANGED, entries
from flows.pools.order import TRIES, Dispatch, Order, Result
from flows.pools.revision import commit_of
from flows.pools.wait import Lost, Waiting
from flows.stage import Outcome
from flows.transfer import transfer


def send(server: Server, root: Path, address: str, force: bool, there: Dispatch, say: Say, ended: Watch) -> Outcome:
    """Have the stage done by a worker of the pool; returns its outcome, and dvc.lock is then as if it had been done here.

    Raises:
        InputError: the workspace holds changes that are not committed.
        StageMayPass: the store, the server or several workers were away; or the stage says that it may pass.
        StageError: the stage failed.
        Ended: everything is being ended; the worker was told.
    """
    order = Order(
        address=address,
        commit=commit_of(root, environment(), say, ended),
        edgeloop=__version__,
        force=force,
        upstream=list(there.upstream),
        lock=entries(root, [*there.upstream, address]),
    )
    if there.upstream:
        transfer(["push", *there.upstream], root, environment(), say, ended)
    deployment = ensure_deployment(server, there.pool)
    lost: list[str] = []
    while len(lost) < TRIES:
        try:
            result = _result(_found_or_made(server, deployment, order, lost), server, there.pool, say, ended)
        except Lost as error:
            lost.append(str(error.what))
            say(f"{error.what} Try {len(lost)} of {TRIES}.")
            continue
        if result.outcome is None:
            raise (StageMayPass if result.may_pass else StageError)(f"on {result.worker}: {result.what}")
        _take_over(root, address, result, say, ended)
        return result.outcome
    raise StageError(f"{address} was lost {TRIES} times:\n" + "\n".join(f"    {why}" for why in lost), "Look at the workers of the pool.")


def _result(run_id: str, server: Server, pool: str, say: Say, ended: Watch) -> Result:
    state = Waiting(server, run_id, pool, say, ended).until_done()
    try:
        return Result.model_validate(state["data"])
    except ValidationError:
        return Result(worker="the server", what=f"its run was set to {state['name']}: {state['message']}")


def _found_or_made(server: Server, deployment: str, order: Order, lost: list[str]) -> str:
    """The flow run of this very order that another, killed flow has left at work; else a new one."""
    parameters = order.model_dump()
    tag = "order-" + hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:16]
    wanted = {
        "deployment_id": {"any_": [deployment]},
        "tags": {"all_": [tag]},
        "state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING"]}},
    }
    for found in server.post("/flow_runs/filter", {"flow_runs": wanted}):
        return str(found["id"])
    name = order.address if not lost else f"{order.address} (try {len(lost) + 1})"
    body: Mapping[str, Any] = {"name": name, "parameters": parameters, "tags": [tag], "state": {"type": "SCHEDULED"}}
    return str(server.post(f"/deployments/{deployment}/create_flow_run", body)["id"])


def _take_over(root: Path, address: str, result: Result, say: Say, ended: Watch) -> None:
    """The entry into dvc.lock, the outputs out of the store. Nothing is run here."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(result.entry, file)
        file.flush()
        done = run([sys.executable, "-m", "flows.pools.lockfile", address, file.name], root, environment(), ignore, ended)
    if done.code == CHANGED:
        raise StageError(f"What {address} depends on was changed here while {result.worker} did it.", "Commit, and run again.")
    if done.code != 0:
        raise StageError(f"The result of {address} cannot be taken over:\n" + "\n".join(f"    {veiled(line)}" for line in done.lines[-6:]))
    transfer(["pull", address], root, environment(), say, ended)
    say(f"taken over from {result.worker}: {result.outcome}")
