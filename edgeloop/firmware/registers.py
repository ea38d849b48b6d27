"""The registers that the firmware uses, stated once in registers/*.yaml, and as the C header registers.h."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from edgeloop.config import Section
from edgeloop.firmware.part import UartKind
from edgeloop.yamlfile import read_yaml

FOLDER = Path(__file__).with_name("registers")
AT = "at"


class Register(Section):
    """Its offset in the peripheral, and its fields as (first bit, bits)."""

    at: int
    fields: dict[str, tuple[int, int]]

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        """In the file the fields stand beside `at`."""
        if isinstance(given, dict) and "fields" not in given:
            return {AT: given.get(AT), "fields": {name: value for name, value in given.items() if name != AT}}
        return given

    def mask(self, field: str) -> int:
        """The field's bits."""
        first, bits = self.fields[field]
        return ((1 << bits) - 1) << first


class Peripheral(Section):
    """`base` is None where the part has several of them."""

    base: int | None = None
    registers: dict[str, Register]


class Ports(Section):
    """GPIO ports A, B, …: equally far from each other, and their clocks are bits 0, 1, … of one register of RCC."""

    base: int
    step: int
    enable: str

    def index(self, pin: str) -> int:
        """0 for a pin of port A."""
        return ord(pin[1]) - ord("A")

    def address(self, pin: str) -> int:
        """The port of a pin such as PA9."""
        return self.base + self.index(pin) * self.step


class Instance(Section):
    """One serial port: its address, its bus, and as REGISTER.FIELD of RCC its clock and the choice of its kernel clock."""

    base: int
    bus: int = 1
    enable: str = ""
    select: str = ""


class Family(Section):
    """Parts with the same registers."""

    series: int
    uart: UartKind
    start: str = ""
    """Whose start-up code they use: a folder of c/."""
    scales: dict[int, int] = Field(default_factory=dict)
    """PWR's VOS for each voltage scale."""
    peripherals: dict[str, Peripheral]
    ports: Ports | None = None
    uarts: dict[str, Instance]


class _Arm(Section):
    peripherals: dict[str, Peripheral]


@cache
def family(name: str) -> Family:
    """The registers of a family, by its name: f4, f7, h7, l4, cmsdk."""
    return read_yaml(FOLDER / f"{name}.yaml", Family)


@cache
def arm() -> dict[str, Peripheral]:
    """The registers of the cores themselves."""
    return read_yaml(FOLDER / "arm.yaml", _Arm).peripherals


def registers_header(name: str) -> str:
    """The text of registers.h for a family: `RCC_CR`, `RCC_CR_HSEON_MASK`, `RCC_CR_HSEON_AT`, `USART_BRR(BASE)`."""
    lines = [f"/* Registers of the family {name}: written by edgeloop from registers/{name}.yaml. */", "#ifndef REGISTERS_H"]
    lines += ["#define REGISTERS_H", '#include "registers_access.h"']
    for peripheral, known in {**arm(), **family(name).peripherals}.items():
        for register, facts in known.registers.items():
            lines += _lines(f"{peripheral}_{register}", known.base, facts)
    return "\n".join([*lines, "#endif", ""])


def _lines(name: str, base: int | None, facts: Register) -> Iterator[str]:
    yield f"#define {name}(BASE) WORD((BASE) + {facts.at:#x}u)" if base is None else f"#define {name} WORD({base + facts.at:#010x}u)"
    for field, (first, _) in facts.fields.items():
        yield f"#define {name}_{field}_MASK {facts.mask(field):#010x}u"
        yield f"#define {name}_{field}_AT {first}u"
