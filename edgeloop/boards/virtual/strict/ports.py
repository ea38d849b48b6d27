"""GPIO ports: alike in all families, at other addresses; and which serial port a pin can be connected to."""

from edgeloop.boards.virtual.strict.bank import Bank, Register, RuleBroken, bits
from edgeloop.boards.virtual.strict.clocks import ClockTree

ALTERNATE = 2
OUTPUT = 1
SIZE = 0x400
_BASES = {"STM32F": 0x4002_0000, "STM32H": 0x5802_0000, "STM32L": 0x4800_0000}
_MODES = {"STM32F": {"A": 0xA800_0000, "B": 0x280}, "STM32H": {}, "STM32L": {"A": 0xABFF_FFFF, "B": 0xFFFF_FEBF}}
_MODES_ELSE = {"STM32F": 0, "STM32H": 0xFFFF_FFFF, "STM32L": 0xFFFF_FFFF}
_USARTS = {
    "USART1": {"PA9": "tx", "PA10": "rx", "PB6": "tx", "PB7": "rx"},
    "USART2": {"PA2": "tx", "PA3": "rx", "PD5": "tx", "PD6": "rx"},
    "USART3": {"PB10": "tx", "PB11": "rx", "PC10": "tx", "PC11": "rx", "PD8": "tx", "PD9": "rx"},
    "USART6": {"PC6": "tx", "PC7": "rx", "PG14": "tx", "PG9": "rx"},
}
"""The data sheets' tables of alternate functions; all of them are number 7, and USART6 is 8 but on the H7."""


class Ports:
    """All ports of a part."""

    def __init__(self, mcu: str, tree: ClockTree) -> None:
        kind = mcu[:6]
        self._mcu, self._tree = mcu, tree
        # PA13 and PA14 are the debug port; on the H7 every other pin is analog after a reset.
        self.banks = {
            letter: self._bank(letter, _BASES[kind] + number * SIZE, self._mode(kind, letter))
            for number, letter in enumerate("ABCDEFGHIJK")
        }

    def reset(self) -> None:
        """As after power-on."""
        for bank in self.banks.values():
            bank.reset()

    def is_connected(self, uart: str, pin: str, role: str) -> bool:
        """Whether the pin is that of the serial port."""
        if self._value(pin, "MODER", 2) != ALTERNATE or _USARTS[uart].get(pin) != role:
            return False
        number = int(pin[2:])
        alternate = bits(self.banks[pin[1]]["AFRH" if number > 7 else "AFRL"], number % 8 * 4, 4)
        return alternate == (8 if uart == "USART6" and not self._mcu.startswith("STM32H7") else 7)

    def is_driven(self, pin: str, high: bool) -> bool:
        """Whether the pin is an output of that level."""
        return self._value(pin, "MODER", 2) == OUTPUT and bool(bits(self.banks[pin[1]]["ODR"], int(pin[2:]))) == high

    def _value(self, pin: str, register: str, width: int) -> int:
        return bits(self.banks[pin[1]][register], int(pin[2:]) * width, width)

    @staticmethod
    def _mode(kind: str, letter: str) -> int:
        return 0xABFF_FFFF if kind == "STM32H" and letter == "A" else _MODES[kind].get(letter, _MODES_ELSE[kind])

    def _bank(self, letter: str, base: int, mode: int) -> Bank:
        registers = {
            "MODER": Register(0x00, mode),
            "OTYPER": Register(0x04, 0, 0xFFFF),
            "OSPEEDR": Register(0x08, 0x0C00_0000 if letter == "A" else 0xC0 if letter == "B" else 0),
            "PUPDR": Register(0x0C, 0x6400_0000 if letter == "A" else 0x100 if letter == "B" else 0),
            "IDR": Register(0x10, 0, 0xFFFF, 0xFFFF),
            "ODR": Register(0x14, 0, 0xFFFF),
            "BSRR": Register(0x18),
            "AFRL": Register(0x20),
            "AFRH": Register(0x24),
        }
        bank = Bank(f"GPIO{letter}", base, SIZE, registers, "GPIO registers")
        bank.check_clock = lambda: self._tree.check_on(f"GPIO{letter}")
        bank.on_write = lambda name, old, new: self._write(letter, name, old, new)
        return bank

    def _write(self, letter: str, name: str, old: int, new: int) -> None:
        if letter == "A" and name == "MODER" and (old ^ new) >> 26 & 0xF:
            raise RuleBroken("the pins of the debug port, PA13 and PA14, are taken", "GPIO, MODER; data sheet, debug port")
        if name == "BSRR":
            bank = self.banks[letter]
            bank.values["ODR"] = (bank["ODR"] | new & 0xFFFF) & ~(new >> 16) | new & 0xFFFF
