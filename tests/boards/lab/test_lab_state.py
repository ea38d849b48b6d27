"""`edgeloop boards`: each board is free, held by somebody since some time, or absent for a reason."""

import socket
from functools import partial
from pathlib import Path

import pytest
from fake_usb import FakeUsb
from forks import children, wait_for

from edgeloop.boards.lab.config import BoardEntry, Find, Lab, Ssh
from edgeloop.boards.lab.state import render, states
from edgeloop.boards.lock import hold


def hold_until_killed(key: str, ready: Path) -> None:
    with hold(key, "benchmark@flowers-fdmobilenet_0.25-128-n6", 10):
        ready.write_text("yes", encoding="utf-8")
        wait_for(ready.with_name("never"), 60)


def test_free_held_and_absent(tmp_path: Path) -> None:
    usb, ready = FakeUsb(tmp_path / "root"), tmp_path / "ready"
    usb.plug("1-1", "0483:3754", "A1", ("ttyACM0",))
    usb.plug("1-2", "0483:374e", "B2", ("ttyACM1",))
    lab = Lab(
        boards={
            "host": BoardEntry(kind="host"),
            "n6": BoardEntry(kind="stm32n6570-dk", find=Find(probe="A1")),
            "h7": BoardEntry(kind="stm32h747i-disco", find=Find(probe="B2")),
            "f7": BoardEntry(kind="stm32f769i-disco", find=Find(probe="C3")),
        }
    )
    with children() as start:
        holder = start(partial(hold_until_killed, "probe A1", ready))
        wait_for(ready)
        seen = {board.name: board for board in states(lab, tmp_path, usb.root)}
        holder.kill()
        after = {board.name: board.state for board in states(lab, tmp_path, usb.root)}
    assert {name: board.state for name, board in seen.items()} == {"host": "free", "n6": "held", "h7": "free", "f7": "absent"}
    assert seen["n6"].holder is not None
    assert seen["n6"].holder.pid == holder.pid
    assert (seen["h7"].address, seen["h7"].probe) == (str(usb.root / "dev/ttyACM1"), "B2")
    assert after["n6"] == "free"
    lines = render(list(seen.values())).splitlines()
    assert lines[0].split() == ["host", "host", "free"]
    assert f"held    by benchmark@flowers-fdmobilenet_0.25-128-n6 ({seen['n6'].holder.user}@" in lines[1]
    assert "since 2" in lines[1]
    assert "absent  No USB device with the serial number C3 is attached." in lines[3]


def test_boards_on_a_network_are_tried_all_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        here = BoardEntry(kind="any-linux", find=Find(ssh=Ssh(host="127.0.0.1", port=port)))
        exported = BoardEntry(kind="stm32h747i-disco", find=Find(port=f"socket://127.0.0.1:{port}"))
        up = states(Lab(boards={"here": here, "exported": exported}), tmp_path)
    down = states(Lab(boards={"here": here, "exported": exported}), tmp_path)
    assert [board.state for board in up] == ["free", "free"]
    assert [board.state for board in down] == ["absent", "absent"]
    assert "refuses connections" in str(down[0].why)


def test_a_held_exporter_is_not_disturbed(tmp_path: Path) -> None:
    """It serves one client; a second connection might end the first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        lab = Lab(boards={"exported": BoardEntry(kind="stm32h747i-disco", find=Find(port=f"socket://127.0.0.1:{port}"))})
        with hold(f"net localhost:{port}", "a run", 0):
            assert states(lab, tmp_path)[0].state == "held"
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


def test_who_waits_is_shown(tmp_path: Path) -> None:
    lab = Lab(boards={"host": BoardEntry(kind="host")})
    with children() as start, hold("host", "the first", 0):
        start(partial(hold_until_killed, "host", tmp_path / "ready"))
        while not (board := states(lab, tmp_path)[0]).waiting:
            pass
    assert "waiting: 1. benchmark@flowers-fdmobilenet_0.25-128-n6" in render([board])
