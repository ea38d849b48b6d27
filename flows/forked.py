"""Stages begun as forks of `flows.forkserver`: the flow's end of that, which starts the server and asks it."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Protocol

from edgeloop.errors import StageError, StageMayPass

SERVER = "flows.forkserver"
PACKET_BYTES = 1 << 17
KILLED = 137
TRIES = 3
BEGINS_S = 60.0
"""The server loads for a second, on a busy machine for some."""
STOP_S = 5.0


class Child(Protocol):
    """A command under a guard, as `subprocess.Popen` shows one."""

    @property
    def stdin(self) -> IO[bytes] | None:
        """Its lifeline: it is ended when this closes."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Both its streams."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code."""
        ...

    def kill(self) -> None:
        """End what does not end."""


class Forked:
    """A child of the server."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], status: IO[bytes]) -> None:
        self.stdin, self.stdout, self._status = stdin, stdout, status
        self._code: int | None = None

    def has_begun(self) -> bool:
        """Wait until it has; False where it never will."""
        return bool(select.select([self._status], [], [], BEGINS_S)[0] and self._status.read(1))

    def close(self) -> None:
        """Forget it."""
        for end in (self.stdin, self.stdout, self._status):
            end.close()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, that of a killed process where somebody killed its guard.

        Raises:
            subprocess.TimeoutExpired: it has not ended.
        """
        if self._code is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("flows.stage", timeout or 0.0)
            self._code = int(self._status.read() or KILLED)
            self._status.close()
        return self._code

    def kill(self) -> None:
        """Its guard has ended it, or does so as soon as it can: its lifeline is closed."""
        self.stdin.close()


Started = tuple[socket.socket, "subprocess.Popen[bytes]"]


class ForkServer:
    """The flow's end. The server is started with the first stage, and anew where somebody killed it."""

    def __init__(self) -> None:
        self._started: Started | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The number of the server's process, where it was started."""
        return self._started[1].pid if self._started else None

    def run(self, arguments: Sequence[str], env: Mapping[str, str], cwd: str, grace_s: float) -> Forked:
        """Run `flows.stage` with these arguments, that environment and folder, in a fork; `grace_s` lies between TERM and KILL."""
        request = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": cwd, "grace_s": grace_s}).encode()
        if len(request) > PACKET_BYTES:
            raise StageError(f"The environment has {len(request) >> 10} KiB, stages are given {PACKET_BYTES >> 10} at most.", "Unset some.")
        for _ in range(TRIES):
            if (child := self._asked(request, env, cwd)) is not None:
                return child
        raise StageMayPass("Stages cannot be begun: their server was ended again and again.", "Is there memory enough?")

    def begin(self, env: Mapping[str, str], cwd: str) -> None:
        """Start the server before it is needed: it loads for a second."""
        with self._lock:
            self._started = self._started or _start(env, cwd)

    def end(self) -> None:
        """End the server; its children have lifelines of their own."""
        with self._lock:
            self._discard(self._started)

    def _discard(self, failed: "Started | None") -> None:
        """End this very server, unless another thread has done so and started a new one; the lock is held."""
        if failed is None or failed is not self._started:
            return
        self._started = None
        control, process = failed
        control.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)

    def _asked(self, request: bytes, env: Mapping[str, str], cwd: str) -> Forked | None:
        """The child that has begun; None where the server was killed before."""
        (stdin, lifeline), (output, stdout), (code, status) = os.pipe(), os.pipe(), os.pipe()
        child = Forked(os.fdopen(lifeline, "wb"), os.fdopen(output, "rb"), os.fdopen(code, "rb", buffering=0))
        asked: Started | None = None
        try:
            with self._lock, suppress(OSError):
                asked = self._started = self._started or _start(env, cwd)
                socket.send_fds(asked[0], [request], [stdin, stdout, status])
        finally:
            for descriptor in (stdin, stdout, status):
                os.close(descriptor)
        if child.has_begun():
            return child
        child.close()
        with self._lock:
            self._discard(asked)
        return None


def _start(env: Mapping[str, str], cwd: str) -> Started:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        argv = [sys.executable, "-m", SERVER]
        return ours, subprocess.Popen(argv, stdin=theirs.fileno(), env=dict(env), cwd=cwd, start_new_session=True)
