"""Run the tool: an argument list, stdin closed, a deadline, its whole output in a log file, and nothing of it left running."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.stedgeai.text import clean_lines
from edgeloop.errors import StedgeaiFailure, StedgeaiMissing, StedgeaiTimeout

POLL_S = 0.05
GRACE_S = 3.0
"""What the tool and its children get between being asked to end and being ended."""
MOST_LOG_BYTES = 64 << 20
TAIL_LINES = 12
"""How many of its last lines an error repeats."""


@dataclass(frozen=True)
class Done:
    """A run that ended by itself."""

    status: int
    """0, or what it returned; minus the signal that ended it."""
    text: str
    """Standard output and standard error in the order in which they came."""


def run_tool(command: Sequence[str], folder: Path, log: Path, deadline_s: float, *, keeps_log: bool = True) -> Done:
    """Run `command` in `folder`; whatever it says goes to the file `log`, which an error names if it is to stay (`keeps_log`).

    Raises:
        StedgeaiMissing: it does not start.
        StedgeaiTimeout: it was not done after `deadline_s`; it and all that it has started are ended.
        StedgeaiFailure: its output grew beyond all measure, or the log cannot be written.
    """
    deadline = time.monotonic() + deadline_s
    process = _start(command, folder, log)
    too_late = f"{Path(command[0]).name} was not done after {deadline_s:.0f} s, and was ended."
    where = f" The whole log: {log}" if keeps_log else ""
    try:
        _wait(process, deadline, log, too_late, where)
    finally:
        _end(process)
    return Done(process.returncode, _read(log))


def tail(text: str) -> str:
    """The last lines that say something, without progress bars."""
    return "\n".join(line.strip() for line in clean_lines(text)[-TAIL_LINES:])


def _start(command: Sequence[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                list(command),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Figures and words as in a report, whatever the user's language writes for a thousand.
                env={**os.environ, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"},
                start_new_session=True,
            )
    except OSError as error:
        if error.filename == str(log):
            what = f"The log {log} cannot be written: {error.strerror}."
            raise StedgeaiFailure(what, "Make room, or the folder writable.", kind="log", words=str(error.strerror)) from error
        raise StedgeaiMissing(f"{command[0]} does not start: {error.strerror}.", "Check that it is a program for this machine.") from error


def _wait(process: subprocess.Popen[bytes], deadline: float, log: Path, too_late: str, where: str) -> None:
    """Until it is over. It is not reaped: its number stays its own until its children are ended, too."""
    while not _is_over(process):
        if time.monotonic() >= deadline:
            what = f"{too_late} Its last lines:\n{tail(_read(log)) or '(none)'}"
            remedy = "It may wait for an answer (its first start may ask: run it once by hand), or need more time."
            raise StedgeaiTimeout(what, remedy + where)
        if log.stat().st_size > MOST_LOG_BYTES:
            what = f"{process.args!r} wrote more than {MOST_LOG_BYTES >> 20} MiB to its log, and was ended."
            raise StedgeaiFailure(what, f"Run it by hand.{where}", kind="log", words="")
        time.sleep(POLL_S)


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group: asked first, where the tool still runs, then for good."""
    if not _is_over(process):
        _signal(process, signal.SIGTERM)
        grace = time.monotonic() + GRACE_S
        while not _is_over(process) and time.monotonic() < grace:
            time.sleep(POLL_S)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _read(log: Path) -> str:
    with log.open("rb") as file:
        return file.read(MOST_LOG_BYTES).decode("utf-8", errors="replace")
