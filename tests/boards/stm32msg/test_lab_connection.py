"""Boards of lab.yaml that speak the serial validation protocol: version found out, part and clock checked, lock held."""

import os
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from device import ScriptedDevice

from edgeloop.boards.identify import identify
from edgeloop.boards.lab.config import BoardEntry, Find, Lab, LabBoard
from edgeloop.boards.lab.find import find
from edgeloop.boards.lock import hold
from edgeloop.boards.mcu.connect import check_part, connect
from edgeloop.cli import main
from edgeloop.console import MAY_PASS
from edgeloop.errors import BoardBusy, BoardError, BoardSilent
from edgeloop.workspace import Workspace


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A terminal at whose other end nobody is."""
    near, far = os.openpty()
    tty.setraw(far)
    yield os.ttyname(far)
    os.close(near)
    os.close(far)


def board(address: str, kind: str = "stm32h747i-disco", **settings: Any) -> LabBoard:
    entry = BoardEntry(kind=kind, find=Find(port=address), **{"clock_mhz": 480, **settings})
    return Lab(boards={"h7": entry}).board("h7")


@pytest.mark.parametrize("version", ["3.1", "3.2"])
def test_the_version_of_the_protocol_is_found_out(version: str, tmp_path: Path) -> None:
    with ScriptedDevice(version) as device:
        asked = board(device.address)
        with connect(asked, find(asked, tmp_path)) as client:
            assert client.version == version
            check_part(asked, client.system())
            assert [network.name for network in client.networks()] == ["network"]


def test_a_version_that_lab_yaml_names_is_not_doubted(tmp_path: Path) -> None:
    with ScriptedDevice("3.2") as device:
        asked = board(device.address, protocol="3.2")
        with connect(asked, find(asked, tmp_path)) as client:
            assert client.version == "3.2"


def test_a_board_that_says_nothing_is_given_up(silent_port: str, tmp_path: Path) -> None:
    asked = board(silent_port, kind="stm32n6570-dk")
    with pytest.raises(BoardSilent, match="answers in neither version") as silent:
        connect(asked, find(asked, tmp_path))
    assert "at 921600 baud" in str(silent.value)
    assert "BOOT switches" in str(silent.value)


def test_the_answer_names_part_clock_and_model(tmp_path: Path) -> None:
    with ScriptedDevice() as device:
        said = identify(board(device.address), tmp_path)
    assert (said.says["device id"], said.says["protocol"]) == ("0x450", "3.1")
    assert said.says["clock"] == "480 MHz (bus 240 MHz)"
    assert said.says["model 'network'"].startswith("0x0123456789abcdef, ")
    assert said.in_words().splitlines()[0] == f"h7 (stm32h747i-disco) {device.address}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "stm32n6570-dk"}, "reports the device id 0x450; a STM32N6570-DK has 0x486"),
        ({"clock_mhz": 400}, "runs at 480 MHz, not at 400 MHz"),
    ],
)
def test_another_part_or_clock_than_lab_yaml_says_is_refused(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with ScriptedDevice() as device, pytest.raises(BoardError, match=said):
        identify(board(device.address, **settings), tmp_path)


def test_a_board_that_somebody_holds_is_not_disturbed(tmp_path: Path) -> None:
    with ScriptedDevice() as device:
        asked = board(device.address)
        with hold(find(asked, tmp_path).key, "a benchmark", 0), pytest.raises(BoardBusy, match="a benchmark"):
            identify(asked, tmp_path, wait_s=0)
        assert device.requests == []


def test_the_commands_list_and_identify(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(workspace.root)
    with ScriptedDevice() as device:
        entry = f"{{kind: stm32h747i-disco, find: {{port: {device.address}}}, clock_mhz: 480}}"
        workspace.lab.write_text(f"boards:\n  h7: {entry}\n  virtual-h7: {{kind: virtual-h7}}\n", encoding="utf-8")
        assert main(["boards", "--json", "boards.json"]) == 0
        assert main(["boards", "identify", "h7"]) == 0
        assert main(["boards", "identify", "virtual-h7"]) == 0
        assert main(["boards", "identify", "h77"]) == 1
        with hold(f"port {device.address}", "a benchmark", 0):
            assert main(["boards", "identify", "h7", "--wait", "0"]) == MAY_PASS
    out, err = capsys.readouterr()
    assert f"h7          stm32h747i-disco  free    {device.address}" in out
    assert "480 MHz (bus 240 MHz)" in out
    assert "one instruction a cycle" in out
    assert "did you mean 'h7'" in err
    assert "waiting for h7, held by a benchmark (" in err
    assert '"state": "free"' in (workspace.root / "boards.json").read_text(encoding="utf-8")
