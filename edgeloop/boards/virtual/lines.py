"""Lines to a virtual board: a pseudo-terminal and, where asked for, TCP on loopback. One client has the board at a time."""

import errno
import os
import pty
import re
import select
import socket
import termios
import tty
from contextlib import suppress

from edgeloop.errors import BoardError
from edgeloop.firmware.headers import BAUD

READ_BYTES = 1 << 16
_HOST = "127.0.0.1"
_RATES = {getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch(r"B\d+", name)}
_OUTPUT_RATE = 5
"""Its place in what termios.tcgetattr gives."""


class Terminal:
    """A pseudo-terminal, raw; its name stays the same while clients come and go.

    Without a client the kernel reports it as hung up all the time; only changes of its state are waited for.
    """

    def __init__(self) -> None:
        self.master, device = pty.openpty()
        tty.setraw(device)
        self.name = os.ttyname(device)
        # Kept closed, so that the kernel tells when a client goes.
        os.close(device)
        os.set_blocking(self.master, False)
        self._changes = select.epoll()
        self._changes.register(self.master, select.EPOLLIN | select.EPOLLET)

    @property
    def rate(self) -> int:
        """Baud, as the client has set its end: both ends have one setting. 0: one that has no name, or the client hangs up."""
        return _RATES.get(termios.tcgetattr(self.master)[_OUTPUT_RATE], 0)

    def fileno(self) -> int:
        """For poll: readable when `receive` has something to tell."""
        return self._changes.fileno()

    def output_fileno(self) -> int:
        """For poll: writable when `write` can go on."""
        return self.master

    def receive(self) -> tuple[bytes, bool]:
        """What has come, and whether the client has gone."""
        self._changes.poll(0)
        received = bytearray()
        while True:
            try:
                received += os.read(self.master, READ_BYTES)
            except OSError as error:
                if error.errno in (errno.EIO, errno.EAGAIN):
                    return bytes(received), error.errno == errno.EIO
                raise

    def write(self, content: bytes) -> int:
        """How many bytes could be written now; what nobody reads any more counts as written."""
        try:
            return os.write(self.master, content)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EAGAIN):
                return len(content) if error.errno == errno.EIO else 0
            raise

    def hang_up(self) -> None:
        """Forget what a client that has gone had not read."""
        with suppress(OSError):
            device = os.open(self.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                termios.tcflush(device, termios.TCIFLUSH)
            finally:
                os.close(device)

    def close(self) -> None:
        """Give it back."""
        self._changes.close()
        os.close(self.master)


class Listener:
    """A TCP port on loopback."""

    def __init__(self, port: int) -> None:
        """Listen on a port, or on any free one (0).

        Raises:
            BoardError: the port is taken.
        """
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise BoardError(f"Port {port} cannot be had: {error}.", "Give another one, or 0 for any.") from error
        self._socket.listen(4)
        self._socket.setblocking(False)

    @property
    def address(self) -> str:
        """As host:port."""
        return f"{_HOST}:{self._socket.getsockname()[1]}"

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    def accept(self) -> "Connection | None":
        """A client that has come; None where it has gone again."""
        try:
            client, _ = self._socket.accept()
        except OSError:
            return None
        return Connection(client)

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class Connection:
    """A client by TCP: there is no rate, and so what stands between line and network keeps that of the first contact."""

    rate = BAUD

    def __init__(self, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = client

    def fileno(self) -> int:
        """For poll: readable when `receive` has something to tell."""
        return self._socket.fileno()

    output_fileno = fileno

    def receive(self) -> tuple[bytes, bool]:
        """What has come, and whether the client has gone."""
        try:
            received = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return b"", False
        except ConnectionError:
            return b"", True
        return received, not received

    def write(self, content: bytes) -> int:
        """How many bytes could be written now; what nobody reads any more counts as written."""
        try:
            return self._socket.send(content)
        except BlockingIOError:
            return 0
        except ConnectionError:
            return len(content)

    def hang_up(self) -> None:
        """Close it."""
        self._socket.close()
