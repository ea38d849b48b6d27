"""A board without flash commands: which tool writes its firmware, what it is told, and what each of its failures becomes.

Nothing here has run on hardware: the tools are stand-ins (flash_tools.py), or the real ones where no probe is attached.
"""

import dataclasses
import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_usb import FakeUsb
from flash_tools import DESK, H7, SERIAL, TOOLS, Desk
from matrix import first_is_short

from edgeloop import errors
from edgeloop.boards.lab import tools
from edgeloop.boards.lab.config import BoardEntry, Find, Lab, LabBoard
from edgeloop.boards.lab.find import Found, find
from edgeloop.boards.lab.flashing import flash_with, probe_of, word_at
from edgeloop.boards.lab.kinds import kinds
from edgeloop.boards.lab.tools import Flasher, choose, flasher, flashes
from edgeloop.boards.lab.usb import UsbDevice, usb_devices
from edgeloop.boards.lab.use import in_use
from edgeloop.errors import (
    FlashError,
    ProbeAbsent,
    ProbeAmbiguous,
    ProbeBusy,
    ProbeForbidden,
    TargetInReset,
    TargetLocked,
    TargetProtected,
    WrongPart,
)
from edgeloop.firmware.board import boards

KINDS = [name for name, kind in kinds().items() if flashes(kind)]


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    machine = FakeUsb(tmp_path / "root")
    machine.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    return machine


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with an H747; no flash tool is installed yet."""
    made = Desk(str(tmp_path / "desk"), SERIAL, dict(H7))
    Path(made.folder).mkdir()
    made.save()
    monkeypatch.setenv(DESK, made.folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(made.install()))
    monkeypatch.setattr(tools, "OWN_PROGRAMS", made.install())
    return made


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    file = tmp_path / "a [project] of $mine" / "firmware.elf"
    file.parent.mkdir()
    file.write_bytes(b"\x7fELF" + bytes(range(256)))
    return file


def board(kind: str = "stm32h747i-disco", **settings: Any) -> LabBoard:
    return Lab(boards={"h7": BoardEntry.model_validate({"kind": kind, **settings})}).board("h7")


def flash(desk: Desk, tool: str, usb: FakeUsb, elf: Path, told: Callable[[Flasher], Flasher] = lambda made: made) -> None:
    """Only this tool is installed."""
    desk.save()
    desk.install(tool)
    (device,) = usb_devices(usb.root)
    made = told(choose(kinds()["stm32h747i-disco"], SERIAL))
    assert made.tool.program == tool
    flash_with(made, board(), device, {"elf": str(elf)}, elf.parent / "flash.log", None)


# Which tool


def test_the_tools_are_taken_in_their_order(desk: Desk) -> None:
    assert tuple(tools.tools().tools) == TOOLS
    for tool in reversed(TOOLS):
        desk.install(tool)
        assert choose(kinds()["nucleo-f446re"], SERIAL).tool.program == tool


def test_sts_programmer_is_found_where_its_installer_puts_it(desk: Desk, tmp_path: Path) -> None:
    desk.install("openocd")
    place = tmp_path / "STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin"
    place.mkdir(parents=True)
    shutil.copy(desk.install("pyocd") / "pyocd", place / "STM32_Programmer_CLI")
    assert choose(kinds()["nucleo-f446re"], SERIAL).look.run[0] == str(place / "STM32_Programmer_CLI")


def test_without_a_tool_the_error_says_how_to_have_one(desk: Desk) -> None:
    with pytest.raises(FlashError, match=r"(?s)No tool that flashes .*STM32CubeProgrammer.*apt-get install openocd.*edgeloop\[flash\]"):
        choose(kinds()["stm32h747i-disco"], SERIAL)


def test_a_board_that_no_tool_flashes_by_itself_needs_its_command(desk: Desk) -> None:
    desk.install(*TOOLS)
    with pytest.raises(FlashError, match=r"(?s)STM32N6570-DK has no flash command.*Add `flash:`"):
        choose(kinds()["stm32n6570-dk"], SERIAL)


def test_every_board_that_edgeloop_builds_firmware_for_can_be_flashed() -> None:
    assert set(KINDS) == set(boards())
    assert len(KINDS) == 8


# What it is told


@pytest.mark.parametrize("tool", TOOLS)
def test_it_looks_writes_verifies_and_resets(desk: Desk, usb: FakeUsb, elf: Path, tool: str) -> None:
    flash(desk, tool, usb, elf)
    assert desk.holds(elf)
    look, *write = desk.log.read_text(encoding="utf-8").splitlines()
    assert str(elf) not in look and all(str(elf) in line for line in write)
    assert all(SERIAL in line for line in (look, *write))


def all_arguments() -> Iterator[tuple[str, list[str]]]:
    for name in KINDS:
        for tool in tools.tools().tools.values():
            made = flasher(tool, tool.program, kinds()[name], SERIAL)
            for command in (made.look, *made.write):
                yield f"{tool.program} {name}", command.run


LIFTS = re.compile(
    r"(?i)^-e$|unlock|\block\b|\brdu\b|\brdp\b|-ob\b|option|regress|tzen|mass|chip|\berase\b|--script|-el\b|\bprotect|\bmw[whb]\b|write32|-w(8|16|32)\b"
)
"""Every way of the three tools to change option bytes or to erase more than what is written (their manuals)."""


def lifts(arguments: list[str]) -> bool:
    return any(LIFTS.search(word) for word in arguments if word != "auto_unlock=false")


def test_no_argument_can_lift_a_protection() -> None:
    lists = list(all_arguments())
    assert len(lists) == len(KINDS) * (2 + 2 + 3)
    assert [where for where, arguments in lists if lifts(arguments)] == []
    pyocd = [arguments for where, arguments in lists if where.startswith("pyocd")]
    assert all(arguments[arguments.index("auto_unlock=false") - 1] == "-O" for arguments in pyocd)
    for what in ("-ob RDP=0xAA", "-rdu", "-e all", "stm32h7x unlock 0", "stm32f2x options_write 0", "flash write_image erase unlock x",
                 "-O auto_unlock=true", "erase --mass", "--erase chip", "mww 0x52002018 2", "-c write32 0x40023c14 0"):  # fmt: skip
        assert lifts(what.split()) or lifts([what]), what


@pytest.mark.shared
def test_the_registers_are_those_of_the_vendors_maps(shared: Callable[[str], Path]) -> None:
    maps = {"stm32h743": "stm32h7", "stm32h747_cm7": "stm32h7", "stm32h723": "stm32h7", "stm32f446": "stm32f4", "stm32f767": "stm32f7",
            "stm32f769": "stm32f7", "stm32l475": "stm32l4"}  # fmt: skip
    for part, family in maps.items():
        peripherals = json.loads(shared(f"fixtures/registers/{part}.json").read_text(encoding="utf-8"))["peripherals"]
        protections = {
            (held["base"] + register["offset"], tuple(register["fields"]["RDP"]))
            for name, held in peripherals.items() if name.upper() == "FLASH"
            for register in held["registers"].values() if "RDP" in register["fields"]
        }  # fmt: skip
        address, first_bit = tools.tools().families[family].protection
        assert (address, (first_bit, 8)) in protections, part
        assert tools.tools().families[family].identity in {held["base"] for name, held in peripherals.items() if name.startswith("DBG")}, (
            part
        )


# What each failure becomes

FAULTS = [
    ("STM32_Programmer_CLI", "absent", ProbeAbsent),
    ("STM32_Programmer_CLI", "busy", ProbeBusy),
    ("STM32_Programmer_CLI", "reset", TargetInReset),
    ("STM32_Programmer_CLI", "locked", TargetLocked),
    ("openocd", "absent", ProbeAbsent),
    ("openocd", "forbidden", ProbeForbidden),
    ("openocd", "busy", ProbeBusy),
    ("openocd", "reset", TargetInReset),
    ("openocd", "locked", TargetLocked),
    ("openocd", "smaller", WrongPart),
    ("pyocd", "absent", ProbeAbsent),
    ("pyocd", "ambiguous", ProbeAmbiguous),
    ("pyocd", "forbidden", ProbeForbidden),
    ("pyocd", "busy", ProbeBusy),
    ("pyocd", "reset", TargetInReset),
    ("pyocd", "locked", TargetLocked),
]


FIRST = [next(case for case in FAULTS if case[2] is error) for error in dict.fromkeys(error for *_, error in FAULTS)]


@pytest.mark.parametrize(
    ("tool", "fault", "error"), [*FIRST, *(pytest.param(*case, marks=pytest.mark.thorough) for case in FAULTS if case not in FIRST)]
)
def test_a_fault_that_the_tool_tells_has_its_error(
    desk: Desk, usb: FakeUsb, elf: Path, tool: str, fault: str, error: type[FlashError]
) -> None:
    desk.fault = fault
    with pytest.raises(FlashError) as caught:
        flash(desk, tool, usb, elf)
    assert type(caught.value) is error
    assert "h7" in caught.value.what and caught.value.remedy
    assert "It said:" in caught.value.what
    assert not desk.flash.exists()


@pytest.mark.parametrize("tool", first_is_short(TOOLS))
def test_nothing_is_written_to_another_part(desk: Desk, usb: FakeUsb, elf: Path, tool: str) -> None:
    desk.registers["0x5c001000"] = 0x10016483
    with pytest.raises(WrongPart, match=r"not that of a STM32H747I-DISCO. Its device id is 0x483, not 0x450"):
        flash(desk, tool, usb, elf)
    assert not desk.flash.exists() and len(desk.log.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize("tool", first_is_short(TOOLS))
def test_a_read_out_protection_is_said_and_stays(desk: Desk, usb: FakeUsb, elf: Path, tool: str) -> None:
    desk.registers["0x5200201c"] = 0x1FEFBBF0
    with pytest.raises(TargetProtected, match=r"(?s)0x1fefbbf0.*edgeloop never lifts it"):
        flash(desk, tool, usb, elf)
    assert not desk.flash.exists() and len(desk.log.read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize("tool", first_is_short(reversed(TOOLS)))
def test_what_was_not_written_well_is_an_error(desk: Desk, usb: FakeUsb, elf: Path, tool: str) -> None:
    desk.fault = "damaged"
    with pytest.raises(FlashError, match=r"exit code 1|did not say 'programmed 0 bytes'") as caught:
        flash(desk, tool, usb, elf)
    assert type(caught.value) is FlashError
    assert desk.flash.exists() and not desk.holds(elf)


def test_a_firmware_of_which_a_part_was_left_out_is_no_success(desk: Desk, usb: FakeUsb, elf: Path) -> None:
    desk.fault = "outside"
    with pytest.raises(FlashError, match=r"pyOCD wrote a part of .* only: .*no memory region defined for address 0x90000000"):
        flash(desk, "pyocd", usb, elf)


def test_an_exit_code_of_0_hides_no_fault(desk: Desk, usb: FakeUsb, elf: Path) -> None:
    desk.fault, desk.exit_code = "locked", 0
    with pytest.raises(TargetLocked, match="did not say which part"):
        flash(desk, "STM32_Programmer_CLI", usb, elf)


def test_a_tool_that_hangs_is_ended(desk: Desk, usb: FakeUsb, elf: Path) -> None:
    def hanging(made: Flasher) -> Flasher:
        return dataclasses.replace(made, look=made.look.model_copy(update={"run": ["/bin/sleep", "60"], "deadline_s": 1}))

    with pytest.raises(FlashError, match="was not done after 1 s"):
        flash(desk, "openocd", usb, elf, hanging)


def test_a_path_that_tools_misread_is_refused(desk: Desk, usb: FakeUsb, tmp_path: Path) -> None:
    with pytest.raises(FlashError, match="has a character that flash tools misread"):
        flash(desk, "openocd", usb, tmp_path / "a} ; shutdown ; {b.elf")
    assert not desk.log.exists()


def test_a_probe_that_this_user_may_not_open_is_said_before_a_tool_fails_at_it(
    desk: Desk, usb: FakeUsb, elf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STM32_Programmer_CLI tells no more than that it sees no probe. Root may open any, so the kernel's answer is replaced."""
    monkeypatch.setattr(os, "access", lambda path, *_, **__: not str(path).startswith(str(usb.root)))
    with pytest.raises(ProbeForbidden, match=r"(?s)may not open the debug probe .*udev rules"):
        flash(desk, "STM32_Programmer_CLI", usb, elf)
    assert not desk.log.exists()


