"""A virtual board on its lines: what a client sends is fed to the machine, what the machine sends is carried back.

Nothing is done while nothing comes: the process sleeps in poll, and looks for a client of the pseudo-terminal 40 times a
second.
"""

import os
import select
import time
from collections import deque

from edgeloop.boards.virtual.faults import Fault, FaultyWire
from edgeloop.boards.virtual.lines import Connection, Listener, Terminal
from edgeloop.boards.virtual.machine import Machine

LOOK_S = 0.025
FIRST_LOOK_S = 0.001
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Server:
    """Serves one machine to one client at a time, until a descriptor is closed at its other end."""

    def __init__(self, machine: Machine, faults: list[Fault], terminal: Terminal, listener: Listener | None = None) -> None:
        self._machine = machine
        self._wire = FaultyWire(faults, machine.boot)
        self._terminal = terminal
        self._listener = listener
        self._client: Terminal | Connection | None = None
        self._due: deque[tuple[float, bytes]] = deque()

    def serve(self, until_closed: int) -> None:
        """Serve until the other end of the descriptor `until_closed` is closed.

        Raises:
            CoreFault: the firmware did what faults on the real part.
            BoardError: the firmware hangs.
        """
        while True:
            self._look_for_terminal()
            ready = self._wait(until_closed)
            if ready.get(until_closed, 0) and not _is_open(until_closed):
                return
            if self._listener is not None and self._listener.fileno() in ready:
                self._accept(self._listener)
            if self._client is not None and ready.get(self._client.fileno(), 0) & (select.POLLIN | _GONE):
                self._receive(self._client)
            self._send()

    def _wait(self, until_closed: int) -> dict[int, int]:
        poll = select.poll()
        poll.register(until_closed, select.POLLIN)
        if self._listener is not None:
            poll.register(self._listener.fileno(), select.POLLIN)
        if self._client is not None:
            can_send = self._due and self._due[0][0] <= time.monotonic()
            poll.register(self._client.fileno(), select.POLLIN | (select.POLLOUT if can_send else 0))
        return dict(poll.poll(self._patience_s() * 1000))

    def _patience_s(self) -> float:
        """Until something is due; a client that opens or closes the terminal is only found by looking."""
        late = self._due[0][0] - time.monotonic() if self._due else LOOK_S
        return min(max(late, FIRST_LOOK_S), LOOK_S) if self._client in (None, self._terminal) else max(late, LOOK_S)

    def _look_for_terminal(self) -> None:
        if self._client is None and self._terminal.has_client():
            self._client = self._terminal

    def _accept(self, listener: Listener) -> None:
        connection = listener.accept()
        if connection is None:
            return
        if self._client is None:
            self._client = connection
        else:
            # The board is taken: nobody is left waiting for an answer.
            connection.close()

    def _receive(self, client: Terminal | Connection) -> None:
        received = client.read()
        if received:
            self._plan(received)
        elif client is not self._terminal or not self._terminal.has_client():
            self._hang_up(client)

    def _plan(self, received: bytes) -> None:
        due = max(time.monotonic(), self._due[-1][0] if self._due else 0.0)
        for delivery in self._wire.carry(self._machine.feed(received)):
            due += delivery.delay_s
            if delivery.content:
                self._due.append((due, delivery.content))

    def _send(self) -> None:
        while self._client is not None and self._due and self._due[0][0] <= time.monotonic():
            due, content = self._due.popleft()
            written = self._client.write(content)
            if written < len(content):
                self._due.appendleft((due, content[written:]))
                return

    def _hang_up(self, client: Terminal | Connection) -> None:
        self._client = None
        self._due.clear()
        if isinstance(client, Connection):
            client.close()
        else:
            client.discard()
        self._machine.hang_up()


def _is_open(descriptor: int) -> bool:
    """Whether the other end is still there; what it writes is thrown away."""
    return bool(os.read(descriptor, 4096))
