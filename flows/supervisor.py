"""`python -m flows.supervisor COMMAND…`: runs a command in a session of its own and never outlives whoever started it.

Its standard input is a pipe from the starter. When that closes (the starter ended, however) or a signal comes, the whole
session of the command is ended: TERM, then KILL. DVC needs this: killed itself, it leaves its stage's command running.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeloop.services.processes import Identity, end_session, identify

PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 5.0
_running: set["subprocess.Popen[str]"] = set()
"""What this process has under supervision, for `end_all`."""
POLL_S = 0.1
TERMINATED = 143


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
    try:
        yield process
    finally:
        _running.discard(process)
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=3 * GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=GRACE_S)
        if process.stdout is not None:
            process.stdout.close()


def end_all() -> None:
    """End every supervised command of this process, whichever thread runs it; those threads see it end with code 143."""
    for process in list(_running):
        if process.stdin is not None:
            process.stdin.close()


def main(argv: list[str]) -> int:
    """Run `argv`; returns its exit code, or 143 when it was ended from outside."""
    # What the command's children leave behind becomes a child of this process and is found below.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: stopped.append(received))
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    leader = identify(process.pid)
    while process.poll() is None:
        readable, _, _ = select.select([0], [], [], POLL_S)
        if stopped or (readable and os.read(0, 1) == b""):
            _end(leader)
            return TERMINATED
    # A command that ended may have left processes behind.
    _end(leader)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _end(leader: Identity | None) -> None:
    """End the command's session, then whatever else has become a child of this process."""
    if leader is not None:
        end_session(leader, GRACE_S, GRACE_S)
    for pid in _children():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    pid = os.getpid()
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