def test_every_fault_of_the_table_is_met_here() -> None:
    told = {(tool.program, name) for tool in tools.tools().tools.values() for name in tool.says}
    met = {(tool, error.__name__) for tool, _, error in FAULTS}
    # Their registers tell both; these texts are for a failure in the middle, and no public log shows the tool's whole output.
    assert told - met == {("STM32_Programmer_CLI", "TargetProtected"), ("pyocd", "WrongPart")}
    assert set(tools.tools().faults) == {name for _, name in told}
    assert all(issubclass(getattr(errors, name), FlashError) for name in tools.tools().faults)


def test_words_as_each_tool_prints_them() -> None:
    for text in ("0x5C001000 : 20036450 \n", "0x5C001000 : 0x20036450\n", "5c001000:  20036450    |Pd. |\n"):
        assert word_at(f"0x15C001000 : 1\n{text}", 0x5C001000) == 0x20036450
    assert word_at("0x5C001004 : 20036450", 0x5C001000) is None


# Which probe


def found(device: UsbDevice | None, endpoint: tuple[str, int] | None = None) -> Found:
    return Found("key", "/dev/ttyUSB0", device, endpoint)


def test_the_probe_is_the_boards_own_whatever_else_is_attached(usb: FakeUsb) -> None:
    own = usb.plug("1-2", "0483:374b", "066D", ("ttyACM1",))
    assert probe_of(board(), found(own), usb_devices(usb.root)) == own


