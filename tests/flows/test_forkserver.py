"""Stages run in forks of a process that has DVC loaded; whoever of all these processes is killed, nothing is left and nothing is lost."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from flows_in_miniature import Project, sleepers, until
from matrix import first_is_short

from flows.commands import Done, ignore, run
from flows.forked import Child, ForkServer
from flows.stage import outcome_of, stage_arguments
from flows.supervisor import GRACE_S, until_ended

SLEEPING = """\
stages:
  quick: {cmd: "echo made; echo one > quick", outs: [quick]}
  stopped: {cmd: "exit 3", outs: [stopped]}
  slow: {cmd: sleep 987.1, outs: [slow]}
"""
STARTER = """
import os, sys
from pathlib import Path
from flows.commands import ignore, run
from flows.stage import stage_arguments
from flows.supervisor import supervised_stage
run(stage_arguments("slow"), Path.cwd(), dict(os.environ), ignore, lambda: False, ignore, supervised_stage)
"""


@pytest.fixture
def sleeping(project: Project) -> Project:
    (project.root / "dvc.yaml").write_text(SLEEPING, encoding="utf-8")
    return project


@pytest.fixture
def server() -> Iterator[ForkServer]:
    made = ForkServer()
    yield made
    made.end()


def reproduce(server: ForkServer, project: Project, address: str) -> Done:
    def start(argv: list[str], env: dict[str, str], cwd: str) -> AbstractContextManager[Child]:
        return until_ended(server.run(argv, env, cwd, GRACE_S))

    return run(stage_arguments(address), project.root, project.env, ignore, lambda: False, ignore, start)


def forks(name: str) -> list[int]:
    """Processes that gave themselves that name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "comm").read_text(encoding="utf-8").strip() == name:
                found.append(int(folder.name))
    return found


def test_each_stage_tells_its_outcome_and_its_output(server: ForkServer, sleeping: Project) -> None:
    done = reproduce(server, sleeping, "quick")
    assert (done.code, outcome_of(done, "quick"), "made" in done.lines) == (0, "ran", True)
    assert outcome_of(reproduce(server, sleeping, "quick"), "quick") == "up to date"
    assert (sleeping.root / "quick").read_text(encoding="utf-8") == "one\n"
    stopped = reproduce(server, sleeping, "stopped")
    assert (stopped.code, "exit 3" in "\n".join(stopped.lines)) == (1, True)


def test_a_killed_server_is_started_anew(server: ForkServer, sleeping: Project) -> None:
    assert reproduce(server, sleeping, "quick").code == 0
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert reproduce(server, sleeping, "quick").code == 0


def test_a_killed_starter_ends_the_stage_and_its_command(sleeping: Project) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTER], cwd=sleeping.root, env=sleeping.env)
    until(lambda: bool(sleepers(sleeping.root)), 30)
    starter.kill()
    starter.wait(timeout=10)
    until(lambda: not sleepers(sleeping.root), 15)


@pytest.mark.parametrize(("name", "which"), first_is_short([("guard", 0), ("guard", 1), ("stage slow", 0)]))
def test_a_killed_stage_or_half_of_its_guard_ends_the_command(sleeping: Project, name: str, which: int) -> None:
    before = set(forks(name))
    starter = subprocess.Popen([sys.executable, "-c", STARTER], cwd=sleeping.root, env=sleeping.env)
    until(lambda: bool(sleepers(sleeping.root)), 30)
    os.kill(sorted(set(forks(name)) - before)[which], signal.SIGKILL)
    assert starter.wait(timeout=20) == 0
    until(lambda: not sleepers(sleeping.root), 15)
