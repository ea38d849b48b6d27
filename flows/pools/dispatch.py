"""Sends a stage to a pool of workers, waits for its result whatever happens to them, and takes it over into this workspace."""

import hashlib
import json
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment

from edgeloop import __version__
from edgeloop.errors import StageError, StageMayPass
from edgeloop.events import Caution, Notice
from flows.commands import Hear, IsCancelled, Say, environment
from flows.pools.clone import origin
from flows.pools.deployment import ensure_deployment
from flows.pools.lock_entries import entries
from flows.pools.order import FLOW, MAY_PASS, OUTCOME, RUN_CACHE, WARNINGS, WORKER, Dispatch, Order
from flows.pools.revision import commit_of
from flows.pools.wait import Lost, Waiting
from flows.stage import OUTCOMES, Outcome
from flows.transfer import TAKE, transfer

TRIES = 3
"""How many workers may lose a stage before it counts as failed."""


def send(root: Path, address: str, force: bool, there: Dispatch, hear: Hear, cancelled: IsCancelled) -> Outcome:
    """Have the stage done by a worker of the pool; returns its outcome, and dvc.lock is then as if it had been done here.

    `hear` is told who has it, and the stage's warnings.

    Raises:
        InputError: the workspace holds changes that are not committed.
        StageMayPass: the store, the server or several workers were away; or the stage says that it may pass.
        StageError: the stage failed.
        Ended: everything is being ended; the worker was told.
    """

    def say(line: str) -> None:
        hear(Notice(line))

    order = Order(
        address=address,
        commit=commit_of(root, environment(), say, cancelled),
        edgeloop=__version__,
        force=force,
        upstream=list(there.upstream),
        lock=entries(root, [*there.upstream, address]),
    )
    if there.upstream:
        transfer(["push", *there.upstream], root, environment(), say, cancelled)
    lost: list[str] = []
    with get_client(sync_client=True) as client:
        pool = ensure_deployment(client, there.pool, origin(root, environment()))
        while len(lost) < TRIES:
            try:
                run = _found_or_made(client, there.pool, order, lost)
                ran = Waiting(client, run, pool, say, cancelled).until_done()
            except Lost as error:
                lost.append(str(error.what))
                say(f"{error.what} Try {len(lost)} of {TRIES}.")
                continue
            outcome = _taken_over(root, address, ran, say, cancelled)
            for text in json.loads(str(ran.labels.get(WARNINGS, "[]"))):
                hear(Caution(text))
            return outcome
    raise StageError(f"{address} was lost {TRIES} times:\n" + "\n".join(f"    {why}" for why in lost), "Look at the workers of the pool.")


def _found_or_made(client: SyncPrefectClient, pool: str, order: Order, lost: list[str]) -> UUID:
    """The flow run of this very order that another, killed flow has left at work; else a new one, shown below the present task."""
    parameters = {"order": order.model_dump()}
    digest = hashlib.sha256(json.dumps([pool, parameters], sort_keys=True).encode()).hexdigest()[:16]
    known = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[f"order-{digest}"])))
    for run in known:
        if run.state is None or not run.state.is_final():
            return run.id
    made = run_deployment(
        f"{FLOW}/{pool}",
        parameters=parameters,
        timeout=0,
        flow_run_name=order.address if not lost else f"{order.address} (try {len(lost) + 1})",
        tags=[f"order-{digest}"],
        idempotency_key=f"{digest}-{len(known)}",
    )
    assert isinstance(made, FlowRun)  # as it is wherever no event loop runs
    return made.id


def _taken_over(root: Path, address: str, run: FlowRun, say: Say, cancelled: IsCancelled) -> Outcome:
    """Let this workspace have the result that the run left in the run cache. Nothing is run here."""
    assert run.state is not None
    worker, said = run.labels.get(WORKER, "a worker"), run.labels.get(OUTCOME)
    if run.state.type != StateType.COMPLETED:
        kind = StageMayPass if run.state.name == MAY_PASS else StageError
        raise kind(f"on {worker}: {run.state.message or run.state.name}")
    outcome = next((one for one in OUTCOMES if one == said), None)
    if outcome is None:
        raise StageError(f"The run of {address} on {worker} left no result: somebody set its state by hand.", "Run again.")
    transfer([TAKE, address, str(run.labels[RUN_CACHE])], root, environment(), say, cancelled)
    say(f"taken over from {worker}: {outcome}")
    return outcome
