"""`dvc repro` of one stage: the command, and what its output says became of the stage."""

import re
import sys
from itertools import takewhile
from typing import Literal

from edgeloop.console import MAY_PASS
from edgeloop.errors import StageError, StageMayPass
from flows.show.tables import OUTPUT, REPEAT

Outcome = Literal["ran", "restored", "up to date"]

_OUTCOMES: tuple[tuple[str, Outcome], ...] = (
    ("Running stage", "ran"),
    ("is cached - skipping run", "restored"),
    ("didn't change, skipping", "up to date"),
)
LAST_LINES = 12
_EXIT_CODE = re.compile(r"exited with (\d+)$")
"""How DVC tells the exit code of a stage's command; its own is another."""
_EXPLAINED = "edgeloop: "
"""What `edgeloop` begins an error with."""


def repro_command(address: str, force: bool = False, pull: bool = False) -> list[str]:
    """Reproduces that stage only, if need be by force; waits for the lock, because several stages may run at once.

    With `pull` a result that the store knows is taken from there.
    """
    options = [*(["--force"] if force else []), *(["--pull"] if pull else [])]
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", *options, "--single-item", address]


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
