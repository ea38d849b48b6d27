"""Processes by what they really are: a number and the kernel's start time, so that a reused number is never mistaken.

The kernel counts that time in ticks since boot. psutil's `create_time` is the clock's, which moves when somebody sets it, and these
identities are compared from one program to the next.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgeloop.deadline import Deadline

PROC = Path("/proc")
POLL_S = 0.05
_SESSION, _START = 3, 19
"""Places in /proc/<pid>/stat behind the command's name: proc(5), fields 6 and 22."""


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for another one."""

    pid: int
    start_ticks: int
    """Clock ticks between boot and the start of the process."""
    boot_id: str


def identify(pid: int) -> Identity | None:
    """The identity of a live process; None when there is none with that number (a zombie is none)."""
    fields = _stat(pid)
    if fields is None or _is_over(pid, fields):
        return None
    return Identity(pid, int(fields[_START]), _boot_id())


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process still runs."""
    return identify(identity.pid) == identity


def end_session(leader: Identity, grace_s: float, kill_s: float = 10.0) -> bool:
    """End every process of the session that `leader` began: TERM, `grace_s` of waiting, KILL, at most `kill_s` more.

    Returns whether all of them are gone. Processes of anyone else are never touched: neither those of a process that
    got the leader's number later, nor those of another boot.
    """
    return _signal_and_wait(leader, signal.SIGTERM, grace_s) or _signal_and_wait(leader, signal.SIGKILL, kill_s)


def _signal_and_wait(leader: Identity, number: int, wait_s: float) -> bool:
    for member in _members(leader):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(member, number)
    deadline = Deadline.after(wait_s)
    while _members(leader):
        if deadline.is_over:
            return False
        time.sleep(POLL_S)
    return True


def _members(leader: Identity) -> list[int]:
    """The live processes of the leader's session; they may outlive it, and then keep its number from being reused."""
    if leader.boot_id != _boot_id():
        return []
    present = _stat(leader.pid)
    if present is not None and int(present[_START]) != leader.start_ticks:
        return []
    return [pid for pid in _pids() if _in_session(pid, leader)]


def _in_session(pid: int, leader: Identity) -> bool:
    fields = _stat(pid)
    if fields is None or _is_over(pid, fields):
        return False
    return int(fields[_SESSION]) == leader.pid and int(fields[_START]) >= leader.start_ticks


def _is_over(pid: int, fields: list[str]) -> bool:
    """Whether it is a zombie that holds nothing any more: its first thread may end while others still close ports."""
    if fields[0] != "Z":
        return False
    try:
        return len(list((PROC / str(pid) / "task").iterdir())) <= 1
    except OSError:
        return True


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat that follow the command's name (which may itself hold spaces and brackets)."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
