"""What a scheduled run promotes: the variants that pass their gates. Why the others do not is shown."""

import sys
from pathlib import Path

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from edgeloop.config import load_params
from edgeloop.records import DecisionRecord
from edgeloop.workspace import Workspace
from flows.commands import Ended
from flows.show.best_effort import best_effort
from flows.show.gates import gate_rows, gate_words
from flows.stages import RETRY_AFTER_S, may_pass, run_command


@task(
    name="promote",
    task_run_name="promote",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=len(RETRY_AFTER_S),
    retry_delay_seconds=list(RETRY_AFTER_S),
    retry_condition_fn=may_pass,
)
def promote_gated(root: str, variants: list[str]) -> list[str]:
    """Promote those of the variants that pass their gates, and tag them; returns the new champions' variants.

    Raises:
        StageError: the store cannot be used, or git cannot tag; a variant that is refused is no error.
    """
    argv = [sys.executable, "-m", "edgeloop", "promote", "--pass-over", "--tag", *variants]
    try:
        promoted = run_command(root, "promote", argv, f"edgeloop promote {' '.join(variants)}").results
    except Ended:
        return []
    _show(Workspace(Path(root)), variants, promoted)
    return promoted


def _show(workspace: Workspace, variants: list[str], promoted: list[str]) -> None:
    params = load_params(workspace)
    decisions = [DecisionRecord.read(params.variant(name).paths(workspace).decision) for name in variants]
    for decision in decisions:
        for check in decision.against:
            get_run_logger().warning(f"{decision.variant} is not promoted: {check.rule}: {check.said}")
    with best_effort("the gates"):
        create_table_artifact(key="gates", table=gate_rows(decisions), description=gate_words(decisions, promoted))
