"""A supervised command never outlives its starter, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from flows_in_miniature import ROOT, until
from matrix import first_is_short

from edgeloop.services.processes import identify
from flows.supervisor import supervised

# A child that starts a grandchild in a session of its own, and both ignore TERM.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
inner = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
other = subprocess.Popen([sys.executable, "-c", inner], start_new_session=bool(int(sys.argv[2])))
open(sys.argv[1], "w").write(f"{os.getpid()} {other.pid}")
time.sleep(300)
"""
STARTER = """
import os, sys
from flows.supervisor import supervised
with supervised(sys.argv[1:], dict(os.environ), os.getcwd()) as process:
    process.wait()
"""


def pids(file: Path) -> list[int]:
    until(lambda: file.exists() and len(file.read_text(encoding="ascii").split()) == 2, 20)
    return [int(pid) for pid in file.read_text(encoding="ascii").split()]


def all_gone(numbers: list[int]) -> bool:
    return all(identify(pid) is None for pid in numbers)


@pytest.mark.parametrize("own_session", first_is_short(["0", "1"]))
def test_killing_the_starter_ends_the_command_and_its_children(tmp_path: Path, own_session: str) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", STARTER, sys.executable, "-c", STUBBORN, str(tmp_path / "pids"), own_session]
    starter = subprocess.Popen(argv, env=env, cwd=tmp_path)
    started = pids(tmp_path / "pids")
    starter.send_signal(signal.SIGKILL)
    starter.wait(timeout=10)
    until(lambda: all_gone(started), 15)


def test_leaving_the_block_ends_the_command(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", STUBBORN, str(tmp_path / "pids"), "0"]
    with pytest.raises(KeyboardInterrupt), supervised(argv, dict(os.environ) | {"PYTHONPATH": str(ROOT)}, str(tmp_path)):
        started = pids(tmp_path / "pids")
        raise KeyboardInterrupt
    assert all_gone(started)


@pytest.mark.parametrize("code", [0, 1, 7])
def test_output_and_exit_code_pass_through(tmp_path: Path, code: int) -> None:
    argv = ["sh", "-c", f"echo out; echo err >&2; exit {code}"]
    with supervised(argv, dict(os.environ) | {"PYTHONPATH": str(ROOT)}, str(tmp_path)) as process:
        assert process.stdout is not None
        assert sorted(process.stdout.read().split()) == [b"err", b"out"]
        assert process.wait(timeout=20) == code


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


@pytest.mark.parametrize("victim", first_is_short(["the watcher", "the process that runs the command"]))
def test_killing_either_half_of_the_supervisor_ends_the_command_and_its_children(tmp_path: Path, victim: str) -> None:
    argv = [sys.executable, "-c", STUBBORN, str(tmp_path / "pids"), "1"]
    with supervised(argv, dict(os.environ) | {"PYTHONPATH": str(ROOT)}, str(tmp_path)) as process:
        started = pids(tmp_path / "pids")
        inner = parent(started[0])
        assert parent(inner) == process.pid
        os.kill(process.pid if victim == "the watcher" else inner, signal.SIGKILL)
        until(lambda: all_gone(started), 10)
        assert process.wait(timeout=10) != 0
