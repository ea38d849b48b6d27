"""`python -m flows.supervisor COMMAND…`: runs a command in a session of its own and never outlives whoever started it.

Its standard input is a pipe from the starter. When that closes (the starter ended, however) or a signal comes, the whole
session of the command is ended: TERM, then KILL. DVC needs this: killed itself, it leaves its stage's command running.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edgeloop.services import guard
from flows.forkserver import Child, ForkServer

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
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.supervisor", *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    with until_ended(process):
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


def main(argv: list[str]) -> int:
    """Run `argv`; returns its exit code, or 143 when it was ended from outside."""
    return guard.run(argv, GRACE_S)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
