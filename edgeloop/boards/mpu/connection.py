"""An SSH connection to a board, with a deadline on everything and every failure in words. The only importer of asyncssh.

Host keys are checked against known_hosts, always; logins are by key or agent, never by password.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgeloop.boards.mpu.settings import SSH_PORT, MpuSettings, expanded
from edgeloop.errors import BoardError, BoardNotTrusted, BoardRefusal, BoardSilent, BoardUnreachable, ConfigError

if TYPE_CHECKING:
    import asyncssh

GLOBAL_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
KEEPALIVE_S = 5
KEEPALIVES_MISSED = 3
READ_BYTES = 1 << 16
STDERR_TAIL = 4000

Answer = TypeVar("Answer")


class Connection:
    """One connection; not to be shared between threads, nor used where an event loop runs already."""

    def __init__(self, settings: MpuSettings) -> None:
        """Connect.

        Raises:
            BoardUnreachable: nobody is there, or the connection breaks.
            BoardNotTrusted: the host key is unknown or another one, or the login is refused.
            BoardSilent: it does not answer in time.
            ConfigError: known_hosts or a key file cannot be read.
        """
        self._settings = settings
        self._runner = asyncio.Runner()
        try:
            self._ssh = self._run(_connect(settings), settings.deadlines.connect_s, "to let us in")
        except BaseException:
            self._runner.close()
            raise

    def start(self, command: str, deadline_s: float) -> "Process":
        """Start a command on the board.

        Raises:
            BoardRefusal: it refuses to run commands.
            BoardSilent, BoardUnreachable: as for every step.
        """
        return Process(self, self.wait(self._ssh.create_process(command, encoding=None), deadline_s, "to start a program"))

    def wait(self, awaited: Awaitable[Answer], deadline_s: float, what: str) -> Answer:
        """Wait for something on this connection; `what` ends the sentence `... did not answer in time when it was asked ...`."""

        async def awaiting() -> Answer:
            return await awaited

        return self._run(awaiting(), deadline_s, what)

    def close(self) -> None:
        """Disconnect; may be called twice."""
        with suppress(BoardError):
            self._ssh.close()
            self.wait(self._ssh.wait_closed(), self._settings.deadlines.close_s, "to say goodbye")
        self._runner.close()

    @property
    def is_lost(self) -> bool:
        """Whether the connection is no more."""
        return self._ssh.is_closed()

    def lost(self, reason: object) -> BoardUnreachable:
        """The error for a connection that broke."""
        return BoardUnreachable(
            f"The connection to the board '{self._settings.name}' ({self._settings.address}) broke: {reason}.",
            "Check its power and its network, and run it again; what is on the board removes itself.",
        )

    def _run(self, coroutine: Coroutine[Any, Any, Answer], deadline_s: float, what: str) -> Answer:
        import asyncssh

        name, address = self._settings.name, self._settings.address
        try:
            return self._runner.run(asyncio.wait_for(coroutine, deadline_s))
        except TimeoutError:
            raise BoardSilent(
                f"The board '{name}' ({address}) did not answer within {deadline_s:g} s when it was asked {what}.",
                "Check its power, its network and its load; slow boards get more time by `deadlines` in lab.yaml.",
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

    def read(self, deadline_s: float, what: str) -> bytes:
        """The next bytes of its output; empty at its end."""
        return self._connection.wait(self._read(), deadline_s, what)

    def end(self, deadline_s: float) -> int | None:
        """Close its input and wait for its end; its exit code, None when a signal or the connection ended it."""
        with suppress(BrokenPipeError, OSError):
            self._process.stdin.write_eof()
        return self._connection.wait(self._end(), deadline_s, "to clean up")

    def kill(self) -> None:
        """Ask the SSH server to end it."""
        with suppress(OSError):
            self._process.kill()

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
        while piece := await self._process.stderr.read(READ_BYTES):
            self._errors += piece
            del self._errors[:-STDERR_TAIL]


async def _connect(settings: MpuSettings) -> "asyncssh.SSHClientConnection":
    import asyncssh

    known, offered = _known_hosts(settings), []

    class Client(asyncssh.SSHClient):
        """Remembers the key of a host that is not trusted."""

        def validate_host_public_key(self, *host_address_port_key: Any, **_: Any) -> bool:
            offered.append(host_address_port_key[-1].get_fingerprint())
            return False

    options: dict[str, Any] = {"port": settings.port} if settings.port else {}
    options |= {"username": settings.user} if settings.user else {}
    options |= {"client_keys": _keys(settings)} if settings.keys else {}
    where = f"the board '{settings.name}' ({settings.address})"
    try:
        return await asyncssh.connect(
            settings.host,
            client_factory=Client,
            known_hosts=known,
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            login_timeout=0,  # the deadline is ours
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=KEEPALIVES_MISSED,
            **options,
        )
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        raise _untrusted(settings, known, offered, error) from error
    except asyncssh.PermissionDenied as error:
        raise BoardNotTrusted(
            f"The board '{settings.name}' ({settings.address}) lets none of the keys in: {error}.",
            f"Put your key there: ssh-copy-id {_target(settings)}; name another key by `keys` in lab.yaml, or load it: ssh-add.",
        ) from error
    except (OSError, asyncssh.DisconnectError) as error:
        raise BoardUnreachable(
            f"There is no connection to {where}: {error}.",
            f"Check its power, its network and its address; this must work by hand: ssh {_target(settings)} true",
        ) from error


def _known_hosts(settings: MpuSettings) -> "asyncssh.SSHKnownHosts":
    """What known_hosts and the machine's own list say; nothing where they do not exist."""
    import asyncssh

    files = [path for path in (expanded(settings.known_hosts), GLOBAL_KNOWN_HOSTS) if path.is_file()]
    try:
        return asyncssh.read_known_hosts([str(path) for path in files])
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The known hosts of the board '{settings.name}' cannot be read from {files[0]}: {error}.", "Mend that file."
        ) from error


