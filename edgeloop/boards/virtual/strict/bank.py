"""Registers of one peripheral, as the reference manuals describe them: reserved bits stay, and nothing answers without a clock."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

WORD = 4


class RuleBroken(Exception):
    """What a program did, and where it is forbidden."""

    def __init__(self, what: str, source: str) -> None:
        super().__init__(f"{what} ({source})")


class Register(NamedTuple):
    """Offset, value after a reset, bits that have a meaning, and those of them that only the part writes."""

    offset: int
    reset: int = 0
    defined: int = 0xFFFF_FFFF
    status: int = 0


def bits(value: int, first: int, count: int = 1) -> int:
    """A field of a register's value."""
    return value >> first & ((1 << count) - 1)


class Bank:
    """A peripheral at `base`. `check_clock` breaks a rule where it is off; `on_read` gives status bits, `on_write` sees changes."""

    def __init__(self, name: str, base: int, size: int, registers: Mapping[str, Register], manual: str) -> None:
        self.name, self.base, self.size, self.manual = name, base, size, manual
        self.registers = registers
        self._names = {register.offset: name for name, register in registers.items()}
        self.check_clock: Callable[[], None] = lambda: None
        self.on_read: Callable[[str, int], int] = lambda _name, value: value
        self.on_write: Callable[[str, int, int], None] = lambda _name, _old, _new: None
        self.values: dict[str, int] = {}
        self.reset()

    def reset(self) -> None:
        """As after power-on."""
        self.values = {name: register.reset for name, register in self.registers.items()}

    def __getitem__(self, name: str) -> int:
        """The value that was written last."""
        return self.values[name]

    def read(self, offset: int, size: int) -> int:
        """What the program sees."""
        name = self._name(offset, size)
        return self.on_read(name, self.values[name])

    def write(self, offset: int, size: int, value: int) -> None:
        """What the program writes."""
        name = self._name(offset, size)
        register, old = self.registers[name], self.values[name]
        if (value ^ old) & ~register.defined & 0xFFFF_FFFF:
            raise RuleBroken(
                f"reserved bits of {self.name}_{name} are changed: {old:#010x} to {value:#010x}", f"{self.manual}, {self.name}_{name}"
            )
        new = value & ~register.status | old & register.status
        self.on_write(name, old, new)
        self.values[name] = new

    def _name(self, offset: int, size: int) -> str:
        self.check_clock()
        if offset not in self._names or size != WORD:
            raise RuleBroken(
                f"{self.name} has no register of {size} bytes at offset {offset:#x}", f"{self.manual}, register map of {self.name}"
            )
        return self._names[offset]
