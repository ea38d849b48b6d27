"""A "board" on loopback: a real SSH server with keys and a configuration of its own, and a folder that stands for the board's disk.

OpenSSH's sshd where it is installed, else asyncssh's server with a real shell. Both run as processes of their own.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from edgeloop.boards.lab.config import BoardEntry, Deadlines, Find, Lab, LabBoard, Linux, Ssh
from edgeloop.services.ports import LOOPBACK, choose

START_S = 20.0
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
QUICK = Deadlines(connect_s=10, hello_s=10, answer_s=10, load_s=30, silence_s=10, tool_s=10, close_s=10, idle_s=60)


@dataclass
class LinuxBoard:
    """A running SSH server on loopback and what stands for the board's disk."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def disk(self) -> Path:
        """Where the board's temporary files go."""
        return self.folder / "disk"

    def entry(self, kind: str = "any-linux", **changes: Any) -> BoardEntry:
        """In lab.yaml: with the right key and the right known_hosts, unless `changes` of `ssh` or `linux` say otherwise."""
        ssh = {"host": LOOPBACK, "port": self.port, "user": getuser(), "key": self.folder / "key"}
        ssh |= {"known_hosts": self.folder / "known_hosts"} | {name: changes.pop(name) for name in [*changes] if name in Ssh.model_fields}
        linux = {"python": sys.executable, "folder": str(self.disk), "deadlines": QUICK}
        return BoardEntry(kind=kind, find=Find(ssh=Ssh.model_validate(ssh)), linux=Linux.model_validate(linux | changes))

    def board(self, kind: str = "any-linux", **changes: Any) -> LabBoard:
        """The board `loopback` of a lab."""
        return Lab(boards={"loopback": self.entry(kind, **changes)}).board("loopback")

    def trust(self, port: int, key: str = "host_key") -> None:
        """Add a line to known_hosts."""
        public = (self.folder / f"{key}.pub").read_text(encoding="ascii").split()
        with (self.folder / "known_hosts").open("a", encoding="ascii") as known:
            known.write(f"[{LOOPBACK}]:{port} {public[0]} {public[1]}\n")

    def is_clean(self, wait_s: float = 30.0) -> bool:
        """Whether the board's disk is empty and nothing runs from it, at the latest after `wait_s`."""
        deadline = time.monotonic() + wait_s
        while list(self.disk.iterdir()) or running_in(self.disk):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


def running_in(folder: Path) -> list[int]:
    """Processes whose working directory lies in `folder` or whose command names it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                where = str((entry / "cwd").readlink())
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if where.startswith(str(folder)) or ("Keeper" in command and str(folder) in command):
                found.append(int(entry.name))
    return found


def make_keys(folder: Path, *names: str) -> None:
    """Key pairs without a passphrase."""
    for name in names:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        if shutil.which("ssh-keygen"):
            subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL)
        else:
            write_key(folder / name)


def write_key(path: Path) -> None:
    """The same without OpenSSH."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(str(path))
    path.chmod(0o600)
    key.write_public_key(f"{path}.pub")


@contextmanager
def linux_board(folder: Path, server: str, environment: dict[str, str] | None = None) -> Iterator[LinuxBoard]:
    """A board that is up, trusted and empty; `server` is `openssh` or `asyncssh`. It is ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "disk").mkdir()
    make_keys(folder, "host_key", "key", "other_key")
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    port = choose({"ssh": 0}).ports["ssh"]
    command = openssh(folder, port, environment or {}) if server == "openssh" else asyncssh_server(folder, port, environment or {})
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    board = LinuxBoard(folder, port, process)
    try:
        wait_until_up(board)
        board.trust(port)
        yield board
    finally:
        log.close()
        end(process)


def openssh(folder: Path, port: int, environment: dict[str, str]) -> list[str]:
    """The command of OpenSSH's server."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    lines = [
        f"ListenAddress {LOOPBACK}",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        f"PidFile {folder}/pid",
        "UsePAM no",
        "StrictModes no",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        *(["SetEnv " + " ".join(f'{name}="{value}"' for name, value in environment.items())] if environment else []),
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [str(SSHD), "-D", "-e", "-f", str(folder / "sshd_config"), "-p", str(port)]


def asyncssh_server(folder: Path, port: int, environment: dict[str, str]) -> list[str]:
    """The command of asyncssh's server."""
    script = Path(__file__).with_name("asyncssh_server.py")
    return [sys.executable, str(script), str(folder), str(port), json.dumps(environment)]


def wait_until_up(board: LinuxBoard) -> None:
    """Wait until the server greets."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            with socket.create_connection((LOOPBACK, board.port), 2) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        log = (board.folder / "server.log").read_text(encoding="utf-8", errors="replace")
        assert board.process.poll() is None, f"the SSH server ended: {log}"
        assert time.monotonic() < deadline, f"the SSH server is not up after {START_S} s: {log}"
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server; the sessions that it began end with their connections."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def linux_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxBoard]:
    with linux_board(tmp_path_factory.mktemp("board"), "openssh" if SSHD else "asyncssh") as running:
        yield running


@pytest.fixture
def linux(linux_server: LinuxBoard) -> Iterator[LinuxBoard]:
    """The board; at the end of every test nothing may be left on it."""
    yield linux_server
    assert linux_server.is_clean()
