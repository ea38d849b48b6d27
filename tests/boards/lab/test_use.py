"""A board in use: flashed by its own commands, followed to another port, switched off and on, always locked meanwhile."""

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fake_usb import FakeUsb

from edgeloop.boards.lab.config import BoardEntry, Find, Lab, LabBoard
from edgeloop.boards.lab.use import in_use
from edgeloop.boards.lock import occupancy
from edgeloop.errors import BoardAbsent, BoardBusy, FlashError, StedgeaiMissing

SERIAL = "003900393137510C39383538"
KEY = f"probe {SERIAL}"


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    machine = FakeUsb(tmp_path / "root")
    machine.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    return machine


def board(**settings: Any) -> LabBoard:
    entry = {"kind": "stm32h747i-disco", "find": Find(probe=SERIAL), **settings}
    return Lab(boards={"h7": BoardEntry.model_validate(entry)}).board("h7")


def python(text: str, *arguments: str) -> dict[str, Any]:
    return {"run": [sys.executable, "-c", text, *arguments]}


def test_the_commands_know_the_board(usb: FakeUsb, tmp_path: Path) -> None:
    show = python("import sys; print(sys.argv[1:])", "{probe}", "{port}", "{board}", "{elf}", "{project}")
    with in_use(board(flash=[show]), tmp_path, "a test", 0, root=usb.root) as used:
        assert occupancy(KEY).held
        used.flash({"elf": "a.elf"}, tmp_path / "log")
    assert (tmp_path / "log").read_text(encoding="utf-8").splitlines()[-1] == str(
        [SERIAL, str(usb.root / "dev/ttyACM0"), "h7", "a.elf", str(tmp_path)]
    )
    assert not occupancy(KEY).held


def test_a_board_that_comes_back_at_another_port_is_followed(usb: FakeUsb, tmp_path: Path) -> None:
    """Its device goes for a moment and Linux gives it the next free name."""
    with in_use(board(flash=[python("pass")]), tmp_path, "a test", 0, root=usb.root) as used:
        usb.unplug("1-1")
        later = threading.Timer(0.3, lambda: usb.plug("1-2", "0483:374e", SERIAL, ("ttyACM1",)))
        later.start()
        used.flash({}, tmp_path / "log")
        later.join()
        assert used.found.address == str(usb.root / "dev/ttyACM1")


def test_a_board_that_does_not_come_back_is_an_error_in_time(usb: FakeUsb, tmp_path: Path) -> None:
    with in_use(board(), tmp_path, "a test", 0, root=usb.root) as used:
        usb.unplug("1-1")
        with pytest.raises(BoardAbsent, match="No USB device with the serial number"):
            used.await_return(deadline_s=0.3)
    assert not occupancy(KEY).held


def test_another_board_in_its_place_is_refused(usb: FakeUsb, tmp_path: Path) -> None:
    by_type = board(find=Find(usb="0483:374e"))
    with in_use(by_type, tmp_path, "a test", 0, root=usb.root) as used:
        usb.unplug("1-1")
        usb.plug("1-2", "0483:374e", "066D", ("ttyACM1",))
        with pytest.raises(BoardAbsent, match=f"was {KEY}, and probe 066D is in its place"):
            used.await_return(deadline_s=0.3)


def test_the_folder_of_sts_tool_is_found(usb: FakeUsb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "STEdgeAI/4.0"
    program = root / "Utilities" / ("mac" if sys.platform == "darwin" else "linux") / "stedgeai"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho 'ST Edge AI Core v4.0.1-20581 7ed50de05'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(root))
    show = python("import sys; print(sys.argv[1])", "{stedgeai}/scripts/N6_scripts/n6_loader.py")
    with in_use(board(flash=[show]), tmp_path, "a test", 0, root=usb.root) as used:
        used.flash({}, tmp_path / "log")
        assert (tmp_path / "log").read_text(encoding="utf-8").splitlines()[-1] == str(root / "scripts/N6_scripts/n6_loader.py")
        monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path))
        with pytest.raises(StedgeaiMissing):
            used.flash({}, tmp_path / "log")


def test_a_failed_flash_leaves_the_board_free(usb: FakeUsb, tmp_path: Path) -> None:
    failing = board(flash=[python("raise SystemExit('Error: No STM32 target found!')")])
    with pytest.raises(FlashError, match="No STM32 target found"), in_use(failing, tmp_path, "a test", 0, root=usb.root) as used:
        used.flash({}, tmp_path / "log")
    assert not occupancy(KEY).held


def test_power_is_switched_where_lab_yaml_says_how(usb: FakeUsb, tmp_path: Path) -> None:
    switch = python("open('switched', 'w').close()") | {"folder": "{project}"}
    with in_use(board(power_cycle=[switch]), tmp_path, "a test", 0, root=usb.root) as used:
        assert used.power_cycle(tmp_path / "log")
        assert (tmp_path / "switched").exists()
    with in_use(board(), tmp_path, "a test", 0, root=usb.root) as used:
        assert not used.power_cycle(tmp_path / "log")


def test_nobody_else_gets_it_meanwhile(usb: FakeUsb, tmp_path: Path) -> None:
    other = board(find=Find(port=str(usb.root / "dev/ttyACM0")))
    with (
        in_use(board(), tmp_path, "a test", 0, root=usb.root),
        pytest.raises(BoardBusy),
        in_use(other, tmp_path, "another", 0, root=usb.root),
    ):
        pass
