"""A Linux board of lab.yaml is asked over a real SSH server what it is, with the keys and the known hosts that it names."""

from pathlib import Path

import pytest
from linux_board import LinuxBoard

from edgeloop.boards.identify import identify
from edgeloop.errors import BoardNotTrusted


def test_a_linux_board_says_what_it_is(linux: LinuxBoard, tmp_path: Path) -> None:
    assert identify(linux.board(), tmp_path).says["runtime"].startswith("ai_edge_litert")
    with pytest.raises(BoardNotTrusted):
        identify(linux.board(key=linux.folder / "other_key"), tmp_path)
