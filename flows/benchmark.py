"""The flow `benchmark`: measure variants on boards anew, whether or not anything changed; nightly, or when one wants to know."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from edgeloop.config import ALL, Params, load_params
from edgeloop.cpus import usable_cpus
from edgeloop.errors import InputError, StageError
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match
from flows.cancel import Cancellable
from flows.choice import scheduled_name, some_built
from flows.commits import committed, message
from flows.execute import Row, carry_out
from flows.pipeline import read_plan
from flows.runs import marked_alive
from flows.watch import alert

ADD = "See `boards` of its rows under `variants`."
MOST_NAMED = 3
"""In the name of a run."""


def _run_name() -> str:
    """The boards and variants, where not all are measured."""
    if flow_run.parameters["scheduled"]:
        return scheduled_name(str(flow_run.parameters["root"]), "benchmark")
    names = [*(flow_run.parameters["boards"] or ()), *(flow_run.parameters["variants"] or ())]
    return ", ".join(str(name) for name in names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "") or "all benchmarks"


@flow(name="benchmark", flow_run_name=_run_name, persist_result=False)
def benchmark(
    root: str, boards: list[str] | None = None, variants: list[str] | None = None, slots: int | None = None, scheduled: bool = False
) -> list[Row] | State[str]:
    """Run the benchmarks of `boards` x `variants` (words as in `build`; default: all that is built) by force, and first what they need.

    `scheduled`: nobody watches; the words are by default those of `schedules`, and what was measured is committed.
    What got slower than it was accepted is an alert (docs/gates.md).

    Raises:
        InputError: no variant that is built is measured on that board, or a word chooses none; or git cannot commit here.
        StageError: a stage failed; a board that is not there stops its own benchmarks only.
    """
    workspace = Workspace(Path(root))
    params = load_params(workspace)
    words = variants or (params.schedules.benchmark.variants if scheduled else [ALL])
    measured = matching(params, boards, words)
    wanted = frozenset(f"benchmark@{name}" for name in measured)
    kept = committed(workspace, message("Benchmarks: a scheduled run", words)) if scheduled else nullcontext()
    with marked_alive(workspace, str(flow_run.id)), Cancellable() as cancelled, kept:
        try:
            rows = carry_out(root, read_plan(Path(root), sorted(wanted)), slots or usable_cpus(), forced=wanted)
        except StageError:  # of the boards that were there while another one failed
            alert(workspace, params, measured)
            raise
        alert(workspace, params, measured)  # before the commit: the last one holds the former records
        return rows
    return cancelled.state


def matching(params: Params, boards: Sequence[str] | None, words: Sequence[str]) -> list[str]:
    """Names of the benchmarks on one of the boards and of one of the built variants that the words choose.

    Raises:
        InputError: a board or a word has none, or all of them together.
    """
    chosen = some_built(params, words)
    known = {board for name in params.built for board in params.variants[name].boards}
    for board in boards or ():
        if board not in known:
            raise InputError(f"params.yaml measures nothing that is built on the board '{board}'{near_match(board, known)}.", ADD)
    found = [name for name, one in params.benchmarks.items() if one.variant in chosen and (not boards or one.board in boards)]
    if not found:
        raise InputError(f"None of these variants is measured on {' or '.join(boards or ())}.", ADD)
    return found
