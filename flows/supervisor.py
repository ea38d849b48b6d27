"""The commands and stages that a flow has under guard, and how all of them are ended.

DVC needs the guard: killed itself, it leaves its stage's command running.
"""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edgeloop.services.guard import guarded
from flows.forked import Child, ForkServer

GRACE_S = 5.0
_running: set[Child] = set()
"""What this process has under supervision, for `end_all`."""
_ending = threading.Event()
_server = ForkServer()


@contextmanager
def supervised(argv: list[str], env: dict[str, str], cwd: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a command under a supervisor; its output, both streams as one, is its `stdout`.

    On leaving, by whatever way, the command and all that it started are ended.
    """
    with guarded(argv, subprocess.PIPE, cwd, env=env, grace_s=GRACE_S) as process, until_ended(process):
        yield process


@contextmanager
def supervised_stage(arguments: list[str], env: dict[str, str], cwd: str) -> Iterator[Child]:
    """The same for `flows.stage` with these arguments, which begins at once: DVC is loaded already."""
    with until_ended(_server.run(arguments, env, cwd, GRACE_S)) as child:
        yield child


@contextmanager
def until_ended(child: Child) -> Iterator[Child]:
    """End the child on leaving, and when `end_all` is called."""
    _running.add(child)
    if is_ending():
        _end(child)
    try:
        yield child
    finally:
        _running.discard(child)
        _end(child)
        try:
            child.wait(timeout=3 * GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(timeout=GRACE_S)
        if child.stdout is not None:
            child.stdout.close()


def end_all() -> None:
    """End every supervised command of this process, whichever thread runs it; those threads see it end with code 143.

    One that is started later is ended at once, until `begin` is called.
    """
    _ending.set()
    for child in list(_running):
        _end(child)


def begin() -> None:
    """Commands may be started (again)."""
    _ending.clear()


def expect_stages(env: dict[str, str], cwd: str) -> None:
    """Load what stages need, while the flow is still busy."""
    _server.begin(env, cwd)


def is_ending() -> bool:
    """Whether everything is being ended."""
    return _ending.is_set()


def _end(child: Child) -> None:
    """Its supervisor ends when its standard input does."""
    if child.stdin is not None:
        child.stdin.close()
