"""The boards that firmware can be built for: one small data file each, boards/*.yaml."""

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edgeloop.config import Positive, Section
from edgeloop.errors import InputError
from edgeloop.firmware.part import KIB, CounterKind, Part, Region, Setup
from edgeloop.firmware.registers import Family, family
from edgeloop.yamlfile import near_match, read_yaml

FOLDER = Path(__file__).with_name("boards")
FLASH = "FLASH"


class Assumed(Section):
    """What an emulated part's clocks are said to be."""

    clock_hz: Positive
    bus_hz: Positive
    counter: CounterKind = CounterKind.DWT
    cycles_per_tick: Positive = 1


class BoardFile(Section):
    """A data file: `setup` for a real board, `assumed` for an emulated part."""

    title: str
    mcu: str = ""
    family: str
    core: str
    device_id: Positive
    memories: dict[str, tuple[int, Positive]]
    """Address and KiB; those that begin with FLASH cannot be written."""
    data: str
    stack: str
    spares: tuple[str, ...]
    uart: str
    assumed: Assumed | None = None
    setup: Setup | None = None
    sources: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("data", "stack", "spares")
    @classmethod
    def _is_a_memory(cls, value: Any, info: ValidationInfo) -> Any:
        for name in [value] if isinstance(value, str) else value:
            if name not in info.data.get("memories", {}):
                raise ValueError(f"there is no memory {name}{near_match(name, info.data.get('memories', {}))}")
        return value

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "BoardFile":
        if (self.assumed is None) == (self.setup is None):
            raise ValueError("a real board has `setup`, an emulated part has `assumed`")
        if self.setup is not None and not self.mcu:
            raise ValueError("a real board names its part: `mcu`")
        if FLASH not in self.memories:
            raise ValueError(f"there is no memory {FLASH}")
        known = family(self.family).uarts
        if self.uart not in known:
            raise ValueError(f"the family {self.family} has no {self.uart}{near_match(self.uart, known)}")
        return self

    def part(self, name: str) -> Part:
        """The same as what firmware is built for."""
        known = family(self.family)
        regions = {key: Region(key, start, kib * KIB, not key.startswith(FLASH)) for key, (start, kib) in self.memories.items()}
        flash = regions.pop(FLASH)
        common: dict[str, Any] = {"data": self.data, "stack": self.stack, "spares": self.spares, "sources": self.sources}
        common |= {
            "title": self.title,
            "mcu": self.mcu,
            "core": self.core,
            "device_id": self.device_id,
            "series": known.series,
            "setup": self.setup,
        }
        common |= {"uart": known.uart, "uart_base": known.uarts[self.uart].base, "uart_name": self.uart, "family": self.family}
        common |= self.assumed.model_dump() if self.assumed else _clocks(self.setup, known)
        return Part(name, flash=flash, memories=tuple(regions.values()), **common)


def _clocks(setup: Setup | None, known: Family) -> dict[str, int]:
    assert setup is not None, "a board that is not emulated has a setup"
    # On the H7 the core stands before the divider of the AHB, elsewhere behind it.
    system, bus = setup.clock.system_hz, setup.clock.system_hz // setup.clock.ahb
    return {"clock_hz": system if known.start == "h7" else bus, "bus_hz": bus}


@cache
def parts() -> dict[str, Part]:
    """Everything that firmware can be built for, by its name."""
    return {file.stem: read_yaml(file, BoardFile).part(file.stem) for file in sorted(FOLDER.glob("*.yaml"))}


def boards() -> dict[str, Part]:
    """The real boards."""
    return {name: part for name, part in parts().items() if not part.is_emulated}


def find_board(name: str) -> Part:
    """A real board by its name.

    Raises:
        InputError: there is no firmware for it.
    """
    if name not in boards():
        what = f"There is no firmware for a board {name!r}{near_match(name, boards())}."
        raise InputError(what, "Name its kind, or a board of lab.yaml that is of one: docs/firmware.md")
    return boards()[name]
