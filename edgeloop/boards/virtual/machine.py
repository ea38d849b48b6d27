"""The board without its wires: a core that runs the firmware, bytes into its serial port, and bytes out of it."""

import time

from edgeloop.boards.virtual import wire
from edgeloop.boards.virtual.core import Core, Stop
from edgeloop.boards.virtual.elf import Program
from edgeloop.boards.virtual.parts import Part
from edgeloop.boards.virtual.peripherals import LONGEST_IDLE_S, CycleCounter, Uart
from edgeloop.boards.virtual.strict.hardware import Hardware, hardware_of
from edgeloop.boards.virtual.strict.part import StrictPart
from edgeloop.boards.virtual.strict.usart import Line
from edgeloop.errors import BoardError

PART_INSTRUCTIONS = 5_000_000
"""After so many it is looked whether a part of the answer can be handed on; they send about 300 KB."""
ANSWER_DEADLINE_S = 600.0


class Machine:
    """A part with a program in its flash memory. `boot` comes first.

    An emulated part has a serial port and a cycle counter, and nothing else. A real board's part is modelled strictly, as it is
    soldered to `hardware` (by default what its data says).
    """

    def __init__(self, part: Part, program: Program, hardware: Hardware | None = None) -> None:
        """Load `program`.

        Raises:
            BoardError: it does not fit into the part.
        """
        self.core = Core(part, program)
        self.strict = None if part.is_emulated else StrictPart(self.core, hardware or hardware_of(part))
        self._uart: Uart | Line = Uart(self.core) if self.strict is None else self.strict.line
        self._counter: CycleCounter | StrictPart = self.strict or CycleCounter(self.core)
        self._idle_since = time.monotonic()
        self._computed_s = 0.0
        self.is_computing = False
        """It has not come to an end yet with what it was fed."""

    def boot(self) -> bytes:
        """Start from the reset vector; what is printed until the firmware waits for its first byte.

        Raises:
            CoreFault: the firmware does what faults on the part.
            BoardError: there is nothing that can start, or it never waits.
        """
        self.core.reset()
        if self.strict is not None:
            self.strict.reset()
        self._uart.clear()
        self.is_computing = False
        return self.feed(b"")

    def feed(self, received: bytes) -> bytes:
        """Bytes arrive; run until the firmware has read all of them and waits for more. Gives what it has sent.

        Raises:
            CoreFault: the firmware does what faults on the part.
            BoardError: it does not come to an end.
        """
        self.take(received)
        sent = self.go_on()
        while self.is_computing:
            sent += self.go_on()
        return sent

    def hears_at(self, rate: int) -> None:
        """The host's end of the line is set to that rate (baud) from now on. Of a part that is not modelled strictly it does not matter."""
        if self.strict is not None:
            self.strict.line.host_baud = rate

    @property
    def is_garbled(self) -> bool:
        """Whether what `go_on` has given last was said at another rate than the host's: there are no packets in it."""
        return self.strict is not None and self.strict.line.is_garbled

    def take(self, received: bytes) -> None:
        """Bytes arrive, also while the core computes."""
        if not self.is_computing:
            self._counter.rest(time.monotonic() - self._idle_since)
            self._computed_s = 0.0
        self.is_computing = True
        self._uart.feed(received)

    def go_on(self) -> bytes:
        """Compute until the firmware waits for a byte, or for a while. Gives what it has sent: all of it in the end, before that
        whole messages up to the last whole tensor, since clients have little patience between the messages of one layer.

        Raises:
            CoreFault: the firmware does what faults on the part.
            BoardError: it does not come to an end.
        """
        begun = time.monotonic()
        if self.strict is not None:
            self.strict.line.is_garbled = False
        stop = self.core.run(PART_INSTRUCTIONS, ANSWER_DEADLINE_S)
        self._computed_s += time.monotonic() - begun
        if stop is Stop.LIMIT and self._computed_s < ANSWER_DEADLINE_S:
            return self._taken(len(self._uart.sent) if self.is_garbled else wire.end_of_tensors(self._uart.sent))
        self.is_computing = False
        self._idle_since = time.monotonic()
        if stop is not Stop.ASKED or self._uart.waiting:
            raise BoardError("The firmware does not wait for a byte.", "Its program has ended or hangs: build it anew.")
        return self._taken(len(self._uart.sent))

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._uart.sent[:size])
        del self._uart.sent[:size]
        return taken

    def hang_up(self) -> None:
        """The host has gone: the firmware is told that time has passed, and gives up a message that is half received."""
        self._counter.rest(LONGEST_IDLE_S)
        self.feed(b"")
