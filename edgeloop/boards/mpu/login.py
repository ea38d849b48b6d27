"""The way into a board: host keys are checked against known_hosts, always; logins are by key or agent, never by password."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.boards.lab.config import SSH_PORT, LabBoard, Ssh
from edgeloop.errors import BoardError, BoardNotTrusted, BoardUnreachable, ConfigError

if TYPE_CHECKING:
    import asyncssh

GLOBAL_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
KEEPALIVE_S = 5
KEEPALIVES_MISSED = 3


async def connect(board: LabBoard) -> "asyncssh.SSHClientConnection":
    """Log in; what ~/.ssh/config says of the host (jump hosts, say) counts too.

    Raises:
        BoardUnreachable: nobody is there, or no SSH server.
        BoardNotTrusted: the host key is unknown or another one, or the login is refused.
        ConfigError: known_hosts or a key file cannot be read.
    """
    import asyncssh

    known = _known_hosts(board.ssh)
    options: dict[str, Any] = {} if board.ssh.key is None else {"client_keys": [_key(board, board.ssh.key)]}
    try:
        return await asyncssh.connect(
            board.ssh.host,
            port=board.ssh.port,
            username=board.ssh.user,
            known_hosts=known,
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            login_timeout=0,  # the deadline is the caller's
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=KEEPALIVES_MISSED,
            **options,
        )
    except asyncssh.PermissionDenied as error:
        raise BoardNotTrusted(
            f"The board '{board.name}' ({board.ssh.address}) lets none of the keys in: {error}.",
            f"Put your key there: ssh-copy-id {_target(board.ssh)}; name another key in lab.yaml, or load it: ssh-add.",
        ) from error
    except (asyncssh.DisconnectError, ConnectionResetError) as error:
        raise await _untrusted(board, known) or _unreachable(board, error) from error
    except OSError as error:
        raise _unreachable(board, error) from error


def _unreachable(board: LabBoard, error: Exception) -> BoardError:
    return BoardUnreachable(
        f"There is no connection to the board '{board.name}' ({board.ssh.address}): {error}.",
        f"Check its power, its network and its address; this must work by hand: ssh {_target(board.ssh)} true",
    )


async def _untrusted(board: LabBoard, known: "asyncssh.SSHKnownHosts") -> BoardError | None:
    """Words for a host key that is unknown, or is not the one that is known; None where it is neither."""
    import asyncssh

    ssh, offered = board.ssh, None
    with suppress(OSError, asyncssh.DisconnectError):
        offered = await asyncssh.get_server_host_key(board.ssh.host, board.ssh.port)
    if offered is None:
        return None
    listed = known.match(ssh.host, "", ssh.port if ssh.port != SSH_PORT else None)[0]
    fingerprints = [key.get_fingerprint() for key in listed]
    named, shown = f"the board '{board.name}' ({board.ssh.address})", offered.get_fingerprint()
    if not listed:
        return BoardNotTrusted(
            f"The host key of {named} is not in {ssh.known_hosts}. It shows {shown}.",
            f"Connect once by hand, ssh {_target(board.ssh)}, and compare the fingerprint with the board's own: "
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        )
    if shown in fingerprints:
        return None
    entry = ssh.host if ssh.port == SSH_PORT else f"'[{ssh.host}]:{ssh.port}'"
    return BoardNotTrusted(
        f"The host key of {named} is not the one that {ssh.known_hosts} says ({', '.join(fingerprints)}). It shows {shown}.",
        f"If its system was installed anew: ssh-keygen -R {entry}, then ssh {_target(board.ssh)}. Otherwise another machine answers.",
    )


def _known_hosts(ssh: Ssh) -> "asyncssh.SSHKnownHosts":
    """What known_hosts and the machine's own list say; nothing where they do not exist."""
    import asyncssh

    files = [str(path) for path in (ssh.known_hosts, GLOBAL_KNOWN_HOSTS) if path.is_file()]
    try:
        return asyncssh.read_known_hosts(files)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The known hosts cannot be read from {' and '.join(files)}: {error}.", "Mend that file.") from error


def _key(board: LabBoard, path: Path) -> "asyncssh.SSHKey":
    """The private key that lab.yaml names."""
    import asyncssh

    try:
        return asyncssh.read_private_key(str(path))
    except (OSError, ValueError) as error:
        locked = "assphrase" in str(error) or isinstance(error, asyncssh.KeyEncryptionError)
        raise ConfigError(
            f"The key {path} of the board '{board.name}' cannot be read: {error}.",
            f"Load it into the SSH agent, ssh-add {path}, and leave `key` away." if locked else "Name a file with a private key.",
        ) from error


def _target(ssh: Ssh) -> str:
    """As ssh and ssh-copy-id take it."""
    port = f"-p {ssh.port} " if ssh.port != SSH_PORT else ""
    return f"{port}{ssh.user}@{ssh.host}"
