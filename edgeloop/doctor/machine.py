"""What the checks may look at: this machine, or in tests one that is put together from folders and figures."""

import datetime as dt
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeloop.boards.lab.config import Lab, LabBoard, load_lab
from edgeloop.boards.lab.usb import UsbDevice, usb_devices
from edgeloop.errors import ConfigError, InputError
from edgeloop.workspace import Workspace, find_workspace

RUN_S = 20.0


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def lines(path: Path) -> list[str]:
    """The lines of a small file of the system; none where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


@dataclass(frozen=True)
class Answer:
    """What a program said; `code` is None when it was not done in time or could not be started."""

    code: int | None
    text: str


@dataclass(frozen=True)
class Machine:
    """A machine. `root` is where /sys, /dev, /proc and /etc are looked for."""

    root: Path = Path("/")
    start: Path = field(default_factory=Path.cwd)
    """The folder that the command is given in."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: tuple[int, ...] = sys.version_info[:3]
    executable: Path = Path(sys.executable)
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    free_bytes: Callable[[Path], int] = _free_bytes
    installed: Callable[[str], str | None] = _installed
    """The version of a Python package, or None."""

    answers: dict[str, Any] = field(default_factory=dict)
    """Answers of programs that are slow to ask, by their names."""

    @cached_property
    def workspace(self) -> Workspace | None:
        try:
            return find_workspace(self.start)
        except InputError:
            return None

    @cached_property
    def lab(self) -> Lab:
        """An empty one where lab.yaml cannot be read: another check says so."""
        if self.workspace is None:
            return Lab(boards={})
        try:
            return load_lab(self.workspace)
        except ConfigError:
            return Lab(boards={})

    @cached_property
    def devices(self) -> list[UsbDevice]:
        return usb_devices(self.root)

    @property
    def home(self) -> Path:
        return Path(self.environment.get("HOME") or Path.home())

    @property
    def user(self) -> str:
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:  # a container's user without a name
            return str(os.geteuid())

    def boards(self, *ways: str) -> list[LabBoard]:
        """The boards of the lab that are found in one of these ways."""
        return [board for board in self.lab.all() if set(board.ways) & set(ways)]

    def which(self, program: str) -> str | None:
        """The path of a program, by this machine's PATH."""
        return shutil.which(program, path=self.environment.get("PATH", ""))

    def run(self, *arguments: str, seconds: float = RUN_S) -> Answer:
        """Run a program to its end, with nothing to read."""
        try:
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(self.environment) | {"LC_ALL": "C"},
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return Answer(None, (late.stdout or b"").decode(errors="replace"))
        except OSError as error:
            return Answer(None, str(error.strerror))
        return Answer(done.returncode, done.stdout.decode(errors="replace"))

    def processes(self) -> Iterator[tuple[int, str]]:
        """Number and name of every process."""
        for folder in (self.root / "proc").glob("[0-9]*"):
            try:
                name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                continue
            yield int(folder.name), name

    def openers(self, path: Path) -> list[tuple[int, str]]:
        """The processes that have a file open, this one left out; of other users' ones only root sees that."""
        real = path.resolve()
        return [(pid, name) for pid, name in self.processes() if pid != os.getpid() and real in self._files_of(pid)]

    def may(self, path: Path) -> bool:
        """Whether this user may read and write a file."""
        return os.access(path, os.R_OK | os.W_OK, effective_ids=True)

    def group_of(self, path: Path) -> tuple[str, bool]:
        """The group of a file, and whether the user is entered as one of its members (in this session or not)."""
        number = path.stat().st_gid
        for line in lines(self.root / "etc/group"):
            name, _, group, members = line.split(":", 3)
            if group == str(number):
                return name, self.user in members.split(",")
        return str(number), False

    def _files_of(self, pid: int) -> set[Path]:
        files = set()
        try:
            for entry in (self.root / "proc" / str(pid) / "fd").iterdir():
                try:
                    files.add(entry.readlink())
                except OSError:  # closed meanwhile
                    continue
        except OSError:  # another user's, or gone
            pass
        return files
