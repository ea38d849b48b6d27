"""The process of a virtual board: started with a firmware, found by its terminal, and ended whatever happens."""

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeloop.boards.virtual.parts import Part
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardError

START_S = 60.0
END_S = 5.0
NOTICE_S = 0.5
"""So long after its line is lost a process that is ending may still be there."""
MOST_WORDS = 2000


class BoardProcess:
    """`python -m edgeloop.boards.virtual` as a child, from when it is ready until `end`.

    Raises:
        BoardError: it was not ready in time, or ended.
    """

    def __init__(self, firmware: Path, part: Part, faults: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "edgeloop.boards.virtual", "--part", part.name, "--elf", str(firmware)]
        command += [argument for fault in faults for argument in ("--fault", fault)]
        self._written = firmware.with_suffix(".log")
        with self._written.open("wb") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        try:
            self.terminal = str(self._announced()["pty"])
        except BaseException:
            self.end()
            raise

    def last_words(self) -> str:
        """What a process that has ended wrote; empty while it runs."""
        try:
            self._process.wait(NOTICE_S)
        except subprocess.TimeoutExpired:
            return ""
        return self._written.read_text(errors="replace").strip()[-MOST_WORDS:] or f"exit status {self._process.returncode}"

    def end(self) -> None:
        """End it: it goes when its input closes, else by TERM, else by KILL. May be called twice."""
        for action in (self._close_input, self._process.terminate, self._process.kill):
            action()
            try:
                self._process.wait(END_S)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._process.stdout:
            self._process.stdout.close()

    def _close_input(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    def _announced(self) -> dict[str, Any]:
        """The line by which the process says where it can be reached."""
        line, deadline = bytearray(), Deadline.after(START_S)
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(deadline.left_s):
                    raise BoardError(f"The virtual board was not ready within {START_S:.0f} s.", "The machine is too busy: try again.")
                if not (more := os.read(self._process.stdout.fileno(), 4096)):
                    self._process.wait(END_S)
                    raise BoardError(f"The virtual board did not start: {self.last_words()}", "Check the firmware and the part.")
                line += more
        announced: dict[str, Any] = json.loads(line)
        return announced
