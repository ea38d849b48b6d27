"""A conversation with the keeper on a board: requests with a deadline, answers checked, the board clean afterwards."""

import json
import re
import shlex
from contextlib import suppress
from importlib import resources
from pathlib import PurePosixPath
from typing import Any

from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.mpu.connection import Connection, Process
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardError, BoardRefusal, ProtocolError

MARK = b"EDGELOOP "
VERSION = 1
ON_BOARD = "edgeloop.boards.mpu.on_board"
BOOT = (
    "import io,sys;stream=io.BufferedReader(io.FileIO(0,closefd=False));source=stream.read(int(stream.readline()));names={};"
    'exec(compile(source,"keeper.py","exec"),names);'
    'names["Keeper"](stream,source.decode(),float(sys.argv[1]),sys.argv[2]).serve()'
)
"""Reads the keeper's source from its input, so that no command line is longer than small SSH servers take."""
WRAP = 'echo "EDGELOOP-PID $$"; exec "$@"'
PID = re.compile(rb"EDGELOOP-PID (\d+)")
"""Known before the keeper speaks, so that even a program that never does can be ended."""
MOST_NOISE = 1 << 16
"""Bytes that a login script may print in front of the first frame."""
MOST_LINE = 1 << 20
MOST_PAYLOAD = 1 << 28
SLOWEST_UPLOAD = 50_000
"""Bytes a second."""
SHOWN = 200

Header = dict[str, Any]
REMEDIES = {
    "storage": "Free space there, or name another folder of the board by `folder` in lab.yaml.",
    "no-runtime": "Install one (X-LINUX-AI: apt-get install stai-mpu; elsewhere: python3 -m pip install numpy ai-edge-litert), "
    "or name the Python that has it by `python` in lab.yaml.",
    "runtime-broken": "It may be built for another processor or another NumPy: install it again, or name another one by `runtime`.",
    "model": "Convert the model for this runtime, or update the runtime.",
}


