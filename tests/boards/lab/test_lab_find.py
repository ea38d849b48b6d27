"""Finding a board: by its probe's serial number, USB ids, port or address; twins and absent ones are errors that name them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_usb import FakeUsb

from edgeloop.boards.lab.config import BoardEntry, Find, Lab, LabBoard, Ssh
from edgeloop.boards.lab.find import find, reach
from edgeloop.boards.lab.usb import usb_devices
from edgeloop.errors import BoardAbsent

SERIAL = "003900393137510C39383538"
OTHER = "066DFF485550755187121840"


def board(kind: str = "stm32h747i-disco", **how: object) -> LabBoard:
    return Lab(boards={"b": BoardEntry(kind=kind, find=Find.model_validate(how))}).board("b")


@pytest.fixture
def usb(tmp_path: Path) -> FakeUsb:
    machine = FakeUsb(tmp_path / "root")
    machine.plug("usb1", "1d6b:0002", "0000:00:14.0", name="xHCI Host Controller")
    return machine


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class TestAttached:
    def test_by_the_serial_number_whatever_the_order(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-1", "0483:374e", OTHER, ("ttyACM0",))
        usb.plug("1-2.3", "0483:374e", SERIAL, ("ttyACM1",))
        found = find(board(probe=SERIAL), tmp_path, usb.root)
        assert (found.address, found.probe, found.key) == (str(usb.root / "dev/ttyACM1"), SERIAL, f"probe {SERIAL}")

    def test_by_its_usb_ids_where_there_is_one(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-1", "10c4:ea60", "0001", ("ttyUSB0",), name="CP2102")
        usb.plug("1-2", "0483:374b", SERIAL, ("ttyACM0",))
        assert find(board(usb="0483:374B"), tmp_path, usb.root).address == str(usb.root / "dev/ttyACM0")
        assert find(board(usb="10C4:EA60"), tmp_path, usb.root).address == str(usb.root / "dev/ttyUSB0")

    def test_twins_are_refused_and_both_named(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
        usb.plug("1-2", "0483:374e", OTHER, ("ttyACM1",))
        with pytest.raises(BoardAbsent, match="2 USB devices fit b") as refused:
            find(board(usb="0483:374e"), tmp_path, usb.root)
        for part in (SERIAL, OTHER, "1-1", "1-2", "ttyACM0", "ttyACM1", "find: {probe:"):
            assert part in str(refused.value)

    def test_twins_without_serial_numbers_are_refused_and_both_named(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-1", "0483:374b", None, ("ttyACM0",))
        usb.plug("1-2", "0483:374b", None, ("ttyACM1",))
        with pytest.raises(BoardAbsent, match="cannot be told apart") as refused:
            find(board(usb="0483:374b"), tmp_path, usb.root)
        assert "1-1 (no serial number; " in str(refused.value)
        assert "1-2 (no serial number; " in str(refused.value)

    def test_twins_with_the_same_serial_number_are_refused(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-1", "0483:374b", SERIAL, ("ttyACM0",))
        usb.plug("1-2", "0483:374b", SERIAL, ("ttyACM1",))
        with pytest.raises(BoardAbsent, match="cannot be told apart"):
            find(board(probe=SERIAL), tmp_path, usb.root)

    def test_an_absent_one_is_named_with_those_that_are_there(self, usb: FakeUsb, tmp_path: Path) -> None:
        with pytest.raises(BoardAbsent, match="No ST-LINK is attached"):
            find(board(probe=SERIAL), tmp_path, usb.root)
        usb.plug("1-2", "0483:374e", OTHER, ("ttyACM1",))
        with pytest.raises(BoardAbsent, match=f"serial number {SERIAL} is attached.\n.*Attached probes: .*{OTHER}"):
            find(board(probe=SERIAL), tmp_path, usb.root)

    def test_one_in_its_boot_loader_is_recognised(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-2", "0483:374d", None, name="STM32 BOOTLOADER")
        with pytest.raises(BoardAbsent, match="in its boot loader: STM32 BOOTLOADER 0483:374d"):
            find(board(probe=SERIAL), tmp_path, usb.root)

    def test_a_probe_without_a_port(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-2", "0483:3748", SERIAL)
        with pytest.raises(BoardAbsent, match="has no serial port"):
            find(board(probe=SERIAL), tmp_path, usb.root)

    def test_a_probe_with_two_ports_wants_the_interface(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-2", "0483:3753", SERIAL, ("ttyACM0", "ttyACM1"))
        with pytest.raises(BoardAbsent, match=r"ttyACM0 \(interface 2\), .*ttyACM1 \(interface 4\)"):
            find(board(probe=SERIAL), tmp_path, usb.root)
        assert find(board(probe=SERIAL, interface=4), tmp_path, usb.root).address == str(usb.root / "dev/ttyACM1")

    def test_however_it_is_found_it_is_one_board(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-2", "0483:374e", SERIAL, ("ttyACM0",))
        link = tmp_path / "by-id"
        link.symlink_to(usb.root / "dev/ttyACM0")
        ways = [{"probe": SERIAL}, {"usb": "0483:374e"}, {"port": str(link)}, {"port": str(usb.root / "dev/ttyACM0")}]
        assert {find(board(**way), tmp_path, usb.root).key for way in ways} == {f"probe {SERIAL}"}

    def test_one_that_is_unplugged_while_it_is_looked_for(self, usb: FakeUsb) -> None:
        usb.plug("1-2", "0483:374e", SERIAL, ("ttyACM0",))
        usb.unplug("1-2")
        assert [device.location for device in usb_devices(usb.root)] == ["usb1"]

    def test_a_port_that_is_not_there_is_answered_with_those_that_are(self, usb: FakeUsb, tmp_path: Path) -> None:
        usb.plug("1-2", "0483:374e", SERIAL, ("ttyACM0",))
        with pytest.raises(BoardAbsent, match=r"(?s)There is no port /dev/ttyACM99.*ttyACM0"):
            find(board(port="/dev/ttyACM99"), tmp_path, usb.root)


def test_a_machine_without_usb_says_so(tmp_path: Path) -> None:
    with pytest.raises(BoardAbsent, match="shows no USB at all: a container"):
        find(board(probe=SERIAL), tmp_path, tmp_path)


def test_a_pseudo_terminal_is_a_port(tmp_path: Path) -> None:
    leader, follower = os.openpty()
    try:
        name = os.ttyname(follower)
        assert find(board(port=name), tmp_path).key == f"port {name}"
    finally:
        os.close(leader)
        os.close(follower)


def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(BoardAbsent, match="is no serial port"):
        find(board(port=str(file)), tmp_path)


@pytest.mark.parametrize(
    ("port", "said"),
    [
        ("http://lab2:80", "is no serial port's address"),
        ("socket://lab2", "names no host and port"),
        ("rfc2217://", "names no host and port"),
    ],
)
def test_an_address_that_cannot_be_one(port: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BoardAbsent, match=said):
        find(board(port=port), tmp_path)


def test_one_exporters_port_is_one_board_however_it_is_written(tmp_path: Path) -> None:
    keys = {find(board(port=url), tmp_path).key for url in ("rfc2217://Lab2:2217", "rfc2217://lab2", "rfc2217://lab2:2217?ign_set_control")}
    assert keys == {"net lab2:2217"}


def test_a_board_on_the_network_is_reached(listener: int, tmp_path: Path) -> None:
    reach(find(board(port=f"socket://127.0.0.1:{listener}"), tmp_path))
    reach(find(board("any-linux", ssh={"host": "127.0.0.1", "port": listener}), tmp_path))


def test_a_closed_port_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(BoardAbsent, match=f"refuses connections on port {port}"):
        reach(find(board("any-linux", ssh={"host": "127.0.0.1", "port": port}), tmp_path))


def test_a_host_that_does_not_answer_is_given_up_in_time(tmp_path: Path) -> None:
    """A listener whose queue of connections is full answers nothing more."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        fillers = [socket.socket() for _ in range(8)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            with pytest.raises(BoardAbsent, match="did not answer on port"):
                reach(find(board(port=f"socket://127.0.0.1:{address[1]}"), tmp_path), deadline_s=0.3)
        finally:
            for filler in fillers:
                filler.close()


def test_a_name_without_an_address(tmp_path: Path) -> None:
    with pytest.raises(BoardAbsent, match=r"has no address|cannot be reached"):
        reach(find(board("any-linux", ssh={"host": "no-such-board.invalid"}), tmp_path))


def test_host_and_virtual_boards_need_nothing(tmp_path: Path) -> None:
    assert find(board("host"), tmp_path).key == "host"
    assert find(board("virtual-h7"), tmp_path / "one").key != find(board("virtual-h7"), tmp_path / "two").key


def test_an_ssh_address_names_user_and_port(tmp_path: Path) -> None:
    found = find(board("stm32mp257f-dk", ssh=Ssh(host="192.168.7.1")), tmp_path)
    assert (found.address, found.key) == ("root@192.168.7.1:22", "ssh 192.168.7.1:22")