def _keys(settings: MpuSettings) -> "list[asyncssh.SSHKey]":
    """The private keys that the settings name."""
    import asyncssh

    keys = []
    for path in map(expanded, settings.keys):
        try:
            keys.append(asyncssh.read_private_key(str(path)))
        except asyncssh.KeyEncryptionError as error:
            raise ConfigError(
                f"The key {path} has a passphrase, which edgeloop does not ask for.", f"Load it into the SSH agent (ssh-add {path})."
            ) from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"The key {path} of the board '{settings.name}' cannot be read: {error}.", "Name a private key.") from error
    return keys


def _untrusted(settings: MpuSettings, known: "asyncssh.SSHKnownHosts", offered: list[str], error: Exception) -> BoardError:
    """Words for a host key that is unknown, or is not the one that is known."""
    listed = known.match(settings.host, "", settings.port if settings.port != SSH_PORT else None)[0]
    shown = f" It shows {offered[0]}." if offered else ""
    name = settings.host if settings.port in (None, SSH_PORT) else f"'[{settings.host}]:{settings.port}'"
    if listed:
        expected = ", ".join(key.get_fingerprint() for key in listed)
        return BoardNotTrusted(
            f"The board '{settings.name}' ({settings.address}) has another host key than {settings.known_hosts} says ({expected}).{shown}",
            f"If its system was installed anew: ssh-keygen -R {name}, then ssh {_target(settings)}. Otherwise another machine answers.",
        )
    if offered:
        return BoardNotTrusted(
            f"The host key of the board '{settings.name}' ({settings.address}) is not in {settings.known_hosts}.{shown}",
            f"Connect once by hand, ssh {_target(settings)}, and compare the fingerprint with the board's own: "
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        )
    return BoardNotTrusted(f"No connection to the board '{settings.name}' ({settings.address}) can be agreed on: {error}.")


def _target(settings: MpuSettings) -> str:
    """As ssh and ssh-copy-id take it."""
    port = f"-p {settings.port} " if settings.port not in (None, SSH_PORT) else ""
    return f"{port}{settings.user}@{settings.host}" if settings.user else f"{port}{settings.host}"
