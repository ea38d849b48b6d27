"""A board of the lab in use: found, locked, built for, flashed, switched off and on, and found again afterwards."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgeloop.boards.lab.command import Command, run_commands
from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.lab.find import Found, find
from edgeloop.boards.lab.flashing import flash_with, probe_of
from edgeloop.boards.lab.tools import Flasher, choose
from edgeloop.boards.lab.usb import UsbDevice, usb_devices
from edgeloop.boards.lock import Held, Watcher, hold
from edgeloop.codegen.stedgeai.locate import Tool, find_tool, is_version
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardAbsent
from edgeloop.workspace import Workspace

RETURN_S = 20.0
"""How long a board may be away after it was flashed or switched off and on: Linux lists USB devices anew."""
POLL_S = 0.1


@dataclass
class BoardInUse:
    """A board that this process holds."""

    board: LabBoard
    found: Found
    held: Held
    project: Path
    root: Path = Path("/")

    @property
    def folder(self) -> Path:
        """For what is generated and built for it, and the output of its commands."""
        return Workspace(self.project).board(self.board.name)

    def build(self, parts: Mapping[str, str], log: Path) -> None:
        """Run the entry's `build` commands; `parts` names what they may need beside the board's own (`PARTS` of command.py).

        Raises:
            FlashError: one of them fails; see `run_commands`.
            StedgeaiMissing: one of them needs ST Edge AI Core, which is not here.
        """
        self._run(self.board.entry.build, parts, log)

    def flash(self, parts: Mapping[str, str], log: Path) -> None:
        """Run the entry's `flash` commands, or else those of a flash tool that is here, and wait until the board is back.

        Raises:
            FlashError: there are none, or one of them fails; see `run_commands` and `flash_with`.
            BoardAbsent: it does not come back.
        """
        if self.board.entry.flash:
            self._run(self.board.entry.flash, parts, log)
        else:
            flash_with(self.flasher, self.board, self.probe, parts, log, self.held)
        self.await_return()

    @property
    def flash_commands(self) -> tuple[Command, ...]:
        """What `flash` runs.

        Raises:
            FlashError: the entry has none, and there is no tool or no probe.
        """
        if self.board.entry.flash:
            return self.board.entry.flash
        return (self.flasher.look, *self.flasher.write)

    @cached_property
    def flasher(self) -> Flasher:
        """The flash tool, for a board whose entry has no `flash`."""
        return choose(self.board.kind, self.probe.serial or "")

    @cached_property
    def probe(self) -> UsbDevice:
        """The probe that such a tool is told to use."""
        return probe_of(self.board, self.found, usb_devices(self.root))

    def power_cycle(self, log: Path) -> bool:
        """Take its power away and give it back, where lab.yaml says how; returns whether it does.

        Raises:
            FlashError: a command fails; see `run_commands`.
            BoardAbsent: it does not come back.
        """
        if not self.board.entry.power_cycle:
            return False
        self._run(self.board.entry.power_cycle, {}, log)
        self.await_return()
        return True

    def await_return(self, deadline_s: float = RETURN_S) -> None:
        """Find the board again, under whatever port it now has.

        Raises:
            BoardAbsent: it is not there in time, or what is there is another one.
        """
        deadline = Deadline.after(deadline_s)
        while True:
            try:
                again = find(self.board, self.project, self.root)
                break
            except BoardAbsent:
                if deadline.is_over:
                    raise
            time.sleep(POLL_S)
        if again.key != self.found.key:
            what = f"{self.board.name} was {self.found.key}, and {again.key} is in its place now."
            raise BoardAbsent(what, "Find it by its serial number: find: {probe: ...} in lab.yaml.")
        self.found = again

    @property
    def parts(self) -> dict[str, str]:
        """What commands may name of the board itself."""
        own = {"board": self.board.name, "port": self.found.address, "project": str(self.project)}
        return own | ({"probe": self.found.probe} if self.found.probe else {})

    def _run(self, commands: Sequence[Command], parts: Mapping[str, str], log: Path) -> None:
        own = self.parts
        if "stedgeai" not in parts and any("stedgeai" in command.parts for command in commands):
            own["stedgeai"] = str(root_of(find_tool(named_tool(self.board, self.project), self.board.kind.target)))
        run_commands(commands, own | dict(parts), log, self.held)


def named_tool(board: LabBoard, project: Path) -> Path | None:
    """ST Edge AI Core as `generate: {tool: ...}` names it, a version or a path; None where it names none."""
    tool = board.entry.generate.tool
    return tool if tool is None or is_version(tool) else project / tool


def root_of(tool: Tool) -> Path:
    """The folder of ST Edge AI Core that holds Utilities, Middlewares and scripts; the program is Utilities/<system>/stedgeai."""
    return tool.program.resolve().parents[2]


@contextmanager
def in_use(
    board: LabBoard, project: Path, run: str, wait_s: float, watcher: Watcher | None = None, root: Path = Path("/")
) -> Iterator[BoardInUse]:
    """Find a board and hold it; `run` says what for.

    Raises:
        BoardAbsent: it is not attached.
        BoardBusy: somebody else has held it for `wait_s`.
    """
    found = find(board, project, root)
    with hold(found.key, run, wait_s, watcher) as held:
        # Whoever held it before may have flashed it, so that it has another port now.
        used = BoardInUse(board, found, held, project, root)
        used.await_return()
        yield used
