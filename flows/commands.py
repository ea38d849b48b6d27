"""Commands under supervision: git, and DVC's transfers, which wait while the store is away."""

import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from edgeloop.errors import InputError, StageError, StageMayPass
from flows.supervisor import supervised

Say = Callable[[str], object]
Watch = Callable[[], bool]
"""Whether to give up."""
FIRST_WAIT_S, MOST_WAIT_S = 2.0, 20.0
LOOK_S = 0.2
ODD_TRIES = 3
LAST_LINES = 6
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


def environment() -> dict[str, str]:
    """For children: this Python's programs come first; how to reach Prefect's server is none of their business."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return own | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", "COLUMNS": "160"}


def veiled(line: str) -> str:
    """A line without what may be a secret in it."""
    return _SECRET.sub("***", line)


def run(argv: list[str], folder: Path, env: Mapping[str, str], say: Say, ended: Watch) -> tuple[int, list[str]]:
    """Run a command to its end, or until `ended`; returns its exit code and its lines.

    Raises:
        Ended: it was ended.
    """
    lines: list[str] = []
    with supervised(argv, dict(env), str(folder)) as process, _watched(process.stdin, ended):
        for line in process.stdout or ():
            if line.strip():
                lines.append(line.rstrip())
                say(veiled(lines[-1]))
        code = process.wait()
    if ended():
        raise Ended("The stage was ended.")
    return code, lines


def transfer(arguments: list[str], folder: Path, env: Mapping[str, str], say: Say, ended: Watch) -> None:
    """`dvc ARGUMENTS` (a push or pull), again and again while the store does not answer.

    Raises:
        StageMayPass: the store was away for `STORE_S`.
        StageError: it refuses, or lacks what is asked of it.
    """
    begun, wait_s, tries = time.monotonic(), FIRST_WAIT_S, 0
    argv = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    while True:
        code, lines = run(argv, folder, env, lambda _: None, ended)
        tries += 1
        if code == 0:
            if tries > 1:
                say(f"the store answers again, after {time.monotonic() - begun:.0f} s")
            return
        said = "\n".join(lines)
        last = _last(lines)
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
        code, lines = run(["git", *arguments], folder, {**env, "GIT_TERMINAL_PROMPT": "0"}, lambda _: None, over)
    except Ended:
        if ended():
            raise
        raise StageMayPass(f"git {arguments[0]} was not done in {folder.name} within {GIT_S:.0f} s.", "Look at the network.") from None
    if code != 0:
        away = _AWAY.search("\n".join(lines)) is not None
        raise (StageMayPass if away else InputError)(
            f"git {arguments[0]} fails in {folder.name}:\n{_last(lines)}", "Check that this host may read the repository, and reaches it."
        )
    return "\n".join(lines)


@contextmanager
def _watched(pipe: IO[str] | None, ended: Watch) -> Iterator[None]:
    """Close the supervisor's input, which ends the command, as soon as `ended`."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            if ended():
                if pipe is not None:
                    pipe.close()
                return

    threading.Thread(target=look, name="watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _last(lines: list[str]) -> str:
    return "\n".join(f"    {veiled(line)}" for line in lines[-LAST_LINES:])


def _sleep(seconds: float, ended: Watch) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if ended():
            raise Ended("The stage was ended.")
        time.sleep(LOOK_S)
