"""A Linux board of lab.yaml is asked over a real SSH server what it is, with the keys and the known hosts that it names."""

import sys
from getpass import getuser
from pathlib import Path

import pytest
from linux_board import SSHD, LinuxBoard, linux_board

from edgeloop.boards.lab.config import BoardEntry, Find, Lab, LabBoard, Linux, Ssh
from edgeloop.boards.lab.connect import linux_settings
from edgeloop.boards.lab.identify import identify
from edgeloop.errors import BoardNotTrusted


def board(linux: LinuxBoard, kind: str = "any-linux", key: str = "key") -> LabBoard:
    ssh = Ssh(host="127.0.0.1", port=linux.port, user=getuser(), key=linux.folder / key, known_hosts=linux.folder / "known_hosts")
    entry = BoardEntry(kind=kind, find=Find(ssh=ssh), linux=Linux(python=sys.executable, folder=str(linux.disk)))
    return Lab(boards={"mp2": entry}).board("mp2")


def test_a_linux_board_says_what_it_is(tmp_path: Path) -> None:
    with linux_board(tmp_path / "board", "openssh" if SSHD else "asyncssh") as linux:
        said = identify(board(linux), tmp_path)
        assert said.says["runtime"].startswith("ai_edge_litert")
        with pytest.raises(BoardNotTrusted):
            identify(board(linux, key="other_key"), tmp_path)
        assert linux.is_clean()


def test_what_lab_yaml_says_reaches_the_driver() -> None:
    entry = BoardEntry(kind="stm32mp257f-dk", find=Find(ssh=Ssh(host="192.168.7.1")), linux=Linux(runtime="stai_mpu", acceleration=False))
    settings = linux_settings(Lab(boards={"mp2": entry}).board("mp2"))
    assert (settings.host, settings.port, settings.user, settings.kind) == ("192.168.7.1", 22, "root", "stm32mp257f-dk")
    assert (settings.runtime, settings.acceleration, settings.keys) == ("stai_mpu", False, [])
