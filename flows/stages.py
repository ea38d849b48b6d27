"""The task that runs one stage of dvc.yaml, as a supervised `dvc repro` of it alone."""

import os
import sys
from pathlib import Path
from typing import Literal

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from edgeloop.errors import StageError
from flows.progress import ShownProgress
from flows.supervisor import supervised

Outcome = Literal["ran", "restored", "up to date"]

_OUTCOMES: tuple[tuple[str, Outcome], ...] = (
    ("Running stage", "ran"),
    ("is cached - skipping run", "restored"),
    ("didn't change, skipping", "up to date"),
)
LAST_LINES = 12
# DVC's advice after each stage, which is for those who call it by hand.
_ADVICE = ("To track the changes with git", "git add dvc.lock", "To enable auto staging", "dvc config core.autostage", "Use `dvc push`")


def repro_command(address: str, force: bool = False) -> list[str]:
    """Reproduces that stage only, if need be by force; waits for the lock, because several stages may run at once."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *(["--force"] if force else []), "--single-item", address]


def command_environment() -> dict[str, str]:
    """For children: `edgeloop` and `dvc` of this very environment come first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", "COLUMNS": "160"}


@task(name="stage", task_run_name="{address}", cache_policy=NO_CACHE, persist_result=False)
def run_stage(root: str, address: str, force: bool = False) -> Outcome:
    """Run one stage and log what it prints; with `force` also when DVC finds it up to date.

    Raises:
        StageError: the stage's command failed; the message holds the end of its output.
    """
    return outcome_of(run_command(root, address, repro_command(address, force), f"dvc repro {address}"))


@task(name="publish", task_run_name="publish", cache_policy=NO_CACHE, persist_result=False)
def publish_cards(root: str, variants: list[str]) -> list[str]:
    """Publish the cards of the variants; returns the addresses."""
    argv = [sys.executable, "-m", "edgeloop", "publish", *variants]
    lines = run_command(root, "publish", argv, f"edgeloop publish {' '.join(variants)}")
    return [line for line in lines if "://" in line or line.startswith("/")]


def run_command(root: str, name: str, argv: list[str], by_hand: str) -> list[str]:
    """Run a command under a supervisor, log its output line by line, show its progress, and return the lines."""
    logger, shown = get_run_logger(), ShownProgress(name)
    lines: list[str] = []
    with supervised(argv, command_environment(), root) as process:
        for line in process.stdout or ():
            if line.strip() and not line.strip().startswith(_ADVICE):
                lines.append(line.rstrip())
                logger.info(line.rstrip())
                shown.see(line.rstrip())
        code = process.wait()
    if code != 0:
        last = "\n".join(f"    {line}" for line in lines[-LAST_LINES:])
        raise StageError(f"{name} failed with exit code {code}. The end of its output:\n{last}", f"Repeat it with: {by_hand}")
    return lines


def outcome_of(lines: list[str]) -> Outcome:
    """What DVC says that it did."""
    for line in lines:
        for text, outcome in _OUTCOMES:
            if text in line:
                return outcome
    raise StageError("DVC's output does not say what became of the stage.", "Its version may be another than the locked one.")
