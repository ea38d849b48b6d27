"""The flow `retrain`: from data to model cards, for any subset of the variants. Its graph is read from dvc.yaml."""

import os
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from edgeloop.errors import EdgeloopError, StageError
from flows.pipeline import PlannedStage, read_plan
from flows.schedule import FAILED, NOT_RUN, UP_TO_DATE, blocked, startable, unchanged
from flows.stages import Outcome, publish_cards, run_stage
from flows.supervisor import end_all

Row = dict[str, Any]


def _run_name() -> str:
    """The variant, or how many there are."""
    variants = flow_run.parameters["variants"]
    return str(variants[0]) if len(variants) == 1 else f"{len(variants)} variants"


@flow(name="retrain", flow_run_name=_run_name, persist_result=False)
def retrain(root: str, variants: list[str], publish: bool = False, slots: int | None = None) -> list[Row]:
    """Bring the cards of `variants` up to date in the project folder `root`; returns a row for each stage.

    Stages run at once as far as the boards and `slots` CPU slots allow (default: one a core). A stage that
    fails stops those that need it, and no others.

    Raises:
        StageError: at the end, when a stage failed; the message tells which, and the command that repeats it.
    """
    plan = read_plan(Path(root), [f"card@{name}" for name in variants])
    create_table_artifact(key="plan", table=[_planned_row(stage) for stage in plan], description="What is out of date, and why")
    rows = run_plan(root, plan, slots or os.cpu_count() or 1)
    create_table_artifact(key="results", table=rows, description="What became of each stage")
    if failed := [row for row in rows if row["outcome"] == FAILED]:
        raise StageError(f"{len(failed)} of {len(rows)} stages failed.\n" + "\n".join(str(row["why"]) for row in failed))
    if all(row["outcome"] == UP_TO_DATE for row in rows):
        get_run_logger().info("up to date: nothing had to be built")
    for name in variants:
        _show_card(Path(root), name)
    if publish:
        publish_cards(root, variants)
    return rows


def run_plan(root: str, plan: list[PlannedStage], slots: int) -> list[Row]:
    """Run what is out of date or stands on what was run, as many stages at once as the slots allow; a row for each.

    Whatever ends this (Ctrl-C, a cancelled run) ends the commands of the stages that are running.
    """
    progress = _Progress({stage.address: stage for stage in plan})
    try:
        while len(progress.rows) < len(plan):
            progress.settle(plan)
            for stage in startable(plan, progress.outcomes, progress.running, slots):
                progress.start(root, stage)
            if progress.running:
                progress.wait()
    except BaseException:
        end_all()
        raise
    return [progress.rows[stage.address] for stage in plan]


class _Progress:
    """What became of the stages so far, and which are running."""

    def __init__(self, stages: dict[str, PlannedStage]) -> None:
        self.rows: dict[str, Row] = {}
        self.outcomes: dict[str, str] = {}
        self.running: dict[str, PrefectFuture[Outcome]] = {}
        self._stages = stages
        self._ended: SimpleQueue[str] = SimpleQueue()

    def settle(self, plan: list[PlannedStage]) -> None:
        """Give an outcome to every stage that needs no run: up to date, or stopped by a failure before it."""
        for stage in blocked(plan, self.outcomes):
            self._note(stage.address, NOT_RUN, "a stage that it needs failed")
        for stage in unchanged(plan, self.outcomes):
            self._note(stage.address, UP_TO_DATE, "")

    def start(self, root: str, stage: PlannedStage) -> None:
        """Run it in a thread of its own."""
        future = run_stage.submit(root, stage.address)
        self.running[stage.address] = future
        future.add_done_callback(lambda _: self._ended.put(stage.address))

    def wait(self) -> None:
        """Until one of the running stages ends."""
        address = self._ended.get()
        why = self._stages[address].reason or "something that it stands on was built"
        try:
            self._note(address, self.running.pop(address).result(), why)
        except EdgeloopError as error:
            self._note(address, FAILED, str(error))

    def _note(self, address: str, outcome: str, why: str) -> None:
        self.outcomes[address] = outcome
        self.rows[address] = {"stage": address, "outcome": outcome, "why": why}


def _planned_row(stage: PlannedStage) -> Row:
    return {"stage": stage.address, "plan": "run" if stage.reason else UP_TO_DATE, "why": stage.reason or ""}


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
