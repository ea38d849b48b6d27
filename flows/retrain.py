"""The flow `retrain`: from data to model cards, for any subset of the variants. Its graph is read from dvc.yaml."""

from contextlib import nullcontext
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from edgeloop.config import ALL, load_params
from edgeloop.cpus import usable_cpus
from edgeloop.workspace import Workspace
from flows.before import before_a_run
from flows.boards import boards_needed
from flows.cancel import Cancellable
from flows.choice import scheduled_name, some_built
from flows.commits import committed, message
from flows.execute import Row, carry_out
from flows.pipeline import read_plan
from flows.promote import promote_gated
from flows.runs import marked_alive
from flows.schedule import PINNED, UP_TO_DATE
from flows.stages import publish_cards


def _run_name() -> str:
    """The variant, or how many there are."""
    variants = flow_run.parameters["variants"]
    if flow_run.parameters["scheduled"]:
        return scheduled_name(str(flow_run.parameters["root"]), "retrain")
    if not variants:
        return "all variants"
    return str(variants[0]) if len(variants) == 1 else f"{len(variants)} variants"


@flow(name="retrain", flow_run_name=_run_name, persist_result=False)
def retrain(
    root: str, variants: list[str] | None = None, publish: bool = False, slots: int | None = None, scheduled: bool = False
) -> list[Row] | State[str]:
    """Bring the cards of `variants` up to date in the project folder `root`; returns a row for each stage.

    `variants`: words as in `build` of params.yaml (default: all that is built). `scheduled`: nobody watches; the words are by default
    those of `schedules`, what was built is committed, and, with `publish`, what passes its gates becomes champion.

    Stages run at once as far as the boards and `slots` CPU slots allow (default: one a core). A stage that
    fails stops those that need it, and no others.

    Raises:
        InputError: a word chooses nothing that is built; or git cannot commit here.
        StageError: at the end, when a stage failed; the message tells which, and the command that repeats it.
    """
    workspace = Workspace(Path(root))
    with marked_alive(workspace, str(flow_run.id)), Cancellable() as cancelled:
        params = load_params(workspace)
        words = variants or (params.schedules.retrain.variants if scheduled else [ALL])
        chosen = some_built(params, words)
        with committed(workspace, message("Models: a scheduled retraining", words)) if scheduled else nullcontext():
            rows = _retrain(root, chosen, publish, slots or usable_cpus())
        # After the commit: a champion's entry names the revision that holds it.
        if scheduled and publish and (gated := [name for name in chosen if params.gates_of(name) is not None]):
            promote_gated(root, gated)
        return rows
    return cancelled.state


def _retrain(root: str, variants: list[str], publish: bool, slots: int) -> list[Row]:
    workspace = Workspace(Path(root))
    params = load_params(workspace)
    if publish:
        from edgeloop.store.publish import check_target

        check_target(workspace, params)
    plan = read_plan(workspace.root, [f"card@{name}" for name in variants])
    runs = {stage.address for stage in plan if stage.reason}
    for warning in before_a_run(workspace, params, runs):
        get_run_logger().warning(warning)
    for board in boards_needed(workspace, plan, runs):
        if not isinstance(board, str) and board.state == "absent":
            get_run_logger().warning(f"the board {board.name} is absent, its benchmarks will fail: {board.why}")
    rows = carry_out(root, plan, slots)
    if all(row["outcome"] in (UP_TO_DATE, PINNED) for row in rows):
        get_run_logger().info("up to date: nothing had to be built")
    if publish:
        publish_cards(root, variants)
    return rows
