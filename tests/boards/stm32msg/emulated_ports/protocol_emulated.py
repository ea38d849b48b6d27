"""A port for pyserial, `emulated://NAME`: the line to a board that is emulated in this process, on which a test may lay hands."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeloop.boards.virtual.machine import Machine

Hand = Callable[[bytes, int], bytes]
"""Takes what crosses the line at once, and the host's rate; gives what arrives."""


def untouched(content: bytes, _rate: int) -> bytes:
    """Everything arrives."""
    return content


@dataclass
class EmulatedLine:
    """Both directions of a line."""

    machine: Machine
    up: Hand = untouched
    """To the board."""
    down: Hand = untouched
    fastest: int = 10_000_000
    """What the host's adapter can."""
    glitch: bytes = b""
    """What both ends hear when the rate changes."""
    rate: int = 0


lines: dict[str, EmulatedLine] = {}


class Serial:
    """As much of `serial.Serial` as a `Link` uses."""

    def __init__(self, _: None, baudrate: int, timeout: float, **__: Any) -> None:
        self.port, self._timeout, self._first = "", timeout, baudrate
        self._heard = bytearray()

    def open(self) -> None:
        """Take the line."""
        self._line = lines[self.port.removeprefix("emulated://")]
        self.baudrate = self._first

    @property
    def baudrate(self) -> int:
        """Of the host's end."""
        return self._line.rate

    @baudrate.setter
    def baudrate(self, rate: int) -> None:
        if rate > self._line.fastest:
            raise OSError("the adapter does not do that")
        self._line.rate = rate
        self._line.machine.hears_at(rate)
        if self._line.glitch:
            self._heard += self._line.glitch + self._line.machine.feed(self._line.glitch)

    @property
    def in_waiting(self) -> int:
        """What can be read at once."""
        return len(self._heard)

    def write(self, content: bytes) -> int:
        line = self._line
        self._heard += line.down(line.machine.feed(line.up(content, line.rate)), line.rate)
        return len(content)

    def read(self, most: int) -> bytes:
        if not self._heard:
            time.sleep(self._timeout)
        taken = bytes(self._heard[:most])
        del self._heard[:most]
        return taken

    def reset_output_buffer(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """The board notices nothing."""
