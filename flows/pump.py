"""Reads several pipes at once, line by line, in one thread."""

import os
import selectors
from collections.abc import Callable, Mapping
from contextlib import suppress

Take = Callable[[bytes], object]
CHUNK = 1 << 16


def pump(takers: Mapping[int, Take], main: int, idle: Callable[[], object], every_s: float) -> None:
    """Give the lines of each descriptor to its taker until `main` ends, and then what the others hold.

    `idle` is called between, at least every `every_s`. A last line may lack its end.
    """
    readers = {descriptor: _Reader(descriptor, take) for descriptor, take in takers.items()}
    with selectors.DefaultSelector() as selector:
        for descriptor in readers:
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        while not readers[main].ended:
            for key, _ in selector.select(every_s):
                reader = readers[key.fd]
                reader.read()
                if reader.ended:
                    selector.unregister(key.fd)
            idle()
    for reader in readers.values():
        reader.finish()


class _Reader:
    def __init__(self, descriptor: int, take: Take) -> None:
        self._descriptor, self._take = descriptor, take
        self._rest = b""
        self.ended = False

    def read(self) -> int:
        """Take what is there; returns how many bytes that were."""
        data = b""
        with suppress(BlockingIOError):
            data = os.read(self._descriptor, CHUNK)
            self.ended = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        return len(data)

    def finish(self) -> None:
        """Take all that is still there."""
        while not self.ended and self.read():
            pass
        if self._rest:
            self._take(self._rest)
            self._rest = b""
