"""What a running command tells whoever started it: events, as JSON lines in a pipe.

`EDGELOOP_EVENTS` names the pipe (`/proc/PID/fd/N` of the starter, which any process of the same user below it can open: DVC closes
all other descriptors before it runs a stage's command). Without it nobody listens, and commands write plain words.
A command that is not ours may tell, too: `echo '{"kind": "notice", "text": "..."}' > "$EDGELOOP_EVENTS"`.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

VARIABLE = "EDGELOOP_EVENTS"


@dataclass(frozen=True)
class Progress:
    """How far work is: `done` of `total` units (None: unknown); `text` says so in words."""

    what: str
    done: float
    total: float | None
    text: str


@dataclass(frozen=True)
class Notice:
    """Something that a person who waits wants to know."""

    text: str


@dataclass(frozen=True)
class Caution:
    """A result that may be none."""

    text: str


@dataclass(frozen=True)
class Result:
    """Something that was made: an address, or what became of a stage."""

    text: str


@dataclass(frozen=True)
class Failure:
    """Why the command fails, what to do, and whether the same may succeed a little later."""

    what: str
    remedy: str = ""
    may_pass: bool = False


Event = Progress | Notice | Caution | Result | Failure
KINDS: dict[str, type[Event]] = {"progress": Progress, "notice": Notice, "warning": Caution, "result": Result, "error": Failure}
_NAMES = {kind: name for name, kind in KINDS.items()}


def tell(event: Event) -> bool:
    """Tell whoever listens; returns whether anybody does. Work does not end because nobody hears how it goes on."""
    if not (path := os.environ.get(VARIABLE)):
        return False
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return False
    try:
        os.write(pipe, line_of(event))
    except OSError:
        return False
    finally:
        os.close(pipe)
    return True


def line_of(event: Event) -> bytes:
    """As it is told."""
    return json.dumps({"kind": _NAMES[type(event)], **asdict(event)}).encode() + b"\n"


def event_of(line: bytes) -> Event | None:
    """What a line tells; None where it is no event."""
    try:
        fields = json.loads(line)
        return KINDS[fields.pop("kind")](**fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@contextmanager
def pipe() -> Iterator[tuple[int, dict[str, str]]]:
    """The reading end of a new pipe, and the variable by which children find the other one."""
    reading, writing = os.pipe()
    try:
        yield reading, {VARIABLE: f"/proc/{os.getpid()}/fd/{writing}"}
    finally:
        os.close(writing)
        os.close(reading)
