"""A virtual board on its lines: what a client sends is fed to the machine, what the machine sends is carried back.

The machine computes only while nothing waits to be sent: a client has no patience within the messages of one layer, and a line
takes little at once. Nothing is done while nothing comes: the process sleeps in poll.
"""

import os
import select
import time
from collections import deque

from edgeloop.boards.virtual.faults import Delivery, Fault, FaultyWire
from edgeloop.boards.virtual.lines import READ_BYTES, Connection, Listener, Terminal
from edgeloop.boards.virtual.machine import Machine

MILLISECONDS = 1000


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
            ready = self._wait(until_closed)
            if until_closed in ready and not os.read(until_closed, READ_BYTES):
                return
            for line in (self._terminal, self._client):
                if line is not None and line.fileno() in ready:
                    self._receive(line)
            # Last: a client that has gone makes room for one that has come since.
            if self._listener is not None and self._listener.fileno() in ready:
                self._accept(self._listener)
            self._send()
            if self._machine.is_computing and not self._is_late:
                self._compute()
                self._send()

    def _wait(self, until_closed: int) -> set[int]:
        poll = select.poll()
        for line in (self._listener, self._terminal, self._client):
            if line is not None:
                poll.register(line.fileno(), select.POLLIN)
        poll.register(until_closed, select.POLLIN)
        late_s = self._due[0][0] - time.monotonic() if self._due else None
        if late_s is not None and late_s <= 0 and self._client is not None:
            # It is due and could not be written: the client reads too slowly.
            late_s = None
            poll.register(self._client.output_fileno(), select.POLLOUT | select.POLLIN)
        elif self._machine.is_computing:
            return {descriptor for descriptor, _ in poll.poll(0)}
        return {descriptor for descriptor, _ in poll.poll(None if late_s is None else max(late_s, 0.0) * MILLISECONDS + 1)}

    @property
    def _is_late(self) -> bool:
        """Whether something could have been sent by now."""
        return bool(self._due) and self._due[0][0] <= time.monotonic()

    def _accept(self, listener: Listener) -> None:
        connection = listener.accept()
        if connection is None:
            return
        if self._client is None:
            self._client = connection
        else:
            # The board is taken: nobody is left waiting for an answer.
            connection.hang_up()

    def _receive(self, line: Terminal | Connection) -> None:
        """From the one client; what somebody else sends meanwhile is lost."""
        received, is_gone = line.receive()
        if self._client is None and received:
            self._client = line
        if self._client is not line:
            return
        if received:
            self._machine.hears_at(line.rate)
            self._machine.take(received)
        if is_gone:
            self._hang_up(line)

    def _compute(self) -> None:
        """The next part of the answers to what has come."""
        if self._client is not None:
            self._machine.hears_at(self._client.rate)
        sent = self._machine.go_on()
        due = max(time.monotonic(), self._due[-1][0] if self._due else 0.0)
        for delivery in [Delivery(sent)] if self._machine.is_garbled else self._wire.carry(sent):
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

    def _hang_up(self, line: Terminal | Connection) -> None:
        while self._machine.is_computing:
            self._compute()
        self._client = None
        self._due.clear()
        line.hang_up()
        self._machine.hang_up()
