"""The task that runs one stage of dvc.yaml, as a supervised `dvc repro` of it alone."""

import os
import re
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.logging import get_run_logger
from prefect.runtime import task_run
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Completed

from edgeloop.cli import MAY_PASS
from edgeloop.errors import EdgeloopError, StageError, StageMayPass
from flows.pools.order import Dispatch, Outcome
from flows.show.progress import ShownProgress
from flows.show.reports import show_reports
from flows.show.run import shown_run
from flows.show.tables import OUTPUT, REPEAT
from flows.supervisor import is_ending, supervised

_OUTCOMES: tuple[tuple[str, Outcome], ...] = (
    ("Running stage", "ran"),
    ("is cached - skipping run", "restored"),
    ("didn't change, skipping", "up to date"),
)
_NAMES: dict[Outcome, str] = {"ran": "Completed", "restored": "Restored", "up to date": "UpToDate"}
"""Of a task run's final state."""
LAST_LINES = 12
RETRY_AFTER_S = (3.0, 9.0)
"""Before the second and the third try; not longer, because a cancelled run waits for it."""
_EXIT_CODE = re.compile(r"exited with (\d+)$")
"""How DVC tells the exit code of a stage's command; its own is another."""
_EXPLAINED = "edgeloop: "
"""What `edgeloop` begins an error with."""
# DVC's advice after each stage, which is for those who call it by hand.
_ADVICE = ("To track the changes with git", "git add dvc.lock", "To enable auto staging", "dvc config core.autostage", "Use `dvc push`")


def repro_command(address: str, force: bool = False, pull: bool = False) -> list[str]:
    """Reproduces that stage only, if need be by force; waits for the lock, because several stages may run at once.

    With `pull` a result that the store knows is taken from there.
    """
    options = [*(["--force"] if force else []), *(["--pull"] if pull else [])]
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *options, "--single-item", address]


def command_environment() -> dict[str, str]:
    """For children: `edgeloop` and `dvc` of this very environment come first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", "COLUMNS": "160"}


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
        outcome = _there(root, address, force, there) if there else outcome_of(_here(root, address, force))
    except StageError:
        _show_what_it_made(root, address)  # a data set that is refused has its report, too
        raise
    if is_ending():
        return Cancelled(message="the run was cancelled")
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
    lines = run_command(root, "publish", argv, f"edgeloop publish {' '.join(variants)}")
    return [line for line in lines if "://" in line or line.startswith("/")]


def _here(root: str, address: str, force: bool) -> list[str]:
    return run_command(root, address, repro_command(address, force), f"dvc repro {address}")


def _there(root: str, address: str, force: bool, there: Dispatch) -> Outcome:
    """Have a worker run it, and show here what it prints."""
    from flows.pools.commands import Ended
    from flows.pools.dispatch import send
    from flows.pools.server import Server

    see = _Seen(address)
    try:
        return send(Server(str(get_current_settings().api.url)), Path(root), address, force, there, see.line, is_ending)
    except Ended:
        return "up to date"  # nobody asks for it any more
    except EdgeloopError as error:
        raise see.trouble(error) from None


class _Seen:
    """Shows what a stage prints: in the log, as its bar, and in the tables."""

    def __init__(self, name: str) -> None:
        self._name, self._logger, self._bar, self._shown = name, get_run_logger(), ShownProgress(name), shown_run()
        if self._shown is not None:
            self._shown.tries(name, task_run.run_count)

    def line(self, line: str) -> None:
        if line.strip() and not line.strip().startswith(_ADVICE):
            self._logger.info(line)
            self._bar.see(line)
            if self._shown is not None:
                self._shown.tells(self._name, line)

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


def run_command(root: str, name: str, argv: list[str], by_hand: str) -> list[str]:
    """Run a command under a supervisor, log its output line by line, show its progress, and return the lines.

    Raises:
        StageMayPass: it failed of something that may pass by itself.
        StageError: it failed otherwise. Where everything is being ended, it has not failed.
    """
    logger, bar, shown = get_run_logger(), ShownProgress(name), shown_run()
    if shown is not None:
        shown.tries(name, task_run.run_count)
    lines: list[str] = []
    with supervised(argv, command_environment(), root) as process:
        for line in process.stdout or ():
            if line.strip() and not line.strip().startswith(_ADVICE):
                lines.append(line.rstrip())
                logger.info(line.rstrip())
                bar.see(line.rstrip())
                if shown is not None:
                    shown.tells(name, line.rstrip())
        code = process.wait()
    if code != 0 and not is_ending():
        error = failure(name, code, lines, by_hand)
        if shown is not None:
            shown.troubled(name, error.what)
        raise error
    return lines


def failure(name: str, code: int, lines: list[str], by_hand: str) -> StageError:
    """The error of a command that ended with that code: what it said of it, else the end of its output, and how to repeat it."""
    told = [match for line in lines if (match := _EXIT_CODE.search(line))]
    code = int(told[-1][1]) if told else code
    what = f"{name} failed with exit code {code}{_explanation(lines) or _last(lines)}"
    kind = StageMayPass if code == MAY_PASS else StageError
    return kind(what, REPEAT + by_hand)


def _explanation(lines: list[str]) -> str:
    """What `edgeloop` said of its last error, with the lines that belong to it; nothing where it said nothing."""
    begins = [number for number, line in enumerate(lines) if line.startswith(_EXPLAINED)]
    if not begins:
        return ""
    first, *others = lines[begins[-1] :]
    more = takewhile(lambda line: line.startswith("  "), others)
    return ": " + "\n".join([first.removeprefix(_EXPLAINED), *more])


def _last(lines: list[str]) -> str:
    return f".{OUTPUT}" + "\n".join(f"    {line}" for line in lines[-LAST_LINES:])


def outcome_of(lines: list[str]) -> Outcome:
    """What DVC says that it did."""
    for line in lines:
        for text, outcome in _OUTCOMES:
            if text in line:
                return outcome
    raise StageError("DVC's output does not say what became of the stage.", "Its version may be another than the locked one.")
