"""Emulated registers: the part's serial port, its cycle counter, and the system control space, of which little is needed.

Sources: RM0399 and RM0090 (USART), Arm CMSDK (UART), Armv7-M Architecture Reference Manual (SysTick B3.3, DWT C1.8).
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.parts import CounterKind, Part, UartKind

PAGE = 0x1000
IDLE_POLLS = 2
"""Looks at the status with nothing received and nothing sent in between, after which the core may rest: the same register
says whether a byte can be sent, which it always can, so that one look says nothing."""
LONGEST_IDLE_S = 0.6
"""How much of a rest the cycle counter is told: less than a turn of SysTick at its slowest."""
_SYSTICK_VALUE = 0xE000_E018
_CYCCNT = 0xE000_1004
_SYSTICK_TURN = 1 << 24


class _Registers(NamedTuple):
    status: int
    received: int
    sent: int
    has_byte: int
    """The status bit that says that a byte has come."""
    can_send: int
    """Status bits of a port that can send."""


_REGISTERS = {
    UartKind.STM32H7: _Registers(0x1C, 0x24, 0x28, 1 << 5, 1 << 7 | 1 << 6),
    UartKind.STM32F4: _Registers(0x00, 0x04, 0x04, 1 << 5, 1 << 7 | 1 << 6),
    # Its bit 0 says that the buffer is full, which it never is.
    UartKind.CMSDK: _Registers(0x04, 0x00, 0x00, 1 << 1, 0),
}


class Uart:
    """The serial port: bytes that wait to be read, and bytes that were sent. A core that only polls it is stopped."""

    def __init__(self, core: Core) -> None:
        self.sent = bytearray()
        self._waiting: deque[int] = deque()
        self._polls = 0
        self._core = core
        self._registers = _REGISTERS[core.part.uart]
        core.add_peripheral(core.part.uart_base & -PAGE, PAGE, self._read, self._write)
        self._offset = core.part.uart_base % PAGE

    @property
    def waiting(self) -> int:
        """How many bytes the program has not read yet."""
        return len(self._waiting)

    def feed(self, received: Iterable[int]) -> None:
        """Bytes that arrive at the part."""
        self._waiting.extend(received)

    def clear(self) -> None:
        """Forget what has not been read."""
        self._waiting.clear()
        self.sent.clear()

    def _read(self, offset: int, _size: int) -> int:
        register = offset - self._offset
        if register == self._registers.status:
            return self._status()
        if register == self._registers.received and self._waiting:
            return self._waiting.popleft()
        return 0

    def _status(self) -> int:
        if self._waiting:
            self._polls = 0
            return self._registers.can_send | self._registers.has_byte
        self._polls += 1
        if self._polls > IDLE_POLLS:
            self._polls = 0
            self._core.stop()
        return self._registers.can_send

    def _write(self, offset: int, _size: int, value: int) -> None:
        if offset - self._offset == self._registers.sent:
            self._polls = 0
            self.sent.append(value & 0xFF)


class CycleCounter:
    """DWT->CYCCNT or SysTick, counting executed instructions as cycles, and the time that the core rested."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rested = 0
        for start, handler in _counter_pages(core.part, self._ticks):
            core.add_peripheral(start, PAGE, handler, _ignore)

    def rest(self, seconds: float) -> None:
        """Time that has passed without an instruction; at most LONGEST_IDLE_S of it is told."""
        self._rested += int(min(seconds, LONGEST_IDLE_S) * self._core.part.clock_hz)

    def _ticks(self) -> int:
        return (self._core.instructions + self._rested) // self._core.part.cycles_per_tick


def _counter_pages(part: Part, ticks: Callable[[], int]) -> list[tuple[int, Callable[[int, int], int]]]:
    def debug_unit(offset: int, _size: int) -> int:
        return ticks() & 0xFFFF_FFFF if offset == _CYCCNT % PAGE and part.counter is CounterKind.DWT else 0

    def system_control(offset: int, _size: int) -> int:
        return -ticks() % _SYSTICK_TURN if offset == _SYSTICK_VALUE % PAGE and part.counter is CounterKind.SYSTICK else 0

    return [(_CYCCNT & -PAGE, debug_unit), (_SYSTICK_VALUE & -PAGE, system_control)]


def _ignore(_offset: int, _size: int, _value: int) -> None:
    """Settings of what always runs."""
