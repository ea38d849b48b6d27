"""Commands under supervision: git, and DVC's transfers, which wait while the store is away."""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeloop.errors import InputError, StageError, StageMayPass
from edgeloop.events import Event, Failure, Result, event_of, pipe
from flows.pump import pump
from flows.show.tables import OUTPUT, REPEAT
from flows.supervisor import supervised

Say = Callable[[str], object]
Hear = Callable[[Event], object]
Watch = Callable[[], bool]
"""Whether to give up."""
FIRST_WAIT_S, MOST_WAIT_S = 2.0, 20.0
LOOK_S = 0.2
ODD_TRIES = 3
LAST_LINES, LONG_END = 6, 12
STORE_S = float(os.environ.get("EDGELOOP_STORE_S", "600"))
"""So long the store (the DVC remote) may be away."""
GIT_S = 600.0
"""For one git command, which may fetch or push over a network."""
_AWAY = re.compile(
    r"could not connect|couldn't connect|cannot connect|failed to connect|connect(ion)? (timeout|refused|reset|was closed|broken)"
    r"|connection .*(refused|reset|closed|aborted)|timed out|name resolution|resolve host"
    r"|serviceunavailable|slowdown|internalerror|\b50[0234]\b|unreachable|endpoint url|disconnected",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"access ?denied|forbidden|unable to locate credentials|nocredentials|invalidaccesskeyid|signaturedoesnotmatch|no remote|nosuchbucket"
    r"|config file error|expiredtoken",
    re.IGNORECASE,
)
# What a store's address or a library may repeat of a key.
_SECRET = re.compile(r"(?<=://)[^/@\s]+@|\bAKIA[A-Z0-9]{12,}\b|(?i:(?<=X-Amz-Signature=)|(?<=X-Amz-Credential=))[^&\s]+")


class Ended(StageMayPass):
    """It was asked to give up."""


def ignore(_: object) -> None:
    """Of what is said or told."""


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


def run(argv: list[str], folder: Path, env: Mapping[str, str], say: Say, ended: Watch, hear: Hear = ignore) -> Done:
    """Run a command to its end, or until `ended`; `say` is given the lines that it prints, `hear` the events that it tells.

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

    with pipe() as (events, variable), supervised(argv, {**env, **variable}, str(folder)) as process:
        assert process.stdout is not None and process.stdin is not None
        output, lifeline = process.stdout.fileno(), process.stdin
        pump({output: printed, events: heard}, output, lambda: lifeline.close() if ended() else None, LOOK_S)
        code = process.wait()
    if ended():
        raise Ended("The stage was ended.")
    return Done(code, lines, told)


def transfer(arguments: list[str], folder: Path, env: Mapping[str, str], say: Say, ended: Watch) -> None:
    """`dvc ARGUMENTS` (a push or pull), again and again while the store does not answer.

    Raises:
        StageMayPass: the store was away for `STORE_S`.
        StageError: it refuses, or lacks what is asked of it.
    """
    begun, wait_s, tries = time.monotonic(), FIRST_WAIT_S, 0
    argv = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    while True:
        done = run(argv, folder, env, ignore, ended)
        tries += 1
        if done.code == 0:
            if tries > 1:
                say(f"the store answers again, after {time.monotonic() - begun:.0f} s")
            return
        said = "\n".join(done.lines)
        last = _last(done.lines)
        if _REFUSED.search(said):
            raise StageError(f"The store (DVC remote) refuses `dvc {' '.join(arguments)}`:\n{last}", "Check the remote's address and keys.")
        away = _AWAY.search(said) is not None
        if not away and tries >= ODD_TRIES:
            raise StageError(f"`dvc {' '.join(arguments)}` failed {tries} times:\n{last}", "Was everything pushed? See: dvc status --cloud")
        if time.monotonic() - begun + wait_s > STORE_S:
            raise StageMayPass(f"The store (DVC remote) was away for {STORE_S:.0f} s:\n{last}", "Start it, then run again.")
        say(f"{'the store does not answer' if away else 'the transfer failed'}: waiting {wait_s:.0f} s, then again")
        _sleep(wait_s, ended)
        wait_s = min(MOST_WAIT_S, wait_s * 1.5)


def git(folder: Path, *arguments: str, ended: Watch, env: Mapping[str, str]) -> str:
    """What git prints.

    Raises:
        InputError: it fails; the message holds its words.
        StageMayPass: another host was not reached, or it was not done in time.
    """
    begun = time.monotonic()

    def over() -> bool:
        return ended() or time.monotonic() - begun > GIT_S

    try:
        done = run(["git", *arguments], folder, {**env, "GIT_TERMINAL_PROMPT": "0"}, ignore, over)
    except Ended:
        if ended():
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


def _sleep(seconds: float, ended: Watch) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if ended():
            raise Ended("The stage was ended.")
        time.sleep(LOOK_S)
