"""A serial port of the part: what it says is garbage to its host unless divider, clock and rate fit, and nothing without its pins."""

from collections import deque
from collections.abc import Callable, Iterable

from edgeloop.boards.virtual.strict.bank import Bank, Register, RuleBroken, bits
from edgeloop.boards.virtual.strict.clocks import ClockTree
from edgeloop.boards.virtual.strict.hardware import Hardware
from edgeloop.boards.virtual.strict.ports import Ports

IDLE_POLLS = 2
SENDING_LOOKS = 2
"""Looks at the status until a byte is out."""
TOLERANCE = 0.02
"""A receiver that samples 16 times a bit takes about 4 % (USART, tolerance of the receiver): half for either side."""
NOISE = 0x5A
_OLD = {"SR": Register(0x00, 0xC0, 0x3FF, 0x3FF), "DR": Register(0x04, 0, 0x1FF), "BRR": Register(0x08, 0, 0xFFFF)}
_OLD |= {"CR1": Register(0x0C, 0, 0xBFFF), "CR2": Register(0x10, 0, 0x7F6F), "CR3": Register(0x14, 0, 0xFFF)}
_NEW = {"CR1": Register(0x00), "CR2": Register(0x04), "CR3": Register(0x08), "BRR": Register(0x0C, 0, 0xFFFF)}
_NEW |= {
    "ISR": Register(0x1C, 0xC0, 0, 0xFFFF_FFFF),
    "ICR": Register(0x20),
    "RDR": Register(0x24, 0, 0, 0x1FF),
    "TDR": Register(0x28, 0, 0x1FF),
}
_BASES = {"USART1": 0x4001_1000, "USART2": 0x4000_4400, "USART3": 0x4000_4800, "USART6": 0x4001_1400}
RECEIVED, IS_SENT, CAN_SEND = 1 << 5, 1 << 6, 1 << 7


class Usart:
    """One of the part's ports. The host's line ends at two pins of the board: only a port that is connected to them is heard."""

    def __init__(self, name: str, hardware: Hardware, tree: ClockTree, ports: Ports, line: "Line") -> None:
        self._name, self._hardware, self._tree, self._ports, self._line = name, hardware, tree, ports, line
        self._is_old = hardware.mcu.startswith("STM32F4")
        base = 0x4001_3800 if name == "USART1" and hardware.mcu.startswith("STM32L4") else _BASES[name]
        self.bank = Bank(name, base, 0x400, _OLD if self._is_old else _NEW, "USART registers")
        self.bank.check_clock = lambda: tree.check_on(name)
        self.bank.on_read, self.bank.on_write = self._read, self._write
        self._enable = 13 if self._is_old else 0
        self._sending = 0

    @property
    def _is_enabled(self) -> bool:
        return bool(bits(self.bank["CR1"], self._enable))

    def _read(self, register: str, value: int) -> int:
        if register in ("SR", "ISR"):
            return self._status()
        if register in ("DR", "RDR"):
            return self._garbled(*self._line.take()) if self._hears() else 0
        return value

    def _status(self) -> int:
        if self._sending:
            # Nobody rests who waits for a byte to go out.
            self._sending -= 1
            has_byte = self._line.waiting > 0
        else:
            has_byte = self._line.poll()
        return CAN_SEND | (0 if self._sending else IS_SENT) | (RECEIVED if has_byte and self._hears() else 0)

    def _write(self, register: str, old: int, new: int) -> None:
        if register in ("DR", "TDR"):
            self._send(new & 0xFF)
        if register == "CR1" and self._sending and old & ~new & (1 << self._enable | 1 << 3):
            raise RuleBroken(f"{self._name} is switched off before its last byte is out", "USART, transmitter, TC")
        settings = register in ("BRR", "CR2") or (register == "CR3" and bool((old ^ new) & 0x1800))
        if settings and old != new and self._is_enabled:
            raise RuleBroken(f"{self._name}_{register} is changed while the port is enabled", f"USART, {register}")
        if register == "BRR" and new < 16:
            raise RuleBroken(f"the divider of {self._name} is {new}, below 16", "USART, baud rate generation")

    def _send(self, byte: int) -> None:
        if not self._is_enabled or not bits(self.bank["CR1"], 3):
            raise RuleBroken(f"{self._name} sends while it or its transmitter is off", "USART, transmitter, UE and TE")
        if not self._ports.is_connected(self._name, self._hardware.tx, "tx"):
            raise RuleBroken(
                f"{self._name} sends, and {self._hardware.tx}, which the host hears, is not its pin", "GPIO, MODER and AFR; data sheet"
            )
        self._sending = SENDING_LOOKS
        heard = self._garbled(byte, self._line.host_baud)
        self._line.is_garbled |= heard != byte
        self._line.send(heard)

    def _hears(self) -> bool:
        is_on = self._is_enabled and bool(bits(self.bank["CR1"], 2))
        if not is_on or not self._ports.is_connected(self._name, self._hardware.rx, "rx"):
            raise RuleBroken(
                f"{self._name} waits for its host and cannot hear it: UE, RE or the pin {self._hardware.rx}", "USART, receiver; GPIO, AFR"
            )
        return True

    def _garbled(self, byte: int, host_baud: int) -> int:
        divider = self.bank["BRR"]
        baud = self._tree.uart_hz(self._name) / divider if divider else 0.0
        return byte if abs(baud - host_baud) <= TOLERANCE * host_baud else (byte * 7 + NOISE) & 0xFF


class Line:
    """The wires to the host: bytes that wait to be read, and bytes that were sent. A core that only polls is stopped."""

    def __init__(self, stop: Callable[[], None], host_baud: int) -> None:
        self.sent = bytearray()
        self.host_baud = host_baud
        """The host's rate now."""
        self.is_garbled = False
        """Something was sent at another rate since this was cleared."""
        self._waiting: deque[tuple[int, int]] = deque()
        """With the rate at which each has come."""
        self._polls = 0
        self._stop = stop

    @property
    def waiting(self) -> int:
        """How many bytes the program has not read yet."""
        return len(self._waiting)

    def feed(self, received: Iterable[int]) -> None:
        """Bytes that arrive at the part."""
        self._waiting.extend((byte, self.host_baud) for byte in received)

    def clear(self) -> None:
        """Forget what has not been read."""
        self._waiting.clear()
        self.sent.clear()

    def poll(self) -> bool:
        """The program looks whether there is a byte; a program that looks and looks may rest."""
        self._polls = 0 if self._waiting else self._polls + 1
        if self._polls > IDLE_POLLS:
            self._polls = 0
            self._stop()
        return bool(self._waiting)

    def take(self) -> tuple[int, int]:
        """The next byte, and the rate of the host that has sent it."""
        return self._waiting.popleft() if self._waiting else (0, self.host_baud)

    def send(self, byte: int) -> None:
        """A byte to the host."""
        self._polls = 0
        self.sent.append(byte)
