"""Run the tool: an argument list, stdin closed, a deadline, its whole output in a log file, and nothing of it left running."""

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.stedgeai.text import clean_lines
from edgeloop.deadline import Deadline
from edgeloop.errors import StedgeaiFailure, StedgeaiMissing, StedgeaiTimeout
from edgeloop.shell import POLL_S, is_over, session

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
    name, where = Path(command[0]).name, f" The whole log: {log}" if keeps_log else ""
    try:
        with log.open("wb") as output, session(command, _environment(), output, subprocess.STDOUT, folder, GRACE_S) as process:
            _wait(process, Deadline.after(deadline_s), log, name, where)
    except OSError as error:
        if error.filename == str(log):
            what = f"The log {log} cannot be written: {error.strerror}."
            raise StedgeaiFailure(what, "Make room, or the folder writable.", kind="log", words=str(error.strerror)) from error
        raise StedgeaiMissing(f"{command[0]} does not start: {error.strerror}.", "Check that it is a program for this machine.") from error
    return Done(process.returncode, _read(log))


def tail(text: str) -> str:
    """The last lines that say something, without progress bars."""
    return "\n".join(line.strip() for line in clean_lines(text)[-TAIL_LINES:])


def _environment() -> dict[str, str]:
    """Figures and words as in a report, whatever the user's language writes for a thousand."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}


def _wait(process: subprocess.Popen[bytes], deadline: Deadline, log: Path, name: str, where: str) -> None:
    while not is_over(process):
        if deadline.is_over:
            what = f"{name} was not done after {deadline.seconds:.0f} s, and was ended. Its last lines:\n{tail(_read(log)) or '(none)'}"
            remedy = "It may wait for an answer (its first start may ask: run it once by hand), or need more time."
            raise StedgeaiTimeout(what, remedy + where)
        if log.stat().st_size > MOST_LOG_BYTES:
            what = f"{name} wrote more than {MOST_LOG_BYTES >> 20} MiB to its log, and was ended."
            raise StedgeaiFailure(what, f"Run it by hand.{where}", kind="log", words="")
        time.sleep(POLL_S)


def _read(log: Path) -> str:
    with log.open("rb") as file:
        return file.read(MOST_LOG_BYTES).decode("utf-8", errors="replace")
