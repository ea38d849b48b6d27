"""Programs of others in a session of their own: when the caller goes on, nothing of them runs any more."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from edgeloop.deadline import Deadline

POLL_S = 0.05


@contextmanager
def session(
    command: Sequence[str], env: Mapping[str, str], stdout: int | IO[Any], stderr: int, folder: Path | None = None, grace_s: float = 0.0
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a command whose standard input is closed; on leaving, by whatever way, it and all that it started are ended.

    `grace_s`: what a command that still runs has between TERM and KILL. A caller that waits must not reap it (use `is_over`, or
    `communicate` to the end): its number stays its own until its children are ended, too.

    Raises:
        OSError: it does not start.
    """
    process = subprocess.Popen(
        list(command), cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=dict(env), start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            _end(process, Deadline.after(grace_s))
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def is_over(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it has ended. It is not reaped."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: "subprocess.Popen[bytes]", grace: Deadline) -> None:
    """End the whole group: asked first, where the command still runs, then for good."""
    if not is_over(process) and not grace.is_over:
        _signal(process, signal.SIGTERM)
        while not is_over(process) and not grace.is_over:
            time.sleep(POLL_S)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
