"""The flow `benchmark`: measure variants on boards anew, whether or not anything changed; nightly, or when one wants to know."""

import os
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from edgeloop.config import Params, load_params
from edgeloop.errors import InputError
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match
from flows.cancel import Cancellable
from flows.execute import Row, carry_out
from flows.pipeline import read_plan
from flows.runs import marked_alive

MOST_NAMED = 3
"""In the name of a run."""


def _run_name() -> str:
    """The boards and variants, where not all are measured."""
    names = [*(flow_run.parameters["boards"] or ()), *(flow_run.parameters["variants"] or ())]
    return ", ".join(str(name) for name in names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "") or "all benchmarks"


@flow(name="benchmark", flow_run_name=_run_name, persist_result=False)
def benchmark(
    root: str, boards: list[str] | None = None, variants: list[str] | None = None, slots: int | None = None
) -> list[Row] | State[str]:
    """Run the declared benchmarks of `boards` x `variants` (default: all) by force, and first what they need.

    Raises:
        InputError: params.yaml declares no benchmark of that board or variant.
        StageError: a stage failed; a board that is not there stops its own benchmarks only.
    """
    workspace = Workspace(Path(root))
    wanted = frozenset(f"benchmark@{name}" for name in matching(load_params(workspace), boards, variants))
    with marked_alive(workspace, str(flow_run.id)), Cancellable() as cancelled:
        return carry_out(root, read_plan(Path(root), sorted(wanted)), slots or os.cpu_count() or 1, forced=wanted)
    return cancelled.state


def matching(params: Params, boards: list[str] | None, variants: list[str] | None) -> list[str]:
    """Names of the declared benchmarks on one of the boards and of one of the variants.

    Raises:
        InputError: a board or variant has none, or all of them together.
    """
    for what, given, known in (
        ("board", boards, {declared.board for declared in params.benchmarks.values()}),
        ("variant", variants, {declared.variant for declared in params.benchmarks.values()}),
    ):
        for name in given or ():
            if name not in known:
                raise InputError(f"params.yaml declares no benchmark of the {what} '{name}'{near_match(name, known)}.", "See `benchmarks`.")
    found = [
        name
        for name, declared in params.benchmarks.items()
        if (not boards or declared.board in boards) and (not variants or declared.variant in variants)
    ]
    if not found:
        raise InputError("params.yaml declares no benchmark of these variants on these boards.", "Add a line to `benchmarks`.")
    return found
