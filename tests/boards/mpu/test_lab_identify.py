"""A Linux board of lab.yaml is asked over a real SSH server what it is, with the keys and the known hosts that it names."""

from pathlib import Path

import pytest
from linux_board import SSHD, linux_board

from edgeloop.boards.identify import identify
from edgeloop.errors import BoardNotTrusted


def test_a_linux_board_says_what_it_is(tmp_path: Path) -> None:
    with linux_board(tmp_path / "board", "openssh" if SSHD else "asyncssh") as linux:
        said = identify(linux.board(), tmp_path)
        assert said.says["runtime"].startswith("ai_edge_litert")
        with pytest.raises(BoardNotTrusted):
            identify(linux.board(key=linux.folder / "other_key"), tmp_path)
        assert linux.is_clean()
