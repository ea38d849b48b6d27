"""A machine on which nothing is wrong, put together from real folders, programs and sockets; tests then break one thing."""

import datetime as dt
import os
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_usb import FakeUsb

from edgeloop.boards.lab.usb import UsbDevice
from edgeloop.boards.lockfiles import VARIABLE
from edgeloop.doctor.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
GIB = 1 << 30
KEPT = (VARIABLE, "PYTHONPATH", "PYTEST_CURRENT_TEST", "TMPDIR")
PROGRAMS = ("edgeloop", "dvc", "weed", "arm-none-eabi-gcc", "python")


@dataclass
class Bench:
    """The machine below `folder`; what is opened is closed with `stack`."""

    folder: Path
    locks: Path
    stack: ExitStack
    patch: pytest.MonkeyPatch
    environment: dict[str, str] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str | None] = field(default_factory=dict)
    unprivileged: bool = False
    """Whether it is to be examined by a user without rights."""

    def __post_init__(self) -> None:
        self.root, self.project, self.home, self.bin = (self.folder / name for name in ("root", "project", "home", "bin"))
        system = (self.root / name for name in ("proc", "etc", "sys/bus/usb/devices"))
        for folder in (*system, self.project / ".dvc/tmp", self.home, self.bin):
            folder.mkdir(parents=True)
        self.write(self.root / "proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n")
        self.write(self.root / "etc/group", "root:x:0:\ndialout:x:20:\n")
        self.write(self.project / ".dvc/config", "[core]\n")
        for name in ("params.yaml", "graph.yaml"):
            shutil.copy(ROOT / name, self.project)
        for name in PROGRAMS:
            self.program(name, "exit 0")
        git = shutil.which("git")
        assert git is not None
        (self.bin / "git").symlink_to(git)
        self.environment |= {"PATH": str(self.bin), "HOME": str(self.home), "EDGELOOP_PORTS": "any"}
        subprocess.run([git, "init", "-q", str(self.project)], check=True, timeout=30, env=self.environment)

    def machine(self) -> Machine:
        """The machine; the process's own environment becomes this one, too."""
        for name in set(os.environ) - set(KEPT):
            self.patch.delenv(name)
        for name, value in self.environment.items():
            self.patch.setenv(name, value)
        settings: dict[str, Any] = {
            "root": self.root,
            "start": self.project,
            "executable": self.bin / "python",
            "python": (3, 12, 1),
            "now": dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
            "free_bytes": lambda _: 100 * GIB,
            "installed": lambda name: self.versions.get(name, "0.140"),
        }
        return Machine(**settings | self.overrides)

    @staticmethod
    def write(path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def program(self, name: str, text: str) -> Path:
        """A shell script on this machine's PATH."""
        path = self.write(self.bin / name, f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def lab(self, *boards: str) -> None:
        """lab.yaml with these lines."""
        self.write(self.project / "lab.yaml", "\n".join(["boards:", "  host: {kind: host}", *(f"  {board}" for board in boards)]) + "\n")

    def process(self, pid: int, name: str, command: str = "", opens: tuple[Path, ...] = ()) -> None:
        """A process in /proc."""
        folder = self.root / "proc" / str(pid)
        self.write(folder / "comm", name + "\n")
        self.write(folder / "cmdline", command.replace(" ", "\0"))
        (folder / "fd").mkdir()
        for number, path in enumerate(opens):
            (folder / "fd" / str(number)).symlink_to(path.resolve())

    def plug(self, location: str, ids: str, serial: str | None = None, ports: tuple[str, ...] = ()) -> UsbDevice:
        """Attach a USB device."""
        return FakeUsb(self.root).plug(location, ids, serial, ports)

    def listen(self, banner: bytes = b"") -> int:
        """A port of this real machine on which something listens, and greets the first who comes."""
        server = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port: int = server.getsockname()[1]
        if banner:
            greeter = subprocess.Popen(
                [sys.executable, "-c", f"import socket; s = socket.socket(fileno=0)\nwhile True: s.accept()[0].sendall({banner!r})"],
                stdin=server.fileno(),
            )
            self.stack.callback(greeter.wait)
            self.stack.callback(greeter.kill)
        return port

    def closed_port(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port: int = server.getsockname()[1]
        return port

    def silent_address(self) -> tuple[str, int]:
        """One that takes no connection and refuses none: its queue is full."""
        server = self.stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):
            filler = self.stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        host, port = server.getsockname()
        return host, port
