"""The flow `retrain`: from data to model cards, for any subset of the variants. Its graph is read from dvc.yaml."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from edgeloop.errors import EdgeloopError, StageError
from flows.pipeline import PlannedStage, read_plan
from flows.stages import publish_cards, run_stage

Row = dict[str, Any]


def _run_name() -> str:
    """The variant, or how many there are."""
    variants = flow_run.parameters["variants"]
    return str(variants[0]) if len(variants) == 1 else f"{len(variants)} variants"


@flow(name="retrain", flow_run_name=_run_name, persist_result=False)
def retrain(root: str, variants: list[str], publish: bool = False) -> list[Row]:
    """Bring the cards of `variants` up to date in the project folder `root`; returns a row for each stage.

    A stage that fails stops those that need it, and no others.

    Raises:
        StageError: at the end, when a stage failed; the message tells which, and the command that repeats it.
    """
    plan = read_plan(Path(root), [f"card@{name}" for name in variants])
    create_table_artifact(key="plan", table=[_planned_row(stage) for stage in plan], description="What is out of date, and why")
    rows = run_plan(root, plan)
    create_table_artifact(key="results", table=rows, description="What became of each stage")
    if failed := [row for row in rows if row["outcome"] == "failed"]:
        raise StageError(f"{len(failed)} of {len(rows)} stages failed.\n" + "\n".join(str(row["why"]) for row in failed))
    if all(row["outcome"] == "up to date" for row in rows):
        get_run_logger().info("up to date: nothing had to be built")
    for name in variants:
        _show_card(Path(root), name)
    if publish:
        publish_cards(root, variants)
    return rows


def run_plan(root: str, plan: list[PlannedStage]) -> list[Row]:
    """Run what is out of date or stands on what was run, one stage after the other (plan order); a row for each."""
    outcomes: dict[str, str] = {}
    return [_run_one(root, stage, outcomes) for stage in plan]


def _run_one(root: str, stage: PlannedStage, outcomes: dict[str, str]) -> Row:
    before = {outcomes[address] for address in stage.upstream}
    why = stage.reason or ("something that it stands on was built" if before - {"up to date"} else "")
    if before & {"failed", "not run"}:
        outcome, why = "not run", "a stage that it needs failed"
    elif not why:
        outcome = "up to date"
    else:
        try:
            outcome = run_stage(root, stage.address)
        except EdgeloopError as error:
            outcome, why = "failed", str(error)
    outcomes[stage.address] = outcome
    return {"stage": stage.address, "outcome": outcome, "why": why}


def _planned_row(stage: PlannedStage) -> Row:
    return {"stage": stage.address, "plan": "run" if stage.reason else "up to date", "why": stage.reason or ""}


def _show_card(root: Path, name: str) -> None:
    from edgeloop.config import load_params
    from edgeloop.workspace import Workspace

    workspace = Workspace(root)
    variant = load_params(workspace).variant(name)
    card = workspace.variant(variant.dataset, variant.network, variant.resolution).card / "README.md"
    key = "card-" + "".join(letter if letter.isalnum() else "-" for letter in name.lower())
    create_markdown_artifact(key=key, markdown=_without_metadata(card.read_text(encoding="utf-8")), description=f"Model card of {name}")


def _without_metadata(card: str) -> str:
    """A Hugging Face card without its YAML head."""
    return card.split("---\n", 2)[2] if card.startswith("---\n") else card
