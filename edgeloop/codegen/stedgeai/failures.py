"""The tool's errors as typed errors with its own words. They stand near the end of a log, in a few forms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgeloop.codegen.stedgeai.text import clean_lines
from edgeloop.errors import StedgeaiBoardError, StedgeaiDoesNotFit, StedgeaiFailure, StedgeaiModelRefused

_CODED = re.compile(r"^\s*(E\d{3})\((\w+)\):\s*(.*)$")
_WORDED = re.compile(r"^\s*((?:[A-Z]+ )?ERROR|NOT IMPLEMENTED):\s*(.*)$")
_ROW = re.compile(r"^error\s+:\s+((?:[A-Z]+ )?ERROR|NOT IMPLEMENTED):\s*(.*)$")
"""In the summary of a report that was written although the run failed."""
_END = re.compile(r"^\s*($|elapsed time|Evaluation report|INFO:|WARNING:|Creating |stedgeai (exit|return) with|[-=+]{10,}|>>>)")
"""What comes behind a message and is no part of it; a blank line is one of them."""
_UNALLOCATED = re.compile(r"bytes left unallocated=(\d+)")
_MINIMAL = re.compile(r"Minimal sizes needed are: \{.*?(\d+)")
_FULL_DISK = re.compile(r"No space left on device|Errno 28|not enough space on the disk", re.IGNORECASE)
_MOST_CONTEXT = 40
_MOST_LINES = 12
"""How many lines after its first belong to a message at most."""


@dataclass(frozen=True)
class Failure:
    """A message of the tool: `kind` is its code and class, or its words for the sort of error."""

    kind: str
    words: str
    context: str = ""
    """What the tool's log says shortly before: the NPU compiler's lines come before the message."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.words}"

    @property
    def needed_bytes(self) -> int | None:
        """How many bytes are missing or needed, where the message says so."""
        found = _MINIMAL.search(self.words) or _UNALLOCATED.search(f"{self.words}\n{self.context}")
        return int(found[1]) if found else None


def find_failures(text: str) -> list[Failure]:
    """Every error message in a console log or a report, in order."""
    lines = clean_lines(text, keep_blank=True)
    starts = [(number, kind, words) for number, line in enumerate(lines) if (found := _start(line)) for kind, words in [found]]
    failures = [Failure(kind, _message(lines, number, words), _before(lines, number)) for number, kind, words in starts]
    # The report of a failed run has its message twice: in the summary and at its end.
    return [failure for place, failure in enumerate(failures) if str(failure) not in map(str, failures[:place])]


def typed(failure: Failure, subject: str, log: str = "") -> StedgeaiFailure:
    """The typed error for a message: `subject` is what was run or read, `log` where the whole log lies."""
    kind, remedy = _classify(failure)
    where = f" The whole log: {log}" if log else ""
    return kind(f"ST Edge AI Core failed on {subject}:\n{failure}", f"{remedy}{where}".strip(), kind=failure.kind, words=failure.words)


def is_disk_full(text: str) -> bool:
    """Whether the tool's words say that the disk is full."""
    return _FULL_DISK.search(text) is not None


def _start(line: str) -> tuple[str, str] | None:
    coded = _CODED.match(line)
    if coded:
        return f"{coded[1]}({coded[2]})", coded[3]
    worded = _WORDED.match(line) or _ROW.match(line)
    return (worded[1], worded[2]) if worded else None


def _message(lines: Sequence[str], number: int, words: str) -> str:
    """The message with the lines that belong to it: those up to a rule, another message or one that is known to be no part."""
    more: list[str] = []
    for line in [] if _ROW.match(lines[number]) else lines[number + 1 : number + 1 + _MOST_LINES]:
        if _END.match(line) or _start(line):
            break
        more.append(line.strip())
    return "\n".join([words, *more]).strip()


def _before(lines: Sequence[str], number: int) -> str:
    """The lines shortly before a message, up to the message of an earlier run in the same log."""
    before: list[str] = []
    for line in reversed(lines[max(0, number - _MOST_CONTEXT) : number]):
        if _start(line):
            break
        before.append(line)
    return "\n".join(reversed(before))


def _classify(failure: Failure) -> tuple[type[StedgeaiFailure], str]:
    kind, text = failure.kind, f"{failure.words}\n{failure.context}"
    if kind.startswith("E700") or (kind.startswith("E103") and _UNALLOCATED.search(text)):
        return StedgeaiDoesNotFit, f"{_bytes(failure)}Take a smaller model or resolution, or a profile with more or larger memory pools."
    if kind.startswith("LOAD") and "STM32" in failure.words:
        return (
            StedgeaiBoardError,
            "Reset the board; check that it is attached, not in use, and runs the validation firmware of this network.",
        )
    if "ir_version" in failure.words:
        return StedgeaiModelRefused, "Save the ONNX model again with an IR version that this tool knows (9 for ST Edge AI Core 2.2)."
    if kind.startswith(("E010", "NOT IMPLEMENTED")) or "ONNX" in failure.words:
        return StedgeaiModelRefused, "Change the model, or take another version of ST Edge AI Core."
    return StedgeaiFailure, "See its log for what came before."


def _bytes(failure: Failure) -> str:
    if failure.needed_bytes is None:
        return ""
    word = "needed" if _MINIMAL.search(failure.words) else "left over"
    return f"{failure.needed_bytes} bytes ({failure.needed_bytes / 1024:.0f} KiB) are {word}. "
