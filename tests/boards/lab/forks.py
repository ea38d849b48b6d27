"""Real processes for tests of locks: forked, so that hundreds of them cost seconds."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Child:
    """A forked process that runs a function and ends; at most for two minutes."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(120)
            code = 1
            try:
                action()
                code = 0
            finally:
                os._exit(code)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self, deadline_s: float = 60.0) -> int:
        """The exit code; -9 when it was killed."""
        deadline = time.monotonic() + deadline_s
        while time.monotonic() < deadline:
            try:
                done, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return -9
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        raise AssertionError(f"process {self.pid} did not end in time")


@contextmanager
def children() -> Iterator[Callable[[Callable[[], object]], Child]]:
    """Start children that are all ended at the end."""
    started: list[Child] = []

    def start(action: Callable[[], object]) -> Child:
        started.append(Child(action))
        return started[-1]

    try:
        yield start
    finally:
        for child in started:
            child.kill()


def wait_for(path: Path, deadline_s: float = 30.0) -> str:
    """What a child wrote there, once it has."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text(encoding="utf-8")):
            return text
        time.sleep(0.005)
    raise AssertionError(f"{path} was not written in time")


def append(path: Path, line: str) -> None:
    """Add a line in one write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, (line + "\n").encode())
    os.close(descriptor)
