"""The task that runs one stage of dvc.yaml, as a supervised `dvc repro` of it alone."""

import sys
from pathlib import Path
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.states import Cancelled, Completed

from edgeloop.errors import EdgeloopError, StageError, StageMayPass
from edgeloop.events import Caution, Event, Notice, Progress
from flows.commands import Done, Ended, environment, run
from flows.pools.dispatch import send
from flows.pools.order import Dispatch
from flows.show.progress import ShownProgress
from flows.show.reports import show_reports
from flows.show.run import shown_run
from flows.stage import Outcome, outcome_of, stage_arguments
from flows.supervisor import is_ending, supervised_stage

_NAMES: dict[Outcome, str] = {"ran": "Completed", "restored": "Restored", "up to date": "UpToDate"}
"""The name of a task run's final state, by outcome."""
RETRY_AFTER_S = (3.0, 9.0)
"""Before the second and the third try; not longer, because a cancelled run waits for it."""


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task run is to be tried again: only where a step says so by its exit code, and never while all is ended."""
    return isinstance(state.data, StageMayPass) and not is_ending()


@task(
    name="stage",
    task_run_name="{address}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=len(RETRY_AFTER_S),
    retry_delay_seconds=list(RETRY_AFTER_S),
    retry_condition_fn=may_pass,
)
def run_stage(root: str, address: str, force: bool = False, there: Dispatch | None = None) -> State[Outcome]:
    """Run one stage and log what it prints; with `force` also when DVC finds it up to date. The state's data is the outcome.

    With `there` a worker of that pool runs it.

    Raises:
        StageMayPass: the stage's command failed of something that may pass, e.g. a board did not answer; it is tried again.
        StageError: it failed otherwise; the message holds the end of its output.
    """
    try:
        outcome = _there(root, address, force, there) if there else _here(root, address, force)
    except Ended:
        return Cancelled(message="the run was cancelled")
    except StageError:
        _show_what_it_made(root, address)  # a data set that is refused has its report, too
        raise
    if outcome != "up to date":
        _show_what_it_made(root, address)
    return Completed(name=_NAMES[outcome], message=outcome, data=outcome)


@task(
    name="publish",
    task_run_name="publish",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=len(RETRY_AFTER_S),
    retry_delay_seconds=list(RETRY_AFTER_S),
    retry_condition_fn=may_pass,
)
def publish_cards(root: str, variants: list[str]) -> list[str]:
    """Publish the cards of the variants; returns the addresses."""
    argv = [sys.executable, "-m", "edgeloop", "publish", *variants]
    try:
        return run_command(root, "publish", argv, f"edgeloop publish {' '.join(variants)}").results
    except Ended:
        return []


def _here(root: str, address: str, force: bool) -> Outcome:
    see = _Seen(address)
    done = run(stage_arguments(address, force=force), Path(root), environment(), see.line, is_ending, see.event, supervised_stage)
    try:
        return outcome_of(done, address)
    except StageError as error:
        raise see.trouble(error) from None


def _there(root: str, address: str, force: bool, there: Dispatch) -> Outcome:
    """Have a worker run it, which shows what it prints as a flow run of its own; here is shown who has it."""
    see = _Seen(address)
    try:
        return send(Path(root), address, force, there, see.event, is_ending)
    except Ended:
        raise
    except EdgeloopError as error:
        raise see.trouble(error) from None


class _Seen:
    """Shows what a stage prints: in the log, as its bar, and in the tables."""

    def __init__(self, name: str) -> None:
        self._name, self._logger, self._bar, self._shown = name, get_run_logger(), ShownProgress(name), shown_run()
        if self._shown is not None:
            self._shown.tries(name, task_run.run_count)

    def line(self, line: str) -> None:
        """Log what it prints."""
        self._logger.info(line)

    def event(self, event: Event) -> None:
        """Log what it tells, and show it beside its board; progress also as its bar."""
        if isinstance(event, Caution):
            self._logger.warning(event.text)
            if self._shown is not None:
                self._shown.warned(self._name, event.text)
        if not isinstance(event, Progress | Notice):
            return
        self._logger.info(event.text)
        if isinstance(event, Progress):
            self._bar.show(event)
        if self._shown is not None:
            self._shown.tells(self._name, event.text)

    def trouble(self, error: EdgeloopError) -> StageError:
        """The error as one of a stage, shown."""
        if self._shown is not None:
            self._shown.troubled(self._name, error.what)
        if isinstance(error, StageError):
            return error
        return (StageMayPass if error.may_pass else StageError)(error.what, error.remedy)


def _show_what_it_made(root: str, address: str) -> None:
    links, shown = show_reports(Path(root), address), shown_run()
    if shown is not None:
        shown.made(address, links)


def run_command(root: str, name: str, argv: list[str], by_hand: str) -> Done:
    """Run a command to its end, log what it prints, and show what it tells.

    Raises:
        Ended: everything is being ended.
        StageMayPass: it failed of something that may pass by itself.
        StageError: it failed otherwise.
    """
    see = _Seen(name)
    done = run(argv, Path(root), environment(), see.line, is_ending, see.event)
    if done.code != 0:
        raise see.trouble(done.failure(name, by_hand))
    return done
