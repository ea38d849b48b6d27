"""`python -m edgeloop.services.guard COMMAND…`: runs a command that never outlives whoever started it.

The guard's standard input is a pipe from the starter. When that closes (the starter ended, however) or a signal comes,
the command and everything that it started are ended: TERM, then KILL. File descriptors that the guard was given are
kept open by it and by the command, e.g. the lock of a board.

    starter -- standard input --> watcher -- lifeline --> runner --> command (a session of its own)

Where the watcher or the runner is killed, the other one ends what is left. In front of the command: `--grace SECONDS` lie between TERM
and KILL; with `--detached SECONDS` they do, and the command outlives its starter.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeloop.deadline import Deadline
from edgeloop.services.processes import Identity, end_session, identify

PR_SET_CHILD_SUBREAPER = 36
GRACE_S = 0.5
"""For ending well; a board is free within a second after its holder was killed."""
WAIT_S = 10.0
POLL_S = 0.05
TERMINATED = 143
CANNOT_START = 126


@contextmanager
def guarded(
    arguments: Sequence[str],
    output: int,
    folder: str | None = None,
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    grace_s: float = GRACE_S,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a command under a guard; both its output streams go to the descriptor `output` (PIPE: to the process's `stdout`).

    The process that is yielded ends with the command's exit code, or 128 plus the number of the signal that ended it.
    On leaving, by whatever way, the command and all that it started are ended.
    """
    # -P: a file of the folder must not stand in for a module.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, "--grace", str(grace_s), *arguments],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=folder,
        pass_fds=tuple(pass_fds),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=WAIT_S + grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=WAIT_S)
        if process.stdout is not None:
            process.stdout.close()


def run(command: list[str] | Callable[[], int], grace_s: float = GRACE_S, *, detached: bool = False) -> int:
    """Run a command, or a function in a fork of this process, to its end; returns its exit code, or 143 when it was ended from outside.

    `grace_s` is the time between TERM and KILL. `detached`: standard input says nothing of the starter.
    """
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: stopped.append(received))
    lifeline, watchers_end = os.pipe()
    runner = os.fork()
    if runner == 0:
        os.close(watchers_end)
        os.dup2(lifeline, 0)
        os._exit(_run(command, grace_s, stopped))
    os.close(lifeline)
    return _watch(runner, watchers_end, grace_s, stopped, detached=detached)


def _watch(runner: int, lifeline: int, grace_s: float, stopped: list[int], *, detached: bool) -> int:
    """Wait for the runner, and end what it leaves behind when it was killed; returns its exit code."""
    _adopt()
    handle, deadline = _handle(runner), None
    while (ended := os.waitpid(runner, os.WNOHANG))[0] == 0:
        starter_ended = _pause(handle, [] if detached or deadline else [0])
        if deadline is None and (stopped or starter_ended):
            os.close(lifeline)  # the runner then ends the command
            deadline = Deadline.after(grace_s + WAIT_S)
        if deadline is not None and deadline.is_over:
            os.kill(runner, signal.SIGKILL)
    _kill_adopted()
    return _exit_code(ended[1])


def _run(command: list[str] | Callable[[], int], grace_s: float, stopped: list[int]) -> int:
    _adopt()
    try:
        pid = _fork(command) if callable(command) else _spawn(command)
    except OSError as error:
        os.write(2, f"{error.filename or command} cannot be started: {error.strerror}\n".encode())
        return CANNOT_START
    leader, handle = identify(pid), _handle(pid)
    while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if _pause(handle, [0]) or stopped:
            _end(leader, grace_s)
            return TERMINATED
    # A command that ended may have left processes behind, which nobody waits for.
    _end(leader, min(grace_s, GRACE_S))
    return _exit_code(ended[1])


def _exit_code(status: int) -> int:
    """As a shell tells it: 128 plus the number of the signal that ended it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _spawn(arguments: list[str]) -> int:
    """Start a command in a session of its own, without standard input; returns its number."""
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    # Python ignores these two, and what is started would go on to.
    default = (signal.SIGPIPE, signal.SIGXFSZ)
    return os.posix_spawnp(arguments[0], arguments, os.environ, file_actions=[nothing], setsid=True, setsigdef=default)


def _fork(function: Callable[[], int]) -> int:
    """The same for a function."""
    pid = os.fork()
    if pid == 0:
        code = CANNOT_START
        try:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            code = function()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pid


def _adopt() -> None:
    """What the children of this process leave behind becomes a child of it, and so is found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _handle(pid: int) -> list[int]:
    """A descriptor that becomes readable when the process ends; none on a kernel before 5.3, where one looks now and then."""
    try:
        return [os.pidfd_open(pid)]
    except OSError:
        return []


def _pause(handle: list[int], starter: list[int]) -> bool:
    """Wait a moment, at most until the process ends; returns whether the starter did."""
    readable, _, _ = select.select([*handle, *starter], [], [], POLL_S)
    return 0 in readable and os.read(0, 1) == b""


def detached_command(command: Sequence[str], grace_s: float) -> list[str]:
    """The command line of a guard that outlives its starter: for services whose children must not outlive them."""
    return [sys.executable, "-P", "-m", __name__, "--detached", str(grace_s), *command]


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    option, seconds, *command = arguments
    return run(command, float(seconds), detached=option == "--detached")


def _end(leader: Identity | None, grace_s: float) -> None:
    """End the command's session, then what left it."""
    if leader is not None:
        end_session(leader, grace_s, WAIT_S / 4)
    _kill_adopted()


def _kill_adopted() -> None:
    """Kill whatever has become a child of this process, until nothing is left."""
    deadline = Deadline.after(WAIT_S / 4)
    while (left := _children()) and not deadline.is_over:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(POLL_S / 5)


def _children() -> list[int]:
    pid = os.getpid()
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
