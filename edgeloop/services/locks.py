"""Exclusive locks between processes, on files: the kernel frees one when its holder ends, however it ends."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeloop.deadline import Deadline

POLL_S = 0.1


@contextmanager
def exclusive(path: Path, deadline_s: float) -> Iterator[None]:
    """Hold the lock on the file `path` (made when absent, never deleted).

    Raises:
        TimeoutError: somebody else has held it for `deadline_s`.
        OSError: the file cannot be opened for writing.
    """
    with path.open("ab") as lock:
        deadline = Deadline.after(deadline_s)
        while not _try_lock(lock.fileno()):
            if deadline.is_over:
                raise TimeoutError(f"{path} is locked")
            time.sleep(POLL_S)
        yield


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
