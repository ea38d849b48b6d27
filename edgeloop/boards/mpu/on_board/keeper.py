"""The first program on the board: it owns a fresh folder, starts the worker in it, and leaves nothing behind.

It is sent through `python3 -c` and talks in frames over its standard input and output: a line `EDGELOOP {JSON}`, followed by
as many raw bytes as the JSON's `bytes` says. When its input ends, when the host says nothing for `idle_s`, or when a signal
asks it to, it ends the worker, removes the folder and is gone.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Dict, Iterator, NoReturn

MARK = b"EDGELOOP "
FOLDER_PREFIX = "edgeloop-board-"
LOCK = "held-by-keeper"
CHUNK = 1 << 16
NEW_FOLDER_S = 60.0
"""A folder that nobody holds is taken for a left-over only when it is this old: its keeper may be about to lock it."""
WORKER_END_S = 0.1
LOG_TAIL = 4000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)

Header = Dict[str, Any]


def read_frame(stream: IO[bytes]) -> tuple[Header, bytes] | None:
    """The next (header, payload) of a stream; None at its end, or where it holds something else."""
    line = stream.readline()
    if not line.startswith(MARK) or not line.endswith(b"\n"):
        return None
    try:
        header: Header = json.loads(line[len(MARK) :])
    except ValueError:
        return None
    payload = stream.read(header.get("bytes", 0))
    return None if len(payload) < header.get("bytes", 0) else (header, payload)


def write_frame(stream: IO[bytes], header: Header, payload: bytes = b"") -> None:
    """Write one frame and flush it."""
    whole = {**header, "bytes": len(payload)} if payload else header
    stream.write(MARK + json.dumps(whole).encode("ascii") + b"\n")
    stream.write(payload)
    stream.flush()


class Keeper:
    """The folder, the worker, and the conversation with the host."""

    def __init__(self, stream: Any, source: str, idle_s: float, parent: str) -> None:
        """`stream` is the buffered input; `source` is this file; the folder is made in `parent`, or where temporary files go."""
        self._in = stream
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # whatever else is printed here must not get between the frames
        self._source = source
        self._idle_s = idle_s
        self._parent = Path(parent or tempfile.gettempdir())
        self._writing = threading.Lock()
        self._leaving = threading.RLock()
        self._heard = time.monotonic()
        self._worker: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def serve(self) -> NoReturn:
        """Answer until the input ends; then clean up and leave the process."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self.leave(128 + number))
        try:
            folder = self._begin()
            threading.Thread(target=self._watch_idle, daemon=True).start()
            while self._answer(folder):
                pass
        except (OSError, ValueError, KeyError) as error:
            sys.stderr.write(f"keeper: {type(error).__name__}: {error}\n")
            self.leave(1)
        self.leave(0)

    def leave(self, code: int) -> NoReturn:
        """End the worker, remove the folder, and leave.

        Another thread waits here for the first, which never returns; a signal in the first begins it again.
        """
        self._leaving.acquire()
        self._end_worker()
        if self._folder:
            os.chdir("/")
            shutil.rmtree(self._folder, ignore_errors=True)
        os._exit(code)

    def _begin(self) -> Path:
        removed = remove_leftovers(self._parent)
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=self._parent))
            hold(self._folder)
            package = self._folder / "on_board"
            package.mkdir()
            (package / "__init__.py").touch()
            (package / "keeper.py").write_text(self._source, encoding="utf-8")
        except OSError as error:
            self._send({"error": "storage", "text": storage_text(self._parent, error)})
            self.leave(1)
        python = sys.version.split()[0]
        self._send({"event": "hello", "version": 1, "folder": str(self._folder), "leftovers_removed": removed, "python": python})
        return self._folder

    def _answer(self, folder: Path) -> bool:
        """Do what the next frame asks for; False when there is none."""
        line = self._in.readline()
        self._heard = time.monotonic()
        if not line.startswith(MARK) or not line.endswith(b"\n"):
            return False
        header: Header = json.loads(line[len(MARK) :])
        if header["op"] == "file":
            self._file(folder / header["name"], header.get("bytes", 0))
        elif header["op"] == "start":
            self._start(folder)
        elif header["op"] == "tool":
            self._tool(folder, header["command"], header["deadline_s"])
        elif header["op"] == "read":
            self._read(header["paths"], header["most"])
        else:
            self._forward(header)
        return True

    def _chunks(self, count: int) -> Iterator[bytes]:
        """The payload of a frame, piece by piece; each of them counts as hearing the host."""
        while count:
            piece: bytes = self._in.read1(min(count, CHUNK))
            if not piece:
                self.leave(0)
            self._heard = time.monotonic()
            count -= len(piece)
            yield piece

    def _file(self, path: Path, size: int) -> None:
        """Store a file of `size` bytes; answers with its SHA-256 as read back from there."""
        failure = None
        try:
            with path.open("wb", buffering=0) as file:
                for piece in self._chunks(size):
                    failure = failure or write_piece(file, piece)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            failure, digest = error, ""
        self._send({"error": "storage", "text": storage_text(path.parent, failure)} if failure else {"sha256": digest})

    def _read(self, patterns: list[str], most: int) -> None:
        """Small text files of the board, by path patterns: what /proc, /sys and /etc say about it."""
        found = {}
        for pattern in patterns:
            for path in sorted(Path("/").glob(pattern.lstrip("/")))[:most]:
                with suppress(OSError), path.open("rb") as file:
                    found[str(path)] = file.read(CHUNK).decode("utf-8", "replace")
        self._send({"files": found, "uname": list(os.uname()), "cpus": os.cpu_count()})

    def _tool(self, folder: Path, command: list[str], deadline_s: float) -> None:
        """Run a command of the board in the folder, with a deadline; `found` is false where there is no such program."""
        if shutil.which(command[0]) is None:
            self._send({"found": False})
            return
        with (folder / "tool.log").open("w+b") as log:
            process = start(command, folder, subprocess.DEVNULL, log, log)
            with suppress(subprocess.TimeoutExpired):
                process.wait(deadline_s)
            late = process.returncode is None
            kill_session(process)
            self._send({"found": True, "late": late, "exit": process.wait(), "output": tail(folder / "tool.log", CHUNK)})

    def _start(self, folder: Path) -> None:
        """Start the worker, after ending the one before."""
        self._end_worker()
        with (folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-u", "-m", "on_board.worker"]
            self._worker = start(command, folder, subprocess.PIPE, subprocess.PIPE, log)
        threading.Thread(target=self._relay, args=(self._worker, folder), daemon=True).start()
        self._send({"started": True})

    def _forward(self, header: Header) -> None:
        """Hand a frame to the worker; where that is no more, the relay says so."""
        worker = self._worker
        pieces = self._chunks(header.get("bytes", 0))
        with suppress(BrokenPipeError):
            if worker and worker.stdin:
                worker.stdin.write(MARK + json.dumps(header).encode("ascii") + b"\n")
                for piece in pieces:
                    worker.stdin.write(piece)
                worker.stdin.flush()
        for _ in pieces:
            pass

    def _relay(self, worker: subprocess.Popen[bytes], folder: Path) -> None:
        """Hand the worker's frames to the host, and its end, with the last lines of its log."""
        while worker.stdout:
            frame = read_frame(worker.stdout)
            if frame is None:
                break
            self._send(*frame)
        with suppress(subprocess.TimeoutExpired):  # one that ended by itself keeps its own exit code
            worker.wait(WORKER_END_S)
        kill_session(worker)
        if worker is self._worker:
            self._send({"error": "worker-ended", "exit": worker.wait(), "text": tail(folder / "worker.log", LOG_TAIL)})

    def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            kill_session(worker)
            worker.wait()

    def _send(self, header: Header, payload: bytes = b"") -> None:
        try:
            with self._writing:
                write_frame(self._out, header, payload)
        except OSError:
            self.leave(1)

    def _watch_idle(self) -> None:
        while time.monotonic() - self._heard < self._idle_s:
            time.sleep(min(1.0, self._idle_s / 4))
        self.leave(3)


def hold(folder: Path) -> None:
    """Lock a file of the folder for as long as this process lives, which tells it from a left-over."""
    descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def start(command: list[str], folder: Path, taken: int, given: Any, log: Any) -> subprocess.Popen[bytes]:
    """Start a program in the folder, in a session of its own that does not outlive this process."""
    found = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{found}" if found else str(folder)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdin=taken, stdout=given, stderr=log, start_new_session=True, preexec_fn=die_with_parent
    )


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, however that dies."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session of its own, with all that belong to it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def write_piece(file: Any, piece: bytes) -> OSError | None:
    """Write all of it; gives the error instead of raising it, so that the rest of a frame is still read."""
    try:
        while piece:
            piece = piece[file.write(piece) :]
    except OSError as error:
        return error
    return None


def storage_text(folder: Path, error: OSError) -> str:
    """What the kernel said, where, and how much is free there."""
    try:
        free = f"; {shutil.disk_usage(folder).free // 1024} KiB are free"
    except OSError:
        free = ""
    return f"{error.strerror or error} in {folder}{free}"


def tail(path: Path, count: int) -> str:
    """The last `count` bytes of a text file."""
    return path.read_bytes()[-count:].decode("utf-8", "replace")


def remove_leftovers(parent: Path) -> int:
    """Remove folders of keepers that are no more (killed, or the power failed), of this user only; gives their number."""
    leftovers = [folder for folder in parent.glob(FOLDER_PREFIX + "*") if is_leftover(folder)]
    for folder in leftovers:
        shutil.rmtree(folder, ignore_errors=True)
    return len(leftovers)


def is_leftover(folder: Path) -> bool:
    """Whether a folder is ours, is not new, and no living keeper holds it."""
    try:
        state = folder.lstat()
        if folder.is_symlink() or not folder.is_dir() or state.st_uid != os.getuid() or time.time() - state.st_mtime < NEW_FOLDER_S:
            return False
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return folder.is_dir() and not list(folder.iterdir())
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
