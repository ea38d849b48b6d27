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

GRACE_S = 5.0
_running: set["subprocess.Popen[str]"] = set()
"""What this process has under supervision, for `end_all`."""
_ending = threading.Event()


@contextmanager
def supervised(argv: list[str], env: dict[str, str], cwd: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a command under a supervisor; its output, both streams as one, is the process's `stdout`.

    On leaving, by whatever way, the command and all that it started are ended.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.supervisor", *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    _running.add(process)
    if is_ending():
        _end(process)
    try:
        yield process
    finally:
        _running.discard(process)
        _end(process)
        try:
            process.wait(timeout=3 * GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=GRACE_S)
        if process.stdout is not None:
            process.stdout.close()


def end_all() -> None:
    """End every supervised command of this process, whichever thread runs it; those threads see it end with code 143.

    One that is started later is ended at once, until `begin` is called.
    """
    _ending.set()
    for process in list(_running):
        _end(process)


def begin() -> None:
    """Commands may be started (again)."""
    _ending.clear()


def is_ending() -> bool:
    """Whether everything is being ended."""
    return _ending.is_set()


def _end(process: "subprocess.Popen[str]") -> None:
    """Its supervisor ends when its standard input does."""
    if process.stdin is not None:
        process.stdin.close()


def main(argv: list[str]) -> int:
    """Run `argv`; returns its exit code, or 143 when it was ended from outside."""
    return guard.run(argv, GRACE_S)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
