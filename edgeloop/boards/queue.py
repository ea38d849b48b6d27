"""Who waits for a board, in the order of arrival: a small file that is edited under its own lock.

A waiter whose process is gone or stopped does not count. A damaged or lost file costs the order, nothing else: who
does not find itself in it joins at the end.
"""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import BaseModel, ValidationError

from edgeloop.boards.lockfiles import MOST_BYTES, open_shared, rewrite, try_lock
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardBusy, BoardError
from edgeloop.services.processes import PROC, Identity, identify, is_alive

EDIT_S = 5.0
POLL_S = 0.005
_STOPPED = ("T", "t")


class Claim(BaseModel):
    """A process that holds a board, or waits for it."""

    pid: int
    start_ticks: int
    boot_id: str
    run: str
    """What it wants the board for, e.g. a stage."""

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs, as far as this process can see."""
        return is_alive(Identity(self.pid, self.start_ticks, self.boot_id))


class Ticket(Claim):
    """One waiter."""

    token: str

    @property
    def waits(self) -> bool:
        """Whether its process is alive and goes on."""
        return self.is_alive and _state(self.pid) not in _STOPPED


class _Tickets(BaseModel):
    waiting: list[Ticket] = []


class Queue:
    """The waiters in front of one board."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @staticmethod
    def new_ticket(run: str) -> Ticket:
        """A ticket of this process; it is in no queue before `place` is asked for."""
        return Ticket(token=uuid.uuid4().hex, run=run, **asdict(myself()))

    def place(self, ticket: Ticket, deadline: Deadline) -> int:
        """How many wait in front of this ticket, which joins at the end if it is not in the queue.

        Raises:
            BoardBusy: somebody has kept the queue's file locked until `deadline` (and for some seconds).
        """
        with self._edited(deadline) as tickets:
            tickets[:] = [other for other in tickets if other.token == ticket.token or other.is_alive]
            if all(other.token != ticket.token for other in tickets):
                tickets.append(ticket)
            ahead = tickets[: [other.token for other in tickets].index(ticket.token)]
        return sum(other.waits for other in ahead)

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket out.

        Raises:
            BoardBusy: as for `place`.
        """
        with self._edited(Deadline.after(EDIT_S)) as tickets:
            tickets[:] = [other for other in tickets if other.token != ticket.token]

    def runs(self) -> list[str]:
        """What the waiters want the board for, in order; only looks."""
        try:
            return [ticket.run for ticket in _parse(self._path.read_bytes()) if ticket.waits]
        except OSError:
            return []

    @contextmanager
    def _edited(self, deadline: Deadline) -> Iterator[list[Ticket]]:
        """The tickets, under the file's lock; what changed is written back."""
        # Whoever waits no longer still leaves the queue in order.
        editing = Deadline.after(EDIT_S)
        descriptor = open_shared(self._path)
        try:
            while not try_lock(descriptor):
                if deadline.is_over and editing.is_over:
                    raise BoardBusy(
                        f"The queue {self._path} is locked by a process that does not go on.", "End it: see `fuser -v` on that file."
                    )
                time.sleep(POLL_S)
            before = os.pread(descriptor, MOST_BYTES, 0)
            tickets = _parse(before)
            yield tickets
            after = _Tickets(waiting=tickets).model_dump_json()
            if after.encode() != before:
                rewrite(descriptor, after)
        finally:
            os.close(descriptor)


def myself() -> Identity:
    """This process.

    Raises:
        BoardError: it cannot see itself.
    """
    identity = identify(os.getpid())
    if identity is None:
        raise BoardError("This process cannot see itself in /proc.", "Mount /proc.")
    return identity


def _parse(content: bytes) -> list[Ticket]:
    try:
        return _Tickets.model_validate_json(content).waiting
    except ValidationError:
        return []


def _state(pid: int) -> str:
    """The letter of the process's state (proc(5)), or nothing when it is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return ""