def test_a_board_at_a_serial_adapter_is_flashed_by_the_only_probe(usb: FakeUsb, tmp_path: Path) -> None:
    adapter = usb.plug("1-2", "10c4:ea60", "0001", ("ttyUSB0",), name="CP2102")
    assert probe_of(board(), found(adapter), usb_devices(usb.root)).serial == SERIAL
    usb.plug("1-3", "0483:374e", "0050")
    with pytest.raises(ProbeAmbiguous, match=rf"(?s)2 debug probes are attached.*{SERIAL}.*0050"):
        probe_of(board(), found(adapter), usb_devices(usb.root))
    with pytest.raises(ProbeAbsent, match="no debug probe to flash h7 with"):
        probe_of(board(), found(adapter), [adapter])


@pytest.mark.parametrize("serial", [None, "", "[exec touch x]", "\x06\xff?"])
def test_a_serial_number_that_no_tool_can_be_told_is_refused(usb: FakeUsb, serial: str | None) -> None:
    device = dataclasses.replace(usb_devices(usb.root)[0], serial=serial)
    with pytest.raises(ProbeAmbiguous, match="has no serial number that a flash tool could be told"):
        probe_of(board(), found(device), [device])


def test_a_board_of_another_machine_needs_its_command(usb: FakeUsb) -> None:
    with pytest.raises(FlashError, match=r"(?s)h7 has no flash command, and its serial port is on another machine"):
        probe_of(board(), found(None, ("lab2", 2217)), usb_devices(usb.root))


