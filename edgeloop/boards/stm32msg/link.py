"""A serial port, a pseudo-terminal or a TCP connection as a stream of bytes on which every wait has a deadline."""

import errno
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import serial

from edgeloop.deadline import Deadline
from edgeloop.errors import BoardError, BoardSilent

RATE = 115_200
POLL_S = 0.05
"""Longest single wait on the port; a deadline is overrun by at most this."""
QUIET_S = 0.1
"""A port that gave nothing for this long is quiet."""
WRITE_S = 5.0
MOST_DRAINED_BYTES = 1 << 25
_FORBIDDEN = "this user may not", "sudo usermod -aG dialout $USER, then log out and in: edgeloop doctor names the group"
_IN_USE = "another program uses it", "End that (a terminal, ModemManager, brltty): edgeloop doctor"
_REFUSALS = {errno.EACCES: _FORBIDDEN, errno.EPERM: _FORBIDDEN, errno.EBUSY: _IN_USE, errno.EAGAIN: _IN_USE}
"""Why a port cannot be opened, and what to do; pyserial's lock is refused with EAGAIN."""


class Link:
    """An open port, held exclusively. `address` is a device path or a URL of pyserial (socket://, rfc2217://).

    Raises:
        BoardError: the port is not there or is in use; later on: it went away.
    """

    def __init__(self, address: str, rate: int = RATE) -> None:
        self.address = address
        self.rate = rate
        """Baud; of a TCP connection, what is said to it and does nothing."""
        self._unread = bytearray()
        """What has come and was not asked for yet: reading packet by packet from the port itself takes several times as long."""
        try:
            self._port: Any = serial.serial_for_url(address, baudrate=rate, timeout=POLL_S, write_timeout=WRITE_S, exclusive=True)
        except (OSError, ValueError) as error:
            why, remedy = _REFUSALS.get(getattr(error, "errno", None) or 0, (str(error), "Check the cable and the name: edgeloop doctor"))
            raise BoardError(f"The port {address} cannot be opened: {why}", remedy) from error

    @property
    def has_rate(self) -> bool:
        """Whether a rate can be chosen here; behind a bare TCP connection it is somebody else's."""
        return not self.address.startswith("socket://")

    def change(self, rate: int) -> None:
        """Go over to another rate. What has not gone out yet is lost: only what was answered surely has.

        Raises:
            BoardError: the port cannot.
        """
        if rate == self.rate:
            return
        self.rate = rate
        try:
            self._port.reset_output_buffer()
            self._port.baudrate = rate
        except (OSError, ValueError, termios.error) as error:
            raise BoardError(f"The port {self.address} does not go over to {rate} baud: {error}", "Connect again.") from error

    def write(self, content: bytes) -> None:
        with self._explained():
            self._port.write(content)

    def read(self, count: int, deadline: Deadline) -> bytes:
        """Exactly `count` bytes.

        Raises:
            BoardSilent: they had not come by the deadline.
        """
        read = bytearray()
        while len(read) < count:
            read += self._available(count - len(read))
            if len(read) < count and deadline.is_over:
                raise BoardSilent(
                    f"The board on {self.address} sent {len(read)} of {count} bytes within {deadline.seconds:.1f} s.",
                    "Check that it runs the validation firmware and is not held by a debugger; reset it and try again.",
                )
        return bytes(read)

    def drain(self, seconds: float) -> bytes:
        """Take what comes until the port is quiet; for at most `seconds`, and at most `MOST_DRAINED_BYTES`.

        Raises:
            BoardError: it does not fall silent.
        """
        taken, quiet_s, end = bytearray(), 0.0, Deadline.after(seconds)
        while quiet_s < QUIET_S:
            asked = time.monotonic()
            taken += (more := self._available(4096))
            # A wait that took longer was held up, as what sends on this machine may have been with it: it counts as one wait.
            quiet_s = 0.0 if more else quiet_s + min(time.monotonic() - asked, POLL_S)
            if end.is_over or len(taken) > MOST_DRAINED_BYTES:
                raise BoardError(
                    f"The board on {self.address} does not stop sending ({len(taken)} bytes without being asked).",
                    "It runs another firmware, or the port's rate is wrong.",
                )
        return bytes(taken)

    @property
    def has_unread(self) -> bool:
        """Whether something has come that nobody waited for."""
        with self._explained():
            return bool(self._unread or self._port.in_waiting)

    def close(self) -> None:
        self._port.close()

    def _available(self, most: int) -> bytes:
        """Up to `most` bytes; fewer when they do not come within `POLL_S`."""
        if not self._unread:
            with self._explained():
                self._unread += self._port.read(max(most, self._port.in_waiting))
        taken = bytes(self._unread[:most])
        del self._unread[:most]
        return taken

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except serial.SerialTimeoutException:
            raise BoardSilent(f"The board on {self.address} takes no bytes for {WRITE_S:g} s.", "Reset it and try again.") from None
        except OSError as error:
            raise BoardError(
                f"The connection to the board on {self.address} is lost: {error}", "Check the cable; connect again."
            ) from error
