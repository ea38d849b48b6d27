"""A port for pyserial, `recorded://NAME`: it gives the bytes of a recording once something was written, then it is unplugged."""

from typing import Any

recordings: dict[str, bytes] = {}


class Serial:
    """As much of `serial.Serial` as a `Link` uses."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.port = ""
        self._content = b""
        self._place = 0
        self._is_asked = False
        self.in_waiting = 0
        """Nothing is ever seen too early, so that damage is met as deep as possible."""

    def open(self) -> None:
        """Begin at the recording's first byte."""
        self._content = recordings[self.port.removeprefix("recorded://")]

    def write(self, content: bytes) -> int:
        self._is_asked = True
        return len(content)

    def read(self, most: int) -> bytes:
        if not self._is_asked:
            return b""
        if self._place >= len(self._content):
            raise OSError("the recording is over")
        taken = self._content[self._place : self._place + most]
        self._place += len(taken)
        return taken

    def reset_output_buffer(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing to give back."""
