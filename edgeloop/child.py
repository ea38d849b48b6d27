"""A function in a process of its own: foreign models are read and converted there, so that a crash is an error and no end.

The child is told what to do through its standard input (pickled), and answers through a pipe in lines of JSON, which can do
nothing here. What it writes to its standard streams is kept for the message. It ends when its starter does, however that ends.
"""

import ctypes
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import IO

from edgeloop import errors
from edgeloop.errors import EdgeloopError
from edgeloop.files import disk_explained

PR_SET_PDEATHSIG = 1
TOLD, FAILED, DONE = "told", "failed", "done"
MOST_TAIL_BYTES = 4096
Tell = Callable[[str], None]
Died = Callable[[str], EdgeloopError]
"""Makes an error of what became of a child that did not come to the end of its function, such as "crashed (signal 11)"."""


@dataclass(frozen=True)
class Limits:
    """What a child may take."""

    deadline_s: float
    memory_bytes: int
    """The limit of its address space."""


def in_child(function: Callable[..., None], *arguments: object, limits: Limits, died: Died, told: Tell | None = None) -> None:
    """Run `function(tell, *arguments)`, a function of a module, in a child process; what it makes, it leaves in files.

    What the child gives to `tell` is given to `told` here.

    Raises:
        EdgeloopError: the function's own, or that of `died`.
    """
    task = pickle.dumps((os.getpid(), limits.memory_bytes, function.__module__, function.__qualname__, arguments))
    with tempfile.TemporaryFile() as said, _started(said, limits.deadline_s) as child:
        child.give(task)
        for kind, words in child.answers():
            if kind == DONE:
                return
            if kind == FAILED:
                raise _error(*words)
            if told is not None:
                told(*words)
        code = child.process.wait()
        raise died(f"was not done after {limits.deadline_s:g} s" if child.late.is_set() else _words(code, said))


@dataclass(frozen=True)
class _Child:
    process: "subprocess.Popen[bytes]"
    lines: IO[str]
    late: threading.Event
    """Set when it was killed at its deadline."""

    def give(self, task: bytes) -> None:
        assert self.process.stdin is not None, "it was started with a pipe"
        with suppress(BrokenPipeError), self.process.stdin as stdin:
            stdin.write(task)

    def answers(self) -> Iterator[tuple[str, list[str]]]:
        """Until its end; a line that its death cut off is none."""
        for line in self.lines:
            if line.endswith("\n"):
                kind, *words = json.loads(line)
                yield kind, words


@contextmanager
def _started(said: IO[bytes], deadline_s: float) -> Iterator[_Child]:
    """A child that waits for its task; on leaving it has ended."""
    answers, given = os.pipe()
    with os.fdopen(answers, encoding="utf-8") as lines:
        # -P: a file of the folder must not stand in for a module.
        command = [sys.executable, "-P", "-m", __name__, str(given)]
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said, pass_fds=(given,))
        finally:
            os.close(given)
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(deadline_s, end)
        timer.start()
        try:
            yield _Child(process, lines, late)
        finally:
            timer.cancel()
            process.kill()
            process.wait()


def _error(name: str, what: str, remedy: str) -> EdgeloopError:
    kind = getattr(errors, name, EdgeloopError)
    error: EdgeloopError = kind(what, remedy)
    return error


def _words(code: int, said: IO[bytes]) -> str:
    """How it ended, with its last line where it does not end by a fault of memory, of which nothing is said."""
    if code == -signal.SIGSEGV:
        return f"crashed (signal {signal.SIGSEGV})"
    said.seek(max(0, said.seek(0, os.SEEK_END) - MOST_TAIL_BYTES))
    lines = said.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    end = f"crashed (signal {-code})" if code < 0 else f"ended with exit code {code}"
    return f"{end}: {last}" if last else end


def main(given: int) -> None:
    """The child's side: take the task, run it, answer. It does not return: what libraries do at exit may crash, too."""
    answer = os.fdopen(given, "w", encoding="utf-8", buffering=1)
    os.set_inheritable(given, False)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the starter, which ends this one.
    starter, memory_bytes, module, name, arguments = pickle.load(sys.stdin.buffer)
    if os.getppid() != starter:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def tell(kind: str, *words: str) -> None:
        answer.write(json.dumps([kind, *words]) + "\n")

    try:
        with disk_explained():
            getattr(import_module(module), name)(lambda words: tell(TOLD, words), *arguments)
    except EdgeloopError as error:
        tell(FAILED, type(error).__name__, error.what, error.remedy)
    else:
        tell(DONE)
    answer.close()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
