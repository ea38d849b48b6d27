"""The board without its wires: a core that runs the firmware, bytes into its serial port, and bytes out of it."""

import time

from edgeloop.boards.virtual.core import Core, Stop
from edgeloop.boards.virtual.elf import Program
from edgeloop.boards.virtual.parts import Part
from edgeloop.boards.virtual.peripherals import LONGEST_IDLE_S, CycleCounter, Uart
from edgeloop.errors import BoardError

MOST_INSTRUCTIONS = 100_000_000_000
"""In answer to what was fed; the largest network takes a hundredth of it."""
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
        self._counter.rest(time.monotonic() - self._idle_since)
        self._uart.feed(received)
        stop = self.core.run(MOST_INSTRUCTIONS, deadline_s)
        self._idle_since = time.monotonic()
        if stop is not Stop.ASKED or self._uart.waiting:
            raise BoardError("The firmware does not wait for a byte.", "Its program has ended or hangs: build it anew.")
        sent = bytes(self._uart.sent)
        self._uart.sent.clear()
        return sent

    def hang_up(self) -> None:
        """The host has gone: the firmware is told that time has passed, and gives up a message that is half received."""
        self._counter.rest(LONGEST_IDLE_S)
        self.feed(b"")
