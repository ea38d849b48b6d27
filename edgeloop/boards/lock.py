"""One holder a board, machine-wide: a kernel lock that ends with its holder, and a fair queue in front of it.

Exclusion rests on `flock` alone, the queue only says whose turn it is: whatever happens to the queue's file, two
processes never hold one board. A board's key is its probe's serial number or its address (`edgeloop.boards.lab.find`).
"""

import datetime as dt
import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from pydantic import ConfigDict, ValidationError

from edgeloop.boards.lockfiles import LockFiles, held_elsewhere, is_at, lock_files, open_shared, rewrite, try_lock
from edgeloop.boards.queue import Claim, Queue, myself
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardBusy, BoardError

POLL_S = 0.05
LEAST_WAIT_S = 0.3
"""Even who does not want to wait tries this long: a look at the lock by `edgeloop boards` holds it for an instant."""
SETTLE_S = 0.2
"""How long a new holder may take to write down who it is."""

_open_locks: set[int] = set()


class Holder(Claim):
    """Who holds a board."""

    model_config = ConfigDict(frozen=True)

    host: str
    user: str
    since_utc: str

    def __str__(self) -> str:
        return f"{self.run} ({self.user}@{self.host}, process {self.pid}) since {self.since_utc}"


@dataclass(frozen=True)
class Occupancy:
    """Whether a board is held, by whom (None: its holder has not said, or is gone and left a child behind), and who waits."""

    held: bool
    holder: Holder | None
    waiting: list[str]


@dataclass(frozen=True)
class Held:
    """A board that this process holds. `descriptor` may be passed to a child, which then holds the board too."""

    key: str
    descriptor: int


Watcher = Callable[[int, Holder | None], None]
"""Told, whenever it changes, how many wait in front, and who holds the board."""


@contextmanager
def hold(key: str, run: str, wait_s: float, watcher: Watcher | None = None) -> Iterator[Held]:
    """Hold the board with this key; others that want it wait in the order in which they came.

    Raises:
        BoardBusy: somebody else has held it for `wait_s`.
        BoardError: the machine's folder of locks cannot be used.
    """
    me = _myself(run)
    files = lock_files(key)
    descriptor = _acquire(files, me, wait_s, watcher)
    _open_locks.add(descriptor)
    try:
        with _signed(descriptor, me):
            yield Held(key, descriptor)
    finally:
        _open_locks.discard(descriptor)
        os.close(descriptor)


def occupancy(key: str) -> Occupancy:
    """Who holds the board with this key, and who waits for it; holds nothing up.

    Raises:
        BoardError: the machine's folder of locks cannot be used.
    """
    files = lock_files(key)
    settled = Deadline.after(SETTLE_S)
    while held_elsewhere(files.lock):
        holder = _read_holder(files)
        if (holder is not None and holder.is_alive) or settled.is_over:
            alive = holder if holder is not None and holder.is_alive else None
            return Occupancy(True, alive, Queue(files.queue).runs())
        time.sleep(POLL_S)
    return Occupancy(False, None, Queue(files.queue).runs())


@contextmanager
def _signed(descriptor: int, me: Holder) -> Iterator[None]:
    """Say in the locked file who holds it."""
    try:
        rewrite(descriptor, me.model_dump_json())
    except OSError as error:
        raise BoardError(
            f"The board's lock cannot be signed: {error.strerror}.", "Free some space on that disk: edgeloop doctor"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):
            rewrite(descriptor, "")


def _acquire(files: LockFiles, me: Holder, wait_s: float, watcher: Watcher | None) -> int:
    """The descriptor of the locked file, once it is this process's turn and the board is free."""
    deadline = Deadline.after(max(wait_s, LEAST_WAIT_S))
    descriptor, queue, told = open_shared(files.lock), Queue(files.queue), None
    ticket = queue.new_ticket(me.run)
    acquired = False
    try:
        while not acquired:
            ahead = queue.place(ticket, deadline)
            if ahead == 0 and try_lock(descriptor):
                acquired = is_at(descriptor, files.lock)
                if not acquired:  # somebody tidied up the folder: a lock on a removed file locks nothing
                    os.close(descriptor)
                    descriptor = open_shared(files.lock)
                continue
            holder = _read_holder(files)
            if watcher is not None and (ahead, holder) != told:
                told = (ahead, holder)
                watcher(ahead, holder)
            if deadline.is_over:
                raise _busy(me, holder, ahead, wait_s)
            time.sleep(POLL_S)
    finally:
        with suppress(BoardError):
            queue.leave(ticket)
        if not acquired:
            os.close(descriptor)
    return descriptor


def _busy(me: Holder, holder: Holder | None, ahead: int, wait_s: float) -> BoardBusy:
    who = f"held by {holder}" if holder is not None and holder.is_alive else "held by a process that did not say who it is"
    others = f"; {ahead} more wait in front" if ahead else ""
    return BoardBusy(
        f"{me.run} did not get the board within {wait_s:.0f} s: it is {who}{others}.",
        "Wait for it to end, or end that process: the board is free at once. See: edgeloop boards",
    )


def _read_holder(files: LockFiles) -> Holder | None:
    """What the last holder wrote; None when it is not there or only half there."""
    try:
        return Holder.model_validate_json(files.lock.read_bytes())
    except (OSError, ValidationError):
        return None


def _myself(run: str) -> Holder:
    since_utc = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return Holder(host=socket.gethostname(), user=_user(), run=run, since_utc=since_utc, **asdict(myself()))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _forget() -> None:
    """A forked child (a data loader's worker, say) must not keep its parent's boards when the parent dies."""
    for descriptor in _open_locks:
        with suppress(OSError):
            os.close(descriptor)
    _open_locks.clear()


os.register_at_fork(after_in_child=_forget)