# In use


def test_one_line_of_lab_yaml_is_enough(desk: Desk, usb: FakeUsb, elf: Path, tmp_path: Path) -> None:
    desk.install("openocd")
    with in_use(board(), tmp_path, "a test", 0, root=usb.root) as used:
        assert used.found.address == str(usb.root / "dev/ttyACM0")
        commands = used.flash_commands
        used.flash({"elf": str(elf)}, tmp_path / "flash.log")
    assert desk.holds(elf)
    assert [command.run[0] for command in commands] == [str(Path(desk.folder) / "bin/openocd")] * 2


def test_the_entrys_own_commands_come_first(desk: Desk, usb: FakeUsb, elf: Path, tmp_path: Path) -> None:
    desk.install("openocd")
    own = board(flash=[{"run": ["/bin/echo", "{probe}", "{elf}"]}])
    with in_use(own, tmp_path, "a test", 0, root=usb.root) as used:
        used.flash({"elf": str(elf)}, tmp_path / "flash.log")
        assert used.flash_commands == own.entry.flash
    assert not desk.flash.exists()
    assert (tmp_path / "flash.log").read_text(encoding="utf-8").splitlines()[-1] == f"{SERIAL} {elf}"


def test_with_several_boards_it_is_the_one_that_no_other_entry_names(usb: FakeUsb, tmp_path: Path) -> None:
    usb.plug("1-2", "0483:374b", "066D", ("ttyACM1",))
    with pytest.raises(errors.BoardAbsent, match=rf"(?s)2 USB devices fit h7: .*{SERIAL}.*066D.*find: {{probe"):
        find(board(), tmp_path, usb.root)
    entries = {"h7": BoardEntry(kind="stm32h747i-disco"), "other": BoardEntry(kind="nucleo-f767zi", find=Find(probe="066D"))}
    assert find(Lab(boards=entries).board("h7"), tmp_path, usb.root).probe == SERIAL


