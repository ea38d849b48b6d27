"""The board without its wires: a core that runs the firmware, bytes into its serial port, and bytes out of it."""

import time
from collections.abc import Iterator

from edgeloop.boards.virtual import wire
from edgeloop.boards.virtual.core import Core, Stop
from edgeloop.boards.virtual.elf import Program
from edgeloop.boards.virtual.parts import Part
from edgeloop.boards.virtual.peripherals import LONGEST_IDLE_S, CycleCounter, Uart
from edgeloop.errors import BoardError

PART_INSTRUCTIONS = 50_000_000
"""After so many it is looked whether a part of the answer can be handed on."""
ANSWER_DEADLINE_S = 600.0


class Machine:
    """A part with a program in its flash memory. `boot` comes first."""

    def __init__(self, part: Part, program: Program) -> None:
        """Load `program`.

        Raises:
            BoardError: it does not fit into the part.
        """
        self.core = Core(part, program)
        self._uart = Uart(self.core)
        self._counter = CycleCounter(self.core)
        self._idle_since = time.monotonic()

    def boot(self) -> bytes:
        """Start from the reset vector; what is printed until the firmware waits for its first byte.

        Raises:
            CoreFault: the firmware does what faults on the part.
            BoardError: there is nothing that can start, or it never waits.
        """
        self.core.reset()
        self._uart.clear()
        return self.feed(b"")

    def feed(self, received: bytes, deadline_s: float = ANSWER_DEADLINE_S) -> bytes:
        """Bytes arrive; run until the firmware has read all of them and waits for more. Gives what it has sent.

        Raises:
            CoreFault: the firmware does what faults on the part.
            BoardError: it does not come to an end.
        """
        return b"".join(self.answers(received, deadline_s))

    def answers(self, received: bytes, deadline_s: float = ANSWER_DEADLINE_S) -> Iterator[bytes]:
        """As `feed`, in parts: whole messages up to the last whole tensor, or all of it at the end.

        A run that sends every layer's data takes long as a whole, and clients have little patience between the messages
        of one layer: these are handed on together.
        """
        deadline = time.monotonic() + deadline_s
        self._counter.rest(time.monotonic() - self._idle_since)
        self._uart.feed(received)
        while (stop := self.core.run(PART_INSTRUCTIONS, deadline_s)) is Stop.LIMIT:
            yield self._taken(wire.end_of_tensors(self._uart.sent))
            if time.monotonic() >= deadline:
                break
        self._idle_since = time.monotonic()
        if stop is not Stop.ASKED or self._uart.waiting:
            raise BoardError("The firmware does not wait for a byte.", "Its program has ended or hangs: build it anew.")
        yield self._taken(len(self._uart.sent))

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._uart.sent[:size])
        del self._uart.sent[:size]
        return taken

    def hang_up(self) -> None:
        """The host has gone: the firmware is told that time has passed, and gives up a message that is half received."""
        self._counter.rest(LONGEST_IDLE_S)
        self.feed(b"")
