"""Firmware whose data differs from its board's, built quickly, and what the strict model of the board says of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tiny

from edgeloop.boards.virtual import wire
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.strict.hardware import Hardware
from edgeloop.codegen.toolchain import find_arm_compiler
from edgeloop.errors import CoreFault
from edgeloop.firmware.build import cpu_of, written
from edgeloop.firmware.part import Part, Setup
from edgeloop.firmware.sources import LINK_OPTIONS, OPTIONS, Unit, firmware_files, source_folders, units

READY = b"READY to receive a CMD from the HOST...\r\nProtocol version = 3.1\r\n"
DEPENDENT = ("clock.c", "board.c", "uart.c")
"""The files that a board's setup is compiled into."""
SYSTEM_REQUEST = bytes.fromhex("0b0a08011001180022002800").ljust(33, b"\0")


def changed(part: Part, **values: dict[str, Any]) -> Part:
    """The same board with other data, by the sections of its setup: `clock={"n": 7}`.

    Raises:
        ValueError: the data's own rules refuse it.
    """
    assert part.setup is not None
    setup = part.setup.model_dump()
    for section, fields in values.items():
        setup[section] = setup[section] | fields if isinstance(fields, dict) else fields
    return replace(part, setup=Setup.model_validate(setup))


class Kit:
    """The compiled firmware of one board, of which only what depends on the board's data is compiled again."""

    def __init__(self, part: Part, work: Path) -> None:
        self._part, self._work = part, work
        self._compiler = find_arm_compiler(cpu_of(part))
        self._units = list(units(firmware_files(part), tiny.FOLDER, self._compiler.kind))
        self._dependent = [unit for unit in self._units if unit.source.name in DEPENDENT]
        work.mkdir(parents=True, exist_ok=True)
        self._compile(part, self._units)

    def build(self, mutant: Part) -> Path:
        """The firmware with that data."""
        self._compile(mutant, self._dependent)
        out = self._work / "firmware.elf"
        objects = [self._work / f"{unit.name}.o" for unit in self._units]
        self._compiler.link(objects, out, [f"-Wl,-T,{self._work / 'part.ld'}", *LINK_OPTIONS])
        return out

    def _compile(self, part: Part, chosen: list[Unit]) -> None:
        for name, text in written(part, "a test").items():
            (self._work / name).write_text(text)
        folders = [f"-I{folder}" for folder in (*source_folders(part), self._work, tiny.FOLDER)]
        for unit in chosen:
            self._compiler.compile(unit.source, self._work / f"{unit.name}.o", [*OPTIONS, "-O1", *folders, *unit.options])


@dataclass(frozen=True)
class Outcome:
    """What became of a firmware on its board: the fault that stopped it, or what it said."""

    fault: str = ""
    banner: bytes = b""
    system: tuple[int | None, ...] = ()
    """Device id, core's clock, bus's clock, cache word."""
    is_led_on: bool = False


def outcome(board: Part, elf: Path, hardware: Hardware | None = None) -> Outcome:
    """Boot it, and ask what it is."""
    machine = Machine(board, read_program(elf), hardware)
    assert machine.strict is not None
    try:
        banner = machine.boot()
        answer = wire.body(machine.feed(SYSTEM_REQUEST)[:33])
        found = [wire.find(answer, 11, number) for number in (1, 2, 3, 4)]
    except (CoreFault, IndexError) as fault:
        return Outcome(fault=str(fault))
    said = tuple(None if field is None else wire.varint(answer, field.start)[0] for field in found)
    return Outcome(banner=banner, system=said, is_led_on=machine.strict.is_led_on)
