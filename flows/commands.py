"""Commands under supervision, git among them."""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from edgeloop.errors import InputError, StageError, StageMayPass
from edgeloop.events import Event, Failure, Result, event_of, pipe
from flows.forked import Child
from flows.pump import pump
from flows.show.tables import OUTPUT, REPEAT
from flows.supervisor import supervised

Say = Callable[[str], object]
Hear = Callable[[Event], object]
Start = Callable[[list[str], dict[str, str], str], AbstractContextManager[Child]]
IsCancelled = Callable[[], bool]
"""Whether to give up."""
LOOK_S = 0.2
LAST_LINES, LONG_END = 6, 12
GIT_S = 600.0
"""For one git command, which may fetch or push over a network."""
_AWAY = re.compile(
    r"could not connect|couldn't connect|cannot connect|failed to connect|unable to connect|connect(ion)? (timeout|refused|reset)"
    r"|connection .*(refused|reset|closed|aborted)|timed out|name resolution|resolve host|\b50[0234]\b|unreachable|disconnected",
    re.IGNORECASE,
)
"""What git says of a host that is away: it has no other way to tell it."""
# What a store's address or a library may repeat of a key.
_SECRET = re.compile(r"(?<=://)[^/@\s]+@|\bAKIA[A-Z0-9]{12,}\b|(?i:(?<=X-Amz-Signature=)|(?<=X-Amz-Credential=))[^&\s]+")


class Ended(StageMayPass):
    """It was asked to give up."""


def ignore(_: object) -> None:
    """Takes what is said or told, and does nothing."""


def environment() -> dict[str, str]:
    """For children: this Python's programs come first; how to reach Prefect's server is none of their business."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return own | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", "COLUMNS": "160"}


def veiled(line: str) -> str:
    """A line without what may be a secret in it."""
    return _SECRET.sub("***", line)


@dataclass(frozen=True)
class Done:
    """What became of a command."""

    code: int
    lines: list[str]
    """What it printed on both its streams."""
    told: list[Event]

    @property
    def results(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Result)]

    def failure(self, name: str, by_hand: str) -> StageError:
        """The error of a command that failed: what it told of it, else the end of its output, and how to repeat it."""
        for event in reversed(self.told):
            if isinstance(event, Failure):
                kind = StageMayPass if event.may_pass else StageError
                what = f"{name} failed: {event.what}" + (f"\n  {event.remedy}" if event.remedy else "")
                return kind(what, REPEAT + by_hand)
        return StageError(f"{name} failed with exit code {self.code}.{OUTPUT}{_last(self.lines, LONG_END)}", REPEAT + by_hand)


def run(
    argv: list[str],
    folder: Path,
    env: Mapping[str, str],
    say: Say,
    cancelled: IsCancelled,
    hear: Hear = ignore,
    start: Start = supervised,
) -> Done:
    """Run a command to its end, or until `cancelled`; `say` is given the lines that it prints, `hear` the events that it tells.

    `start` starts it: as it is, or (`supervised_stage`) as a stage that needs no start of Python.

    Raises:
        Ended: it was ended.
    """
    lines, told = list[str](), list[Event]()

    def printed(line: bytes) -> None:
        if (text := line.decode(errors="replace").rstrip()).strip():
            lines.append(text)
            say(veiled(text))

    def heard(line: bytes) -> None:
        if (event := event_of(line)) is not None:
            told.append(event)
            hear(event)

    with pipe() as (events, variable), start(argv, {**env, **variable}, str(folder)) as process:
        assert process.stdout is not None and process.stdin is not None
        output, lifeline = process.stdout.fileno(), process.stdin
        pump({output: printed, events: heard}, output, lambda: lifeline.close() if cancelled() else None, LOOK_S)
        code = process.wait()
    if cancelled():
        raise Ended("The stage was ended.")
    return Done(code, lines, told)


def git(folder: Path, *arguments: str, cancelled: IsCancelled, env: Mapping[str, str]) -> str:
    """What git prints.

    Raises:
        InputError: it fails; the message holds its words.
        StageMayPass: another host was not reached, or it was not done in time.
    """
    begun = time.monotonic()

    def over() -> bool:
        return cancelled() or time.monotonic() - begun > GIT_S

    try:
        done = run(["git", *arguments], folder, {**env, "GIT_TERMINAL_PROMPT": "0"}, ignore, over)
    except Ended:
        if cancelled():
            raise
        raise StageMayPass(f"git {arguments[0]} was not done in {folder.name} within {GIT_S:.0f} s.", "Look at the network.") from None
    if done.code != 0:
        away = _AWAY.search("\n".join(done.lines)) is not None
        raise (StageMayPass if away else InputError)(
            f"git {arguments[0]} fails in {folder.name}:\n{_last(done.lines)}",
            "Check that this host may read the repository, and reaches it.",
        )
    return "\n".join(done.lines)


def _last(lines: list[str], count: int = LAST_LINES) -> str:
    return "\n".join(f"    {veiled(line)}" for line in lines[-count:])


def pause(seconds: float, cancelled: IsCancelled) -> None:
    """Wait.

    Raises:
        Ended: it was ended meanwhile.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if cancelled():
            raise Ended("The stage was ended.")
        time.sleep(LOOK_S)
