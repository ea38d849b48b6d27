"""A test bench in miniature: a "physical" board that is an emulated core behind a serial exporter, flashed by a command.

The exporter listens on TCP as ser2net does (115200 baud), whether or not a core runs behind it. Two small programs stand in for a firmware
project and a flash tool: `build_firmware_project.py` really compiles the generated code, `flash_tool.py` has the bench load the
ELF and restart the core. The firmware calls itself a TEST STAND-IN and not virtual, or the benchmark would refuse it; records
made here say so, and stay in temporary folders.
"""

import json
import os
import select
import shutil
import socket
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from miniature import CLASSES, coloured, prepare

from edgeloop.boards.virtual.parts import find_part
from edgeloop.boards.virtual.process import BoardProcess
from edgeloop.workspace import VariantPaths, Workspace

PROGRAMS = Path(__file__).parent / "boards" / "mcu"
LOADED = "Start operation achieved successfully"
PART = "stm32h747"
POLL_S = 0.05
TALK_S = 60.0


@dataclass
class Bench:
    """The desk with one board. Set `faults` (of the virtual board) before the board is flashed; they hold from then on."""

    folder: Path
    part: str = PART
    cache: Path | None = None
    """Where its firmware project keeps what it has compiled."""
    faults: list[str] = field(default_factory=list)
    flashed: list[str] = field(default_factory=list)
    """The ELF of each load, in order."""
    runs_elf: Path | None = None
    """What every load really starts, whatever was asked for: a flash tool that takes the wrong file."""
    switched: int = 0
    """How often its power was taken away and given back."""
    mute_until_switched: bool = False
    """Whether it says nothing before its power has been off."""

    def __post_init__(self) -> None:
        self._core: BoardProcess | None = None
        self._exporter: socket.socket | None = None
        self._client: socket.socket | None = None
        self._tool = _listening(0)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.port = 0
        self.plug()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve_tools, self._serve_clients)]
        for thread in self._threads:
            thread.start()

    @property
    def address(self) -> str:
        """Where lab.yaml finds the board."""
        return f"socket://127.0.0.1:{self.port}"

    @property
    def control(self) -> str:
        """Where its flash tool reaches the bench."""
        return f"127.0.0.1:{self._tool.getsockname()[1]}"

    def plug(self) -> None:
        """The exporter listens again, at the same port."""
        self._exporter = _listening(self.port)
        self.port = self._exporter.getsockname()[1]

    def unplug(self) -> None:
        """The exporter refuses connections, and drops the one that there is."""
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            # Closing alone would leave it listening as long as a thread waits for it.
            exporter.shutdown(socket.SHUT_RDWR)
            exporter.close()
        client = self._client
        if client is not None:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def entry(self, **settings: Any) -> dict[str, Any]:
        """The board in lab.yaml."""
        python = sys.executable
        build = [python, str(PROGRAMS / "build_firmware_project.py"), "{generated}", "{elf}", self.part]
        build += [] if self.cache is None else [str(self.cache)]
        known = {
            "kind": "stm32h747i-disco",
            "find": {"port": self.address},
            "generate": {"backend": "portable"},
            "build": [{"run": build, "deadline_s": 300}],
            "flash": [{"run": [python, str(PROGRAMS / "flash_tool.py"), self.control, "load", "{elf}"], "expect": LOADED}],
        }
        return {**known, **settings}

    @property
    def terminal(self) -> str | None:
        """The serial port of the core that runs now."""
        return None if self._core is None else self._core.terminal

    def power_command(self) -> dict[str, Any]:
        """For `power_cycle`."""
        return {"run": [sys.executable, str(PROGRAMS / "flash_tool.py"), self.control, "power"]}

    def write_lab(self, workspace: Workspace, name: str = "h747", **settings: Any) -> None:
        """lab.yaml with this board alone; JSON is YAML."""
        workspace.lab.write_text(json.dumps({"boards": {name: self.entry(**settings)}}), encoding="utf-8")

    @property
    def state(self) -> str:
        """`connected` while a client is."""
        if self._exporter is None:
            return "unplugged"
        return "idle" if self._client is None else "connected"

    def erase(self) -> None:
        """Nothing is on the board any more."""
        with self._lock:
            self._end_core()

    def close(self) -> None:
        self._over.set()
        self.unplug()
        for thread in self._threads:
            thread.join(timeout=10)
        self._tool.close()
        with self._lock:
            self._end_core()

    def _serve_tools(self) -> None:
        while not self._over.is_set():
            if select.select([self._tool], [], [], POLL_S)[0]:
                tool, _ = self._tool.accept()
                with tool:
                    tool.settimeout(TALK_S)
                    said = self._do(json.loads(tool.makefile().readline()))
                    with suppress(OSError):
                        tool.sendall(f"{said}\n".encode())

    def _do(self, asked: list[str]) -> str:
        if asked[0] == "power":
            self.switched += 1
            return "switched off and on"
        self.flashed.append(asked[1])
        with self._lock:
            self._end_core()
            self._core = BoardProcess(self._own_copy(self.runs_elf or Path(asked[1])), find_part(self.part), self.faults)
        return LOADED

    def _own_copy(self, elf: Path) -> Path:
        """As flash memory is one."""
        copy = self.folder / f"flash-{len(self.flashed)}.elf"
        copy.write_bytes(elf.read_bytes())
        return copy

    def _end_core(self) -> None:
        if self._core is not None:
            self._core.end()
        self._core = None

    def _serve_clients(self) -> None:
        while not self._over.is_set():
            exporter = self._exporter
            if exporter is None:
                self._over.wait(POLL_S)
                continue
            with suppress(OSError, ValueError):
                if select.select([exporter], [], [], POLL_S)[0]:
                    self._client, _ = exporter.accept()
                    with self._client:
                        self._carry(self._client)
                    self._client = None

    def _carry(self, client: socket.socket) -> None:
        """Bytes both ways between a client and the core, until either goes; without a core they are lost."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        core = self._core
        line = None if core is None else _opened(core.terminal)
        both: list[socket.socket | int] = [client] if line is None else [client, line]
        try:
            while not self._over.is_set() and self._core is core:
                ready = select.select(both, [], [], POLL_S)[0]
                if client in ready:
                    received = client.recv(1 << 16)
                    if not received:
                        return
                    if line is not None and not (self.mute_until_switched and not self.switched):
                        os.write(line, received)
                if line is not None and line in ready:
                    client.sendall(os.read(line, 1 << 16))
        finally:
            if line is not None:
                os.close(line)


@contextmanager
def bench_in(folder: Path, part: str = PART, cache: Path | None = None) -> Iterator[Bench]:
    """A bench until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    desk = Bench(folder, part, cache)
    try:
        yield desk
    finally:
        desk.close()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the firmware project has compiled in this session."""
    return tmp_path_factory.mktemp("compiled firmware")


@pytest.fixture
def bench(tmp_path: Path, compiled: Path) -> Iterator[Bench]:
    """A bench with an H7; `bench.write_lab(workspace)` makes it the board `h747`."""
    with bench_in(tmp_path / "bench", cache=compiled) as desk:
        yield desk


@pytest.fixture
def measurable(workspace: Workspace, miniatures: Path) -> VariantPaths:
    """The variant sample-fdmobilenet_0.25-96 with a prepared data set and quantized models: the classifier of colours."""
    prepare(workspace, "sample", [(label, "test", coloured(label, number)) for label in CLASSES for number in range(2)])
    paths = workspace.variant("sample", "fdmobilenet_0.25", 96)
    shutil.copytree(miniatures, paths.quantized)
    return paths


def _listening(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=4, reuse_port=False)


def _opened(terminal: str) -> int:
    line = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    settings = termios.tcgetattr(line)
    settings[4] = settings[5] = termios.B115200
    termios.tcsetattr(line, termios.TCSANOW, settings)
    return line
