"""Every address and field that the firmware uses, and every one of the strict model, against the vendor's own register maps."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.strict.bank import Bank
from edgeloop.boards.virtual.strict.hardware import hardware_of
from edgeloop.boards.virtual.strict.part import StrictPart
from edgeloop.firmware.board import boards
from edgeloop.firmware.registers import Family, Register, family

pytestmark = pytest.mark.shared

MAPS = {
    "stm32f405": "olimex-stm32-h405",
    "stm32f446": "nucleo-f446re",
    "stm32f767": "nucleo-f767zi",
    "stm32f769": "stm32f769i-disco",
    "stm32h723": "nucleo-h723zg",
    "stm32h743": "nucleo-h743zi2",
    "stm32h747_cm7": "stm32h747i-disco",
    "stm32l475": "b-l475e-iot01a",
}
OTHER_NAMES = {
    "FLASH": ("FLASH", "Flash"),
    "DBGMCU": ("DBGMCU", "DBG"),
    "IDCODE": ("IDCODE", "DBGMCU_IDCODE", "IDC", "DBGMCU_IDC"),
    "CR1": ("CR1", "CR"),
    "CSR1": ("CSR1", "CSR"),
    "DCKCFGR2": ("DCKCFGR2", "DKCFGR2"),
    "SDEN": ("SDEN", "SCUEN"),
    "USART16SEL": ("USART16SEL", "USART16910SEL"),
}
"""What the maps call otherwise: PWR_CR1 of the F7 is PWR_CR of the F4; the bit is SCUEN where there is no SMPS; the H72x has
more USARTs."""
EXPLAINED = {
    # RM0090 5.4.1: VOS is bit 14; over-drive is of the F42x on. The firmware uses none of them on this part (no scale in its data).
    ("stm32f405", "PWR", "CR1", "VOS"): None,
    ("stm32f405", "PWR", "CR1", "ODEN"): None,
    ("stm32f405", "PWR", "CR1", "ODSWEN"): None,
    ("stm32f405", "PWR", "CSR1", "ODRDY"): None,
    ("stm32f405", "PWR", "CSR1", "ODSWRDY"): None,
    # RM0399 and RM0390: LATENCY has 4 bits in both; the fourth is 0 at every number of wait states that is used here.
    ("stm32h747_cm7", "FLASH", "ACR", "LATENCY"): [0, 3],
    ("stm32f446", "FLASH", "ACR", "LATENCY"): [0, 3],
    ("stm32f405", "FLASH", "ACR", "LATENCY"): [0, 3],
    # RM0468: SRAM3 is of the H74x and H75x only; the H723's data does not enable it.
    ("stm32h723", "RCC", "AHB2ENR", "SRAM3EN"): None,
    # RM0351: DEV_ID has 12 bits, and 15..12 are reserved.
    ("stm32l475", "DBGMCU", "IDCODE", "DEV_ID"): [0, 16],
}
"""Where a map differs from the reference manual: what it has instead."""


@cache
def register_map(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())["peripherals"]
    return found


def named(found: dict[str, Any], name: str) -> Any:
    return next((found[other] for other in OTHER_NAMES.get(name, (name,)) if other in found), None)


def single_bits(fields: dict[str, list[int]], name: str) -> list[int] | None:
    """A field that the map has bit by bit, as PLLM0, PLLM1, … are PLLM."""
    found = sorted(place[0] for key, place in fields.items() if key[: len(name)] == name and key[len(name) :].isdigit())
    return [found[0], len(found)] if found and found == list(range(found[0], found[0] + len(found))) else None


def used(known: Family) -> Iterator[tuple[str, str, int | None, str, Register]]:
    """Each register: the peripheral in the map, the one in the data, its base, its name and what is known of it."""
    for peripheral, facts in known.peripherals.items():
        instance = {"GPIO": "GPIOA", "USART": "USART1"}.get(peripheral, peripheral)
        for name, register in facts.registers.items():
            yield instance, peripheral, facts.base, name, register


@pytest.mark.parametrize("part", MAPS)
def test_registers_of_the_firmware_are_those_of_the_vendor(shared: Callable[[str], Path], part: str) -> None:
    vendor, known = register_map(shared(f"fixtures/registers/{part}.json")), family(boards()[MAPS[part]].family)
    differences, compared = [], 0
    for instance, peripheral, base, name, register in used(known):
        found = named(vendor, instance)
        theirs = named(found["registers"], name)
        where = f"{peripheral}_{name}"
        if base is not None and found["base"] != base:
            differences.append(f"{peripheral} at {base:#x}, not {found['base']:#x}")
        if theirs is None or theirs["offset"] != register.at:
            differences.append(f"{where} at {register.at:#x}, not {theirs and theirs['offset']}")
            continue
        for field, place in register.fields.items():
            there = named(theirs["fields"], field) or single_bits(theirs["fields"], field)
            compared += 1
            if there != EXPLAINED.get((part, peripheral, name, field), list(place)):
                differences.append(f"{where}_{field} {place}, not {there}")
    assert not differences
    assert compared > 20


@pytest.mark.parametrize("part", MAPS)
def test_ports_and_serial_ports_are_those_of_the_vendor(shared: Callable[[str], Path], part: str) -> None:
    vendor, known = register_map(shared(f"fixtures/registers/{part}.json")), family(boards()[MAPS[part]].family)
    assert known.ports is not None
    enables = vendor["RCC"]["registers"][known.ports.enable]["fields"]
    for letter in "ABCDEFGHIJK":
        if f"GPIO{letter}EN" in enables and f"GPIO{letter}" in vendor:
            assert vendor[f"GPIO{letter}"]["base"] == known.ports.address(f"P{letter}0")
            assert enables[f"GPIO{letter}EN"] == [known.ports.index(f"P{letter}0"), 1]
    for name, instance in known.uarts.items():
        assert vendor[name]["base"] == instance.base
        register, _, field = instance.enable.partition(".")
        assert field == f"{name}EN" and vendor["RCC"]["registers"][register]["fields"][field][1] == 1


@pytest.mark.parametrize("part", MAPS)
def test_registers_of_the_strict_model_are_those_of_the_vendor(
    shared: Callable[[str], Path], firmware: Callable[[str], Path], part: str
) -> None:
    vendor, board = register_map(shared(f"fixtures/registers/{part}.json")), boards()[MAPS[part]]
    model = StrictPart(Core(board, read_program(firmware(board.name))), hardware_of(board))
    differences = []
    for bank in (*model.tree.banks, *(bank for bank in model.ports.banks.values() if bank.name in vendor)):
        differences += list(_differences(part, bank, named(vendor, bank.name)))
    assert not differences


def _differences(part: str, bank: Bank, theirs: dict[str, Any]) -> Iterator[str]:
    if theirs["base"] != bank.base:
        yield f"{bank.name} at {bank.base:#x}, not {theirs['base']:#x}"
    for name, register in bank.registers.items():
        found = named(theirs["registers"], name)
        if found is None or found["offset"] != register.offset:
            yield f"{bank.name}_{name} at {register.offset:#x}"
            continue
        for field, (first, width) in found["fields"].items():
            if ((1 << width) - 1) << first & ~(register.defined | register.status):
                yield f"{bank.name}_{name}: {field} is no reserved bit"