class Session:
    """The board's keeper, from its start to the board's being clean again."""

    def __init__(self, board: LabBoard) -> None:
        """Connect and start the keeper.

        Raises:
            BoardError: one of its kinds; nothing is left on the board.
        """
        self._board, self._linux = board, board.linux
        self._buffer = bytearray()
        self._folder = ""
        self._pid: int | None = None
        self._connection = Connection(board)
        self._process: Process | None = None
        try:
            self.hello = self._begin()
        except BaseException:
            self.close()
            raise

    def request(self, header: Header, payload: bytes = b"", *, deadline_s: float | None = None) -> tuple[Header, bytes]:
        """Ask the board something; gives the answer's (header, payload). Signs of life in between begin the deadline anew.

        Raises:
            BoardRefusal: it cannot.
            BoardSilent: no answer in time.
            BoardUnreachable: the connection broke.
            ProtocolError: it answers something else.
            BoardError: the runner ended.
        """
        whole = {**header, "bytes": len(payload)} if payload else header
        self._running.converse(MARK + json.dumps(whole).encode() + b"\n" + payload)
        silence_s = (deadline_s or self._linux.deadlines.answer_s) + len(payload) / SLOWEST_UPLOAD
        answer, content = self._frame(silence_s, f"for '{header['op']}'")
        while answer.get("event") == "tick":
            answer, content = self._frame(silence_s, f"for '{header['op']}'")
        if "error" in answer:
            raise self._refusal(answer)
        return answer, content

    def close(self) -> None:
        """End everything that runs on the board, remove its folder, and disconnect; may be called twice."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(BoardError):
                self._clean_up(process)
        self._connection.close()

    def _begin(self) -> Header:
        linux, hello_s = self._linux, self._linux.deadlines.hello_s
        boot = [linux.python, "-u", "-c", BOOT, str(linux.deadlines.idle_s), linux.folder]
        self._process = self._connection.start(shlex.join(["exec", "sh", "-c", WRAP, "sh", *boot]), hello_s)
        keeper = source("keeper.py")
        self._process.converse(b"%d\n" % len(keeper) + keeper)
        self._skip_noise(Deadline.after(hello_s))
        hello, _ = self._frame(hello_s, "to begin")
        if "error" in hello:
            raise self._refusal(hello)
        if hello.get("event") != "hello" or hello.get("version") != VERSION or not isinstance(hello.get("folder"), str):
            raise self._garbled(json.dumps(hello))
        self._folder = hello["folder"]
        return hello

    def _clean_up(self, process: Process) -> None:
        """The keeper cleans up by itself when its input ends; where it does not, that is done over the connection."""
        close_s = self._linux.deadlines.close_s
        commands = []
        try:
            ended_well = process.end(close_s) == 0
        except BoardError:
            ended_well = False
            commands += [f"kill -9 -- -{self._pid} || kill -9 {self._pid}"] if self._pid else []
        if not ended_well and "/edgeloop-board-" in self._folder:
            commands.append(f"rm -rf -- {shlex.quote(self._folder)}")
        if commands:
            self._connection.start(shlex.join(["exec", "sh", "-c", "; ".join(commands)]), close_s).end(close_s)

    @property
    def _running(self) -> Process:
        if self._process is None:
            raise BoardError(f"The session with the board '{self._board.name}' is over.", "Begin a new one.")
        return self._process

    def _skip_noise(self, deadline: Deadline) -> None:
        """Pass over what a login script prints before the keeper speaks."""
        while (place := self._buffer.find(MARK)) < 0:
            self._note_pid()
            if len(self._buffer) > MOST_NOISE:
                raise self._garbled(bytes(self._buffer))
            self._more(deadline, "to begin")
        self._note_pid()
        del self._buffer[:place]

    def _note_pid(self) -> None:
        if self._pid is None and (said := PID.search(self._buffer)):
            self._pid = int(said.group(1))

    def _frame(self, within_s: float, what: str) -> tuple[Header, bytes]:
        deadline = Deadline.after(within_s)
        while b"\n" not in self._buffer:
            if len(self._buffer) > MOST_LINE:
                raise self._garbled(bytes(self._buffer))
            self._more(deadline, what)
        line, _, self._buffer = self._buffer.partition(b"\n")
        header = self._header(bytes(line))
        size = header.get("bytes", 0)
        while len(self._buffer) < size:
            self._more(deadline, what)
        payload = bytes(self._buffer[:size])
        del self._buffer[:size]
        return header, payload

    def _header(self, line: bytes) -> Header:
        try:
            header = json.loads(line.removeprefix(MARK)) if line.startswith(MARK) else None
        except (ValueError, RecursionError):
            header = None
        if not isinstance(header, dict):
            raise self._garbled(line)
        size = header.get("bytes", 0)
        if not isinstance(size, int) or not 0 <= size <= MOST_PAYLOAD:
            raise self._garbled(line)
        return header

    def _more(self, deadline: Deadline, what: str) -> None:
        piece = self._running.read(deadline, what)
        if not piece:
            raise self._ended()
        self._buffer += piece

    def _ended(self) -> BoardError:
        """Words for a keeper that is gone."""
        process = self._running
        code = process.end(self._linux.deadlines.close_s)
        if self._connection.is_lost:
            return self._connection.lost("it was closed by the board")
        if code in (126, 127) and not self._folder:
            return BoardRefusal(
                f"The board '{self._board.name}' cannot run '{self._linux.python}': {process.errors or f'exit code {code}'}.",
                "Install Python 3.8 or later there, or name the one that has the runtime by `python` in lab.yaml.",
            )
        if self._buffer:
            return self._garbled(bytes(self._buffer))
        ending = "a signal" if code in (None, -1) else f"exit code {code}"
        return BoardError(
            f"The runner on the board '{self._board.name}' ended ({ending}): {process.errors or 'it said nothing'}.",
            "Run it again; if memory is short there (dmesg shows it), free some.",
        )

    def _refusal(self, answer: Header) -> BoardError:
        kind, text = str(answer["error"]), str(answer.get("text", "")).strip()
        name = self._board.name
        if kind == "worker-ended":
            code = answer.get("exit")
            ending = f"signal {-code}" if isinstance(code, int) and code < 0 else f"exit code {code}"
            return BoardError(
                f"The runner on the board '{name}' crashed ({ending}): {text or 'it said nothing'}", "The runtime is at fault."
            )
        return BoardRefusal(f"The board '{name}' cannot go on: {text}.", REMEDIES.get(kind, ""))

    def _garbled(self, content: bytes | str) -> ProtocolError:
        return ProtocolError(
            f"The board '{self._board.name}' answers something that is no answer: {content[:SHOWN]!r}",
            f"Is '{self._linux.python}' there a Python, and does the login print nothing while programs run?",
        )


def source(name: str) -> bytes:
    """The source of a program for the board."""
    return (resources.files(ON_BOARD) / str(PurePosixPath(name))).read_bytes()
