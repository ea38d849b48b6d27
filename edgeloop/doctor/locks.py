"""Checks of the boards' locks: usable by this user, and not kept by what a dead or stopped holder left."""

import os
from collections.abc import Iterator

from edgeloop.boards.lab.find import find
from edgeloop.boards.lock import occupancy
from edgeloop.boards.lockfiles import lock_files, open_shared
from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine, lines
from edgeloop.errors import BoardError

_TRIAL = "edgeloop doctor"


def usable(_: Machine) -> Iterator[Finding]:
    """By really opening a lock, one that no board has."""
    try:
        files = lock_files(_TRIAL)
        os.close(open_shared(files.lock))
    except BoardError as error:
        yield found("locks-unusable", reason=error.what, remedy=error.remedy)


def held(machine: Machine) -> Iterator[Finding]:
    for board in machine.lab.all():
        try:
            key = find(board, machine.workspace.root if machine.workspace else machine.start, machine.root).key
            seen = occupancy(key)
        except BoardError:
            continue
        if seen.held and seen.holder is None:
            openers = machine.openers(lock_files(key).lock)
            holders = ", ".join(f"{name} (process {pid})" for pid, name in openers) or "a process of another user"
            yield found("lock-left-behind", board=board.name, holders=holders, pids=" ".join(str(pid) for pid, _ in openers) or "PID")
        elif seen.holder is not None and _is_stopped(machine, seen.holder.pid):
            yield found("holder-stopped", board=board.name, pid=seen.holder.pid, run=seen.holder.run)


def _is_stopped(machine: Machine, pid: int) -> bool:
    status = lines(machine.root / "proc" / str(pid) / "status")
    return any(line.startswith("State:") and line.split()[1] in ("T", "t") for line in status)


CHECKS = (
    Check("folder of the boards' locks", usable),
    Check("locks that are held", held),
)
