"""Libraries that write notes for their developers to the file descriptors 1 and 2, from C++ too: kept from the user.

What they wrote is shown when something fails. Other output of the process in that time is held back as well.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import IO

_ONE_AT_A_TIME = threading.RLock()
_seen: set[str] = set()


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to standard output and standard error; an exception that leaves shows it on stderr."""
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as caught:
        kept = _redirect(caught)
        try:
            yield
        except BaseException:
            _restore(kept)
            kept = []
            _show(caught)
            raise
        finally:
            _restore(kept)


@contextmanager
def quiet_at_first(library: str) -> Iterator[None]:
    """`quiet` for the first use of a library in this process, whose notes come once; later uses are left alone."""
    with _ONE_AT_A_TIME:
        first = library not in _seen
        _seen.add(library)
    with quiet() if first else nullcontext():
        yield


def _redirect(target: IO[bytes]) -> list[tuple[int, int]]:
    """Point both descriptors at `target`; gives each with a copy of what it was."""
    _flush()
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    for descriptor, _ in kept:
        os.dup2(target.fileno(), descriptor)
    return kept


def _restore(kept: list[tuple[int, int]]) -> None:
    if kept:
        _flush()
    for descriptor, copy in kept:
        os.dup2(copy, descriptor)
        os.close(copy)


def _show(caught: IO[bytes]) -> None:
    caught.seek(0)
    sys.stderr.write(caught.read().decode(errors="replace"))
    sys.stderr.flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
