"""`python -m flows.forkserver`: a process that has DVC loaded and forks itself for each stage, which then begins a second earlier.

Its standard input is a socket from the flow; the server ends when that does. A request is one packet: JSON, and three descriptors: the
child's lifeline, its output, and a pipe by which it tells "+" when it has begun and, at last, its exit code in digits (nothing where it
was killed). Each child runs below a guard, as every command does.
"""

import ctypes
import gc
import json
import os
import signal
import socket
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from edgeloop.services import guard
from flows.forked import PACKET_BYTES

PR_SET_NAME = 15
STAGE = "flows.stage"


def serve(control: socket.socket) -> None:
    """Fork for each request until the flow ends."""
    _load(Path.cwd())
    gc.freeze()  # what is loaded stays shared with the children
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # their exit codes come by the pipes
    while True:
        request, descriptors, _, _ = socket.recv_fds(control, PACKET_BYTES, 3)
        if not request:
            return
        if os.fork() == 0:
            control.close()
            _child(json.loads(request), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _load(root: Path) -> None:
    """Import what a stage needs: the stage itself, and what DVC imports when it reads a project."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    import_module(STAGE)

    with suppress(DvcException), Repo(str(root)) as repo:
        _ = repo.index.graph


def _child(request: dict[str, Any], stdin: int, stdout: int, status: int) -> None:
    """Run the stage below a guard and tell its exit code; this never returns."""
    from flows.stage import main

    code = guard.CANNOT_START
    try:
        os.write(status, b"+")
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for own, standard in ((stdin, 0), (stdout, 1), (stdout, 2)):
            os.dup2(own, standard)
        os.close(stdin)
        os.close(stdout)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        os.setsid()
        arguments = request["arguments"]
        _name("guard")

        def stage() -> int:
            _name(f"stage {arguments[0]}")
            return main(arguments)

        code = guard.run(stage, request["grace_s"])
    finally:
        with suppress(OSError):
            os.write(status, str(code).encode())
        os._exit(0)


def _name(name: str) -> None:
    """What `top` and /proc/PID/comm call this process."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def main() -> int:
    """Returns the exit code."""
    with socket.socket(fileno=os.dup(0)) as control:
        serve(control)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