def test_a_disk_that_tells_of_another_board_is_not_this_one(usb: FakeUsb, tmp_path: Path) -> None:
    usb.plug("1-2", "0483:374b", "066D", ("ttyACM1",), disk="NODE_F767ZI")
    assert find(board(), tmp_path, usb.root).probe == SERIAL
    assert find(board("nucleo-f767zi", find={"probe": SERIAL}), tmp_path, usb.root).probe == SERIAL
    usb.unplug("1-1")
    with pytest.raises(errors.BoardAbsent, match=r"(?s)No debug probe that may be that of h7 .*Attached probes: .*066D") as absent:
        find(board(), tmp_path, usb.root)
    assert "By its disk NODE_F767ZI the one at 1-2 is that of a board of the kind nucleo-f767zi: correct `kind`" in absent.value.remedy


# The real tools, where they are


@pytest.mark.skipif(shutil.which("openocd") is None, reason="openocd is not installed")
class TestRealOpenocd:
    @pytest.mark.parametrize("kind", first_is_short(KINDS))
    def test_without_a_probe_it_says_so(self, kind: str, usb: FakeUsb, elf: Path) -> None:
        """Its arguments are valid as far as to the probe, and its words are those of the table."""
        tool, (device,) = tools.tools().tools["openocd"], usb_devices(usb.root)
        program = shutil.which("openocd")
        assert program is not None
        made = flasher(tool, program, kinds()[kind], "EDGELOOPTEST")
        for first in (made.look, made.write[0]):
            with pytest.raises(ProbeAbsent, match="open failed"):
                flash_with(dataclasses.replace(made, look=first), board(), device, {"elf": str(elf)}, elf.parent / "flash.log", None)

    def test_its_language_takes_what_it_is_told(self, elf: Path, tmp_path: Path) -> None:
        """Commands that need a board are replaced by ones that print; the path has what Tcl would put values in for."""
        made = flasher(tools.tools().tools["openocd"], "openocd", kinds()["stm32h747i-disco"], SERIAL)
        stubs = "proc init {} {}; proc reset {args} {}; proc poll {on} {}; proc read_memory {at width count} {return 0x20036450}; "
        stubs += "proc flash {args} {echo $args}; proc verify_image {args} {}"
        for command, expected in ((made.look, "0x5C001000 : 0x20036450"), (made.write[0], f"{{{elf}}}")):
            told = command.run[command.run.index("reset_config srst_only") + 1 :]
            run = subprocess.run(
                ["openocd", "-c", stubs, *(word.format(elf=elf) for word in told)],
                capture_output=True, text=True, timeout=30, check=False, cwd=tmp_path,
            )  # fmt: skip
            assert run.returncode == 0 and expected in run.stdout + run.stderr, run.stderr


@pytest.mark.skipif(importlib.util.find_spec("pyocd") is None, reason="pyOCD is not installed: pip install edgeloop[flash]")
class TestRealPyocd:
    def test_its_own_list_has_the_targets_and_their_flash_memory_is_the_boards(self) -> None:
        """Read through its API: built in, so that no pack is needed, and every part of our firmware lies in flash that it writes."""
        known = importlib.import_module("pyocd.target.builtin").BUILTIN_TARGETS
        for kind in KINDS:
            name = kinds()[kind].flash
            assert name is not None
            self.check(kind, known[name.pyocd])

    def check(self, kind: str, target: Any) -> None:
        flash_regions = [region for region in target.MEMORY_MAP if region.is_flash and region.algo]
        for region in (boards()[kind].flash, *(one for one in boards()[kind].memories if one.name.startswith("FLASH"))):
            covered = sum(max(0, min(one.end + 1, region.end) - max(one.start, region.start)) for one in flash_regions)
            assert covered == region.size, region
        ram = boards()[kind].regions
        algorithm = flash_regions[0].algo
        highest = max(algorithm["load_address"] + 4 * len(algorithm["instructions"]), algorithm["begin_stack"], *algorithm["page_buffers"])
        assert any(one.start <= algorithm["load_address"] and highest + flash_regions[0].page_size <= one.end for one in ram)

    @pytest.mark.parametrize("command", first_is_short(("load", "commander")))
    def test_without_a_probe_it_says_so(self, command: str, usb: FakeUsb, elf: Path) -> None:
        tool, (device,) = tools.tools().tools["pyocd"], usb_devices(usb.root)
        program = tool.find()
        assert program is not None
        made = flasher(tool, program, kinds()["stm32h747i-disco"], "EDGELOOPTEST")
        for first in (one for one in (made.look, made.write[0]) if command in one.run):
            with pytest.raises(ProbeAbsent, match="No connected debug probe matches unique ID 'EDGELOOPTEST'"):
                flash_with(dataclasses.replace(made, look=first), board(), device, {"elf": str(elf)}, elf.parent / "flash.log", None)
