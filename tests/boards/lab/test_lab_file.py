"""lab.yaml: a board is a few lines; what does not fit is refused with its line and the near match."""

import inspect
from pathlib import Path

import pytest

from edgeloop.boards.driver import Board, Driver
from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.config import BoardEntry, Find, Lab, load_lab
from edgeloop.boards.lab.kinds import kinds
from edgeloop.boards.virtual.parts import PARTS
from edgeloop.codegen.targets import TARGETS
from edgeloop.errors import ConfigError, InputError
from edgeloop.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]


def lab_of(workspace: Workspace, text: str) -> Lab:
    workspace.lab.write_text(text, encoding="utf-8")
    return load_lab(workspace)


def refusal(workspace: Workspace, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        lab_of(workspace, text)
    return str(refused.value)


def test_the_projects_own_file_holds_what_needs_no_board() -> None:
    lab = load_lab(Workspace(ROOT))
    assert {"host", "virtual-h7", "virtual-f4"} <= set(lab.boards)


def test_every_example_of_the_projects_own_file_is_valid(workspace: Workspace) -> None:
    """Its commented lines, uncommented."""
    lines = (ROOT / "lab.yaml").read_text(encoding="utf-8").splitlines()
    examples = [line.replace("# ", "", 1) if line.startswith("  # ") else line for line in lines]
    prose = ("`edgeloop boards add`", "Or remove", "What an entry", "Commands run")
    lab = lab_of(workspace, "\n".join(line for line in examples if not line.strip().startswith(prose)))
    assert {board.entry.kind for board in lab.all()} >= {
        "stm32n6570-dk", "stm32h747i-disco", "stm32f769i-disco", "stm32mp257f-dk", "stm32mp157f-dk2", "host", "virtual-h7"
    }  # fmt: skip
    assert lab.board("n6").entry.flash[0].parts == {"stedgeai", "project"}


def test_the_kinds_are_those_of_the_issue() -> None:
    assert set(kinds()) >= {
        "stm32n6570-dk", "stm32h747i-disco", "stm32f769i-disco", "stm32mp257f-dk", "stm32mp157f-dk2", "stm32mp135f-dk",
        "virtual-h7", "virtual-f4", "host", "any-linux",
    }  # fmt: skip
    n6 = kinds()["stm32n6570-dk"]
    assert (n6.device_id, n6.baud, n6.clock_mhz, n6.target) == (0x486, 921600, 800, "stm32n6")


def test_every_kind_is_of_a_driver_a_part_and_a_target_that_there_are() -> None:
    assert {kind.driver for kind in kinds().values()} == set(DRIVERS)
    assert {kind.part for kind in kinds().values() if kind.driver == "virtual"} <= set(PARTS)
    assert all(kind.target is None or kind.target in TARGETS for kind in kinds().values())


@pytest.mark.parametrize("name", DRIVERS)
def test_every_registered_driver_implements_the_protocol(name: str) -> None:
    board = DRIVERS[name].load()
    assert Board in board.__mro__ and not inspect.isabstract(board)
    assert DRIVERS[name].runs_images == (Driver in board.__mro__) and getattr(board, "at_once", 1) >= 1
    assert {*DRIVERS[name].keys, *DRIVERS[name].needs} <= set(BoardEntry.model_fields) and set(DRIVERS[name].found_by) <= set(
        Find.model_fields
    )


def test_a_board_is_two_lines_and_its_kind_says_the_rest(workspace: Workspace) -> None:
    board = lab_of(workspace, 'boards:\n  n6: {kind: stm32n6570-dk, find: {probe: "0049"}}\n').board("n6")
    assert (board.baud, board.clock_mhz, board.memory.ram_kib) == (921600, 800, 4200)


def test_an_entry_overrides_its_kind(workspace: Workspace) -> None:
    text = "boards:\n  n6: {kind: stm32n6570-dk, find: {port: /dev/ttyACM0}, baud: 2764800, clock_mhz: 600, memory: {ram_kib: 1024}}\n"
    board = lab_of(workspace, text).board("n6")
    assert (board.baud, board.clock_mhz) == (2764800, 600)
    assert (board.memory.ram_kib, board.memory.external_flash_kib) == (1024, 131072)


def test_without_the_file_the_lab_holds_what_needs_no_entry(workspace: Workspace) -> None:
    assert not workspace.lab.exists()
    assert list(load_lab(workspace).boards) == ["virtual-h7", "virtual-f4", "host"]


def test_an_unknown_board_is_answered_with_the_near_match(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="did you mean 'virtual-h7'"):
        load_lab(workspace).board("virtual-h8")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{kind: stm32n6570dk, find: {probe: a}}", "there is no kind 'stm32n6570dk' (did you mean 'stm32n6570-dk'?)"),
        ("stm32h747i-disco", "boards.b: write keys and values (kind, lab, find, ...), not 'stm32h747i-disco'"),
        ("{kind: host, bauds: 9600}", "unknown key 'boards.b.bauds' (did you mean 'baud'?)"),
        ("{kind: stm32n6570-dk, find: {prob: a}}", "unknown key 'boards.b.find.prob' (did you mean 'probe'?)"),
        ("{kind: stm32n6570-dk, find: {probe: 0049}}", "write the serial number in quotes"),
        ("{kind: stm32n6570-dk, find: {probe: a, port: b}}", "give exactly one of probe, usb, port"),
        ("{kind: stm32n6570-dk, find: {ssh: {host: a}}}", "give exactly one of probe, usb, port"),
        ("{kind: stm32mp257f-dk, find: {port: a}}", "give ssh to find a board of the kind stm32mp257f-dk"),
        ("{kind: stm32mp257f-dk, find: {ssh: {host: a, password: b}}}", "unknown key 'boards.b.find.ssh.password'"),
        ("{kind: stm32mp257f-dk, find: {ssh: {host: a, port: 70000}}}", "boards.b.find.ssh.port"),
        ("{kind: stm32mp257f-dk, find: {ssh: {host: -oProxyCommand=x}}}", "boards.b.find.ssh.host: a host is a name or an IP address"),
        ("{kind: stm32mp257f-dk, find: {ssh: {host: 'a;touch HACK'}}}", "boards.b.find.ssh.host"),
        ("{kind: stm32mp257f-dk, find: {ssh: {host: a, user: '-l root'}}}", "boards.b.find.ssh.user: a user's name"),
        ("{kind: host, find: {port: a}}", "LiteRT on this machine is found without being looked for"),
        ("{kind: stm32n6570-dk, find: {usb: '483:374e'}}", "boards.b.find.usb"),
        ("{kind: host, flash: [{run: [a, '{efl}']}]}", "there is no part {efl} (did you mean 'elf'?)"),
        ("{kind: host, flash: [{run: [a, '{elf.parent}']}]}", "there is no part {elf.parent}"),
        ("{kind: host, flash: [{run: [a, '{elf!r:>9}']}]}", "a part takes no format"),
        ("{kind: host, flash: [{run: [a, '{elf']}]}", "write {{ for a brace"),
        ("{kind: host, flash: [{run: 'a b'}]}", "boards.b.flash.0.run"),
        ("{kind: host, flash: [{run: []}]}", "boards.b.flash.0.run"),
        ("{kind: host, flash: [{run: [a], deadline: 3}]}", "unknown key 'boards.b.flash.0.deadline' (did you mean 'deadline_s'?)"),
        ("{kind: host, power_cycle: [{run: [a], deadline_s: 0}]}", "boards.b.power_cycle.0.deadline_s"),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(workspace: Workspace, line: str, said: str) -> None:
    text = refusal(workspace, f"boards:\n  host: {{kind: host}}\n  b: {line}\n")
    assert f"{workspace.lab}:3: " in text
    assert said in text


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{kind: host, baud: 115200}", "baud has no use for a"),
        ("{kind: virtual-h7, clock_mhz: 400}", "clock_mhz has no use for a"),
        ("{kind: stm32mp257f-dk, find: {ssh: {host: mp2}}, flash: []}", "flash has no use for a STM32MP257F-DK"),
        ("{kind: stm32h747i-disco, find: {probe: '1'}, linux: {python: python3.9}}", "linux has no use for a STM32H747I-DISCO"),
        ("{kind: stm32h747i-disco, find: {port: /dev/ttyS0, interface: 2}}", "interface chooses between the serial ports of a probe"),
        ("{kind: stm32mp257f-dk, find: {ssh: {host: mp2}, interface: 2}}", "interface chooses between the serial ports of a probe"),
    ],
)
def test_a_key_that_would_do_nothing_is_refused_with_its_line(workspace: Workspace, entry: str, words: str) -> None:
    said = refusal(workspace, f"boards:\n  desk: {entry}\n")
    assert "lab.yaml:2: " in said and words in said


def test_a_command_as_text_is_answered_with_the_list_to_write(workspace: Workspace) -> None:
    said = refusal(
        workspace, "boards:\n  h7:\n    kind: stm32h747i-disco\n    find: {port: COM3}\n    flash: \"STM32_Programmer_CLI -w '{elf}' -s\"\n"
    )
    written = said.splitlines()[1]
    assert written == '    - {run: ["STM32_Programmer_CLI", "-w", "{elf}", "-s"]}'
    lab = lab_of(workspace, f"boards:\n  h7:\n    kind: stm32h747i-disco\n    find: {{port: COM3}}\n    flash:\n  {written}\n")
    assert lab.board("h7").entry.flash[0].run == ["STM32_Programmer_CLI", "-w", "{elf}", "-s"]
