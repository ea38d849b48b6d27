"""Runs a plan: as many stages at once as slots and boards allow, until every stage has an outcome."""

from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from prefect.futures import PrefectFuture
from prefect.logging import get_run_logger

from edgeloop.errors import EdgeloopError, StageError
from flows import dvc_lock
from flows.commands import environment
from flows.pipeline import PlannedStage
from flows.pools.declared import assign
from flows.pools.order import Dispatch
from flows.schedule import FAILED, NOT_RUN, PINNED, UP_TO_DATE, blocked, startable, unchanged
from flows.show.run import ShownRun
from flows.show.tables import ANEW, BUILT_ON, PIN, SAME, Row
from flows.stages import run_stage
from flows.supervisor import begin, end_all, expect_stages

__all__ = ["Row", "carry_out", "run_plan"]


def carry_out(root: str, plan: list[PlannedStage], slots: int, *, forced: frozenset[str] = frozenset()) -> list[Row]:
    """Show the plan, run it, and show what became of it, as tables in Prefect's UI; returns a row for each stage.

    The stages of `forced` run although they are up to date; of a pinned variant only benchmarks do, which leave its model as it is.

    Raises:
        StageError: a stage failed; the message tells which, and the command that repeats it.
    """
    plan = [_forced(stage) if stage.address in forced else stage for stage in plan]
    _tell_of_pins(plan)
    shown = ShownRun(plan)
    shown.show_plan(slots)
    rows = run_plan(root, plan, slots, shown)
    shown.show_results(rows)
    if failed := [row for row in rows if row["outcome"] == FAILED]:
        raise StageError(f"{len(failed)} of {len(rows)} stages failed.\n" + "\n".join(str(row["why"]) for row in failed))
    return rows


def _forced(stage: PlannedStage) -> PlannedStage:
    return replace(stage, reason=stage.reason or ANEW, forced=True, pinned=stage.pinned and stage.board is None)


def _tell_of_pins(plan: list[PlannedStage]) -> None:
    for stage in plan:
        step, _, variant = stage.address.partition("@")
        if stage.pinned and step == "train":
            why = f", although {stage.reason}" if stage.reason else ""
            get_run_logger().warning(f"{variant} is pinned in params.yaml: its model stays as it is{why}")


def run_plan(root: str, plan: list[PlannedStage], slots: int, shown: ShownRun | None = None) -> list[Row]:
    """Run what is out of date or stands on what was run, as many stages at once as the slots allow; a row for each.

    Whatever ends this (Ctrl-C, a cancelled run) ends the commands of the stages that are running.
    """
    begin()
    if dvc_lock.mend(Path(root)):
        get_run_logger().warning("DVC's file of locks (.dvc/tmp/rwlock) was damaged, as a kill leaves it: it was removed")
    if any(stage.reason for stage in plan):
        expect_stages(environment(), root)
    plan = assign(Path(root), plan)
    shown = shown or ShownRun(plan)
    progress = _Progress({stage.address: stage for stage in plan}, shown)
    with shown.watched():
        try:
            while len(progress.rows) < len(plan):
                progress.settle(plan)
                for stage in startable(plan, progress.outcomes, progress.running, slots):
                    progress.start(root, stage)
                shown.show_boards(progress.outcomes, list(progress.running))
                if progress.running:
                    progress.wait()
                elif len(progress.rows) < len(plan):
                    raise StageError("The plan lacks a stage that another one needs.", "This is a fault of edgeloop: report it.")
            shown.finish(progress.outcomes)
        except BaseException:
            end_all()
            raise
    return [progress.rows[stage.address] for stage in plan]


class _Progress:
    """What became of the stages so far, and which are running."""

    def __init__(self, stages: dict[str, PlannedStage], shown: ShownRun) -> None:
        self._shown = shown
        self.rows: dict[str, Row] = {}
        self.outcomes: dict[str, str] = {}
        self.running: dict[str, PrefectFuture[Any]] = {}
        self._stages = stages
        self._ended: SimpleQueue[str] = SimpleQueue()

    def settle(self, plan: list[PlannedStage]) -> None:
        """Give an outcome to every stage that needs no run: up to date, or stopped by a failure before it."""
        for stage in blocked(plan, self.outcomes):
            self._shown.stopped(stage, why := "a stage that it needs failed")
            self._note(stage.address, NOT_RUN, why)
        same = unchanged(plan, self.outcomes)
        for outcome, why, stages in (
            (UP_TO_DATE, SAME, [stage for stage in same if not stage.pinned]),
            (PINNED, PIN, [stage for stage in same if stage.pinned]),
        ):
            self._shown.cached(stages, outcome, why)
            for stage in stages:
                self._note(stage.address, outcome, why)

    def start(self, root: str, stage: PlannedStage) -> None:
        """Run it in a thread of its own."""
        there = Dispatch(stage.pool, tuple(sorted(stage.upstream))) if stage.pool else None
        future = run_stage.submit(root, stage.address, stage.forced, there, return_state=False, wait_for=self._shown.upstream(stage))
        self._shown.started(stage.address, future)
        self.running[stage.address] = future
        future.add_done_callback(lambda _: self._ended.put(stage.address))

    def wait(self) -> None:
        """Until one of the running stages ends."""
        address = self._ended.get()
        why = self._stages[address].reason or BUILT_ON
        try:
            self._note(address, self.running.pop(address).result(), why)
        except EdgeloopError as error:
            self._note(address, FAILED, str(error))

    def _note(self, address: str, outcome: str, why: str) -> None:
        self.outcomes[address] = outcome
        self.rows[address] = self._shown.row(address, outcome, why)
