"""What would hang or break a part stops its firmware, and says which rule of which manual it breaks."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matrix import first_is_short
from mutants import READY, Kit, changed, outcome

from edgeloop.boards.firmware import target_of
from edgeloop.boards.lab.kinds import kinds
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.strict.bank import RuleBroken
from edgeloop.boards.virtual.strict.hardware import hardware_of
from edgeloop.errors import ConfigError
from edgeloop.firmware.board import FOLDER, BoardFile, boards, find_board
from edgeloop.firmware.headers import BAUD
from edgeloop.firmware.part import MHZ
from edgeloop.yamlfile import read_yaml

H747, F446, F769, L475, H723 = "stm32h747i-disco", "nucleo-f446re", "stm32f769i-disco", "b-l475e-iot01a", "nucleo-h723zg"
RULES: list[tuple[str, dict[str, Any], str]] = [
    (H747, {"supply": {"source": "ldo"}}, "it locks until a power cycle (RM0399, PWR, system supply startup, PWR_CR3)"),
    (H747, {"supply": {"scale": 2}}, "the core's clock at voltage scale 2 is 400 MHz, not within 0 to 300 MHz"),
    (H747, {"flash": {"wait_states": 1}}, "with 1 wait states and a programming delay of 2 (RM0399, FLASH, recommended number"),
    (H747, {"flash": {"programming_delay": 1}}, "with 2 wait states and a programming delay of 1"),
    (H747, {"clock": {"apb4": 1}}, "APB4 at voltage scale 1 is 200 MHz"),
    (H747, {"clock": {"ahb": 1}}, "AXI and AHB at voltage scale 1 is"),
    (H747, {"clock": {"m": 1}}, "the PLL's input is 25 MHz, not within 8 to 16 MHz"),
    (H747, {"clock": {"n": 220}}, "the PLL's oscillator is 1100 MHz, not within 192 to 836 MHz"),
    (H747, {"enables": ("AHB2ENR.SRAM1EN", "AHB2ENR.SRAM3EN")}, "which has no clock"),
    (H747, {"pins": {"tx": "PB6"}}, "USART1 sends, and PA9, which the host hears, is not its pin"),
    (H747, {"pins": {"alternate": 4}}, "is not its pin (GPIO, MODER and AFR"),
    (
        F769,
        {"supply": {"overdrive": False}},
        "is 216 MHz, not within 0 to 180 MHz (RM0410, PWR, voltage regulator)",
    ),
    (F769, {"flash": {"wait_states": 6}}, "HCLK is 216 MHz with 6 wait states (RM0410, FLASH, relation between CPU clock"),
    (F446, {"clock": {"apb1": 2}}, "APB1 is 90 MHz, not within 0 to 45 MHz (RM0390, RCC_CFGR, PPRE1)"),
    (F446, {"pins": {"rx": "PA10"}}, "cannot hear it"),
    (L475, {"flash": {"wait_states": 3}}, "HCLK is 80 MHz with 3 wait states (RM0351, FLASH, read access latency)"),
    (L475, {"supply": {"scale": 2}}, "HCLK in voltage range 2 is 80 MHz, not within 0 to 26 MHz (RM0351, PWR, dynamic voltage scaling)"),
    (H723, {"clock": {"n": 275}}, "the core's clock at voltage scale 0 is 550 MHz, not within 0 to 520 MHz"),
]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Kit]:
    """The compiled firmware of a board."""
    kits: dict[str, Kit] = {}

    def found(name: str) -> Kit:
        if name not in kits:
            kits[name] = Kit(find_board(name), tmp_path_factory.mktemp(name))
        return kits[name]

    return found


@pytest.mark.parametrize(("name", "values", "words"), first_is_short(RULES))
def test_a_wrong_table_is_a_fault_with_its_rule(kit: Callable[[str], Kit], name: str, values: dict[str, Any], words: str) -> None:
    board = find_board(name)
    assert words in outcome(board, kit(name).build(changed(board, **values))).fault


def test_the_data_refuses_what_no_part_has() -> None:
    with pytest.raises(ValueError, match="with the SMPS there is no voltage scale 0"):
        changed(find_board(H747), supply={"scale": 0})
    with pytest.raises(ValueError, match="there is no such divider"):
        changed(find_board(H747), clock={"ahb": 3})


def test_a_host_at_another_rate_hears_garbage(firmware: Callable[[str], Path]) -> None:
    board = find_board(H747)
    said = outcome(board, firmware(H747), replace(hardware_of(board), host_baud=230_400)).banner
    assert said and READY not in said


@pytest.mark.parametrize("name", [H747, F446])
def test_a_port_that_is_switched_off_before_its_last_byte_is_out_breaks_a_rule(firmware: Callable[[str], Path], name: str) -> None:
    board = find_board(name)
    machine = Machine(board, read_program(firmware(name)))
    machine.boot()
    assert machine.strict is not None
    bank = next(usart.bank for usart in machine.strict._usarts if usart.bank.name == board.uart_name)
    to_send, status = ("DR", "SR") if name == F446 else ("TDR", "ISR")
    control = bank.registers["CR1"].offset
    was = bank.read(control, 4)
    bank.write(bank.registers[to_send].offset, 4, 0x55)
    with pytest.raises(RuleBroken, match="before its last byte is out"):
        bank.write(control, 4, 0)
    bank.write(control, 4, was)
    while not bank.read(bank.registers[status].offset, 4) >> 6 & 1:
        pass
    bank.write(control, 4, 0)


@pytest.mark.parametrize("name", [H747, pytest.param(F446, marks=pytest.mark.thorough)])
def test_without_its_oscillator_a_board_says_so_and_at_what_clock_it_runs(firmware: Callable[[str], Path], name: str) -> None:
    board = find_board(name)
    said = outcome(board, firmware(name), replace(hardware_of(board), oscillator="hsi"))
    assert b"TROUBLE: the external oscillator does not start" in said.banner
    internal = 64_000_000 if name == H747 else 16_000_000
    assert said.system[1:3] == (internal, internal)
    assert not said.is_led_on


@pytest.mark.thorough
def test_a_supply_that_was_chosen_before_is_kept_where_it_fits_and_left_alone_where_not(firmware: Callable[[str], Path]) -> None:
    board, (ldo, smps) = find_board(H747), (2, 4)
    said = outcome(board, firmware(H747), replace(hardware_of(board), supply_register=smps))
    assert said.banner.endswith(READY) and said.system[1] == 400_000_000
    said = outcome(board, firmware(H747), replace(hardware_of(board), supply_register=ldo))
    assert b"TROUBLE: the supply was chosen otherwise before: take the power away once" in said.banner
    assert said.system[1] == 64_000_000 and not said.is_led_on


@pytest.mark.thorough
def test_the_other_kind_of_oscillator_is_tried_too(firmware: Callable[[str], Path]) -> None:
    board = find_board(H747)
    said = outcome(board, firmware(H747), replace(hardware_of(board), oscillator="crystal"))
    assert said.banner.endswith(READY) and said.system[1] == 400_000_000
    assert b"from a crystal" in said.banner


def test_every_board_is_thirty_lines_and_names_its_sources() -> None:
    for name, part in boards().items():
        text = (FOLDER / f"{name}.yaml").read_text()
        assert len(text.splitlines()) <= 30
        assert part.sources and all(sources and all(sources) for sources in part.sources.values())


def test_a_kind_of_board_and_its_firmware_are_of_one_mind() -> None:
    for name, part in boards().items():
        kind = kinds()[name]
        assert (kind.device_id, (kind.clock_mhz or 0) * MHZ, kind.baud) == (part.device_id, part.clock_hz, BAUD)
        assert kind.target == target_of(part)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("uart: USART1", "uart: USART9", "the family h7 has no USART9"),
        ("data: AXI_SRAM", "data: AXI_RAM", "there is no memory AXI_RAM (did you mean 'AXI_SRAM'?)"),
        ("ahb: 2", "ahb: 3", "there is no such divider"),
        ("tx: PA9", "tx: A9", "pins.tx"),
        ("mcu: STM32H747XI\n", "", "names its part"),
    ],
)
def test_a_mistake_in_a_boards_file_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (FOLDER / f"{H747}.yaml").read_text()
    (tmp_path / "board.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=re.escape(words)):
        read_yaml(tmp_path / "board.yaml", BoardFile)
