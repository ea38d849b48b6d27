"""Commands under supervision: what git says of a host that is away, that hangs, or that refuses."""

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from edgeloop.errors import InputError, StageMayPass
from flows import commands
from flows.commands import Ended, environment, git

pytestmark = pytest.mark.slow


def asked(folder: Path, address: str) -> str:
    return git(folder, "ls-remote", address, cancelled=lambda: False, env=environment())


@pytest.fixture
def silent() -> socket.socket:
    """It takes connections, and says nothing."""
    return socket.create_server(("127.0.0.1", 0))


def test_a_repository_answers(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "there")], check=True)
    assert asked(tmp_path, str(tmp_path / "there")) == ""


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1/there", "git://127.0.0.1:1/there", "ssh://127.0.0.1:1/there", "http://no.such.invalid/there"]
)
def test_a_host_that_is_away_may_come_back(tmp_path: Path, address: str) -> None:
    with pytest.raises(StageMayPass, match="git ls-remote fails"):
        asked(tmp_path, address)


def test_what_is_no_repository_does_not_become_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not appear to be a git repository"):
        asked(tmp_path, str(tmp_path))


def test_a_host_that_says_nothing_is_given_up(tmp_path: Path, silent: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "GIT_S", 1.5)
    begun = time.monotonic()
    with silent, pytest.raises(StageMayPass, match=r"not done in .* within 2 s"):
        asked(tmp_path, f"git://127.0.0.1:{silent.getsockname()[1]}/there")
    assert time.monotonic() - begun < 15


def test_waiting_ends_when_all_ends(tmp_path: Path, silent: socket.socket) -> None:
    over = threading.Event()
    threading.Timer(1, over.set).start()
    with silent, pytest.raises(Ended):
        git(tmp_path, "ls-remote", f"git://127.0.0.1:{silent.getsockname()[1]}/there", cancelled=over.is_set, env=environment())
