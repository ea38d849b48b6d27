"""An SSH connection to a board, with a deadline on everything and every failure in words."""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.mpu.login import connect
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardError, BoardRefusal, BoardSilent, BoardUnreachable

if TYPE_CHECKING:
    import asyncssh

READ_BYTES = 1 << 16
LEAST_WAIT_S = 0.01
STDERR_TAIL = 4000

Answer = TypeVar("Answer")


class Connection:
    """One connection; not to be shared between threads, nor used where an event loop runs already."""

    def __init__(self, board: LabBoard) -> None:
        """Connect.

        Raises:
            BoardUnreachable: nobody is there, or the connection breaks.
            BoardNotTrusted: the host key is unknown or another one, or the login is refused.
            BoardSilent: it does not answer in time.
            ConfigError: known_hosts or a key file cannot be read.
        """
        self._board = board
        self._runner = asyncio.Runner()
        self._closed = False
        try:
            self._ssh = self._run(connect(board), Deadline.after(board.linux.deadlines.connect_s), "to let us in")
        except BaseException:
            self._runner.close()
            raise

    def start(self, command: str, deadline_s: float) -> "Process":
        """Start a command on the board.

        Raises:
            BoardRefusal: it refuses to run commands.
            BoardSilent, BoardUnreachable: as for every step.
        """
        return Process(self, self.wait(self._ssh.create_process(command, encoding=None), Deadline.after(deadline_s), "to start a program"))

    def wait(self, awaited: Awaitable[Answer], deadline: Deadline, what: str) -> Answer:
        """Wait for something on this connection; `what` ends the sentence `... did not answer in time when it was asked ...`."""

        async def awaiting() -> Answer:
            return await awaited

        return self._run(awaiting(), deadline, what)

    def close(self) -> None:
        """Disconnect; may be called twice."""
        if self._closed:
            return
        self._closed = True
        with suppress(BoardError):
            self._ssh.close()
            self.wait(self._ssh.wait_closed(), Deadline.after(self._board.linux.deadlines.close_s), "to say goodbye")
        self._runner.close()

    @property
    def is_lost(self) -> bool:
        """Whether the connection is no more."""
        return self._ssh.is_closed()

    def lost(self, reason: object) -> BoardUnreachable:
        """The error for a connection that broke."""
        return BoardUnreachable(
            f"The connection to the board '{self._board.name}' ({self._board.ssh.address}) broke: {reason}.",
            "Check its power and its network, and run it again; what is on the board removes itself.",
        )

    def _run(self, coroutine: Coroutine[Any, Any, Answer], deadline: Deadline, what: str) -> Answer:
        import asyncssh

        name, address = self._board.name, self._board.ssh.address
        try:
            return self._runner.run(asyncio.wait_for(coroutine, max(deadline.left_s, LEAST_WAIT_S)))
        except TimeoutError:
            raise BoardSilent(
                f"The board '{name}' ({address}) did not answer within {deadline.seconds:g} s when it was asked {what}.",
                "Check its power, its network and its load; slow boards get more time by `linux: {deadlines: ...}` in lab.yaml.",
            ) from None
        except asyncssh.ChannelOpenError as error:
            raise BoardRefusal(f"The board '{name}' ({address}) runs no commands: {error}.", "Let its SSH server allow `exec`.") from error
        except (asyncssh.DisconnectError, OSError) as error:
            raise self.lost(error) from error


class Process:
    """A program on the board: its standard input and output, the end of its standard error, and its exit code."""

    def __init__(self, connection: Connection, process: "asyncssh.SSHClientProcess[bytes]") -> None:
        self._connection = connection
        self._process = process
        self._errors = bytearray()
        self._reading: asyncio.Task[None] | None = None

    def converse(self, content: bytes) -> None:
        """Queue bytes for its input; they leave while something is waited for."""
        with suppress(BrokenPipeError, OSError):  # its end is seen in what it gives
            self._process.stdin.write(content)

    def read(self, deadline: Deadline, what: str) -> bytes:
        """The next bytes of its output until the deadline; empty at its end."""
        return self._connection.wait(self._read(), deadline, what)

    def end(self, deadline_s: float) -> int | None:
        """Close its input and wait for its end; its exit code, None when a signal or the connection ended it."""
        with suppress(BrokenPipeError, OSError):
            self._process.stdin.write_eof()
        return self._connection.wait(self._end(), Deadline.after(deadline_s), "to clean up")

    @property
    def errors(self) -> str:
        """The last lines of its standard error."""
        return self._errors.decode("utf-8", "replace").strip()

    async def _read(self) -> bytes:
        self._listen()
        return await self._process.stdout.read(READ_BYTES)

    async def _end(self) -> int | None:
        self._listen()
        while await self._process.stdout.read(READ_BYTES):
            pass
        await self._process.wait_closed()
        return self._process.exit_status

    def _listen(self) -> None:
        """Standard error is read beside, because a full one would hold up the output."""
        if self._reading is None:
            self._reading = asyncio.get_running_loop().create_task(self._read_errors())

    async def _read_errors(self) -> None:
        import asyncssh

        with suppress(asyncssh.Error):  # a lost connection is seen by who reads the output
            while piece := await self._process.stderr.read(READ_BYTES):
                self._errors += piece
                del self._errors[:-STDERR_TAIL]
