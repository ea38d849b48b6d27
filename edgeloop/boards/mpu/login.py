"""The way into a board: host keys are checked against known_hosts, always; logins are by key or agent, never by password."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.boards.mpu.settings import SSH_PORT, MpuSettings
from edgeloop.errors import BoardError, BoardNotTrusted, BoardUnreachable, ConfigError

if TYPE_CHECKING:
    import asyncssh

GLOBAL_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")
KEEPALIVE_S = 5
KEEPALIVES_MISSED = 3


async def connect(settings: MpuSettings) -> "asyncssh.SSHClientConnection":
    """Log in; what ~/.ssh/config says of the host (jump hosts, say) counts too.

    Raises:
        BoardUnreachable: nobody is there, or no SSH server.
        BoardNotTrusted: the host key is unknown or another one, or the login is refused.
        ConfigError: known_hosts or a key file cannot be read.
    """
    import asyncssh

    known = _known_hosts(settings)
    options: dict[str, Any] = {"username": settings.user} if settings.user else {}
    options |= {"client_keys": _keys(settings)} if settings.keys else {}
    try:
        return await asyncssh.connect(
            settings.host,
            known_hosts=known,
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            login_timeout=0,  # the deadline is the caller's
            keepalive_interval=KEEPALIVE_S,
            keepalive_count_max=KEEPALIVES_MISSED,
            **_port(settings),
            **options,
        )
    except asyncssh.PermissionDenied as error:
        raise BoardNotTrusted(
            f"The board '{settings.name}' ({settings.address}) lets none of the keys in: {error}.",
            f"Put your key there: ssh-copy-id {_target(settings)}; name another key by `keys` in lab.yaml, or load it: ssh-add.",
        ) from error
    except (asyncssh.DisconnectError, ConnectionResetError) as error:
        raise await _untrusted(settings, known) or _unreachable(settings, error) from error
    except OSError as error:
        raise _unreachable(settings, error) from error


def _unreachable(settings: MpuSettings, error: Exception) -> BoardError:
    return BoardUnreachable(
        f"There is no connection to the board '{settings.name}' ({settings.address}): {error}.",
        f"Check its power, its network and its address; this must work by hand: ssh {_target(settings)} true",
    )


async def _untrusted(settings: MpuSettings, known: "asyncssh.SSHKnownHosts") -> BoardError | None:
    """Words for a host key that is unknown, or is not the one that is known; None where it is neither."""
    import asyncssh

    offered = None
    with suppress(OSError, asyncssh.DisconnectError):
        offered = await asyncssh.get_server_host_key(settings.host, **_port(settings))
    if offered is None:
        return None
    listed = known.match(settings.host, "", settings.port if settings.port != SSH_PORT else None)[0]
    fingerprints = [key.get_fingerprint() for key in listed]
    board, shown = f"the board '{settings.name}' ({settings.address})", offered.get_fingerprint()
    if not listed:
        return BoardNotTrusted(
            f"The host key of {board} is not in {settings.known_hosts}. It shows {shown}.",
            f"Connect once by hand, ssh {_target(settings)}, and compare the fingerprint with the board's own: "
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        )
    if shown in fingerprints:
        return None
    name = settings.host if settings.port in (None, SSH_PORT) else f"'[{settings.host}]:{settings.port}'"
    return BoardNotTrusted(
        f"The host key of {board} is not the one that {settings.known_hosts} says ({', '.join(fingerprints)}). It shows {shown}.",
        f"If its system was installed anew: ssh-keygen -R {name}, then ssh {_target(settings)}. Otherwise another machine answers.",
    )


def _known_hosts(settings: MpuSettings) -> "asyncssh.SSHKnownHosts":
    """What known_hosts and the machine's own list say; nothing where they do not exist."""
    import asyncssh

    files = [str(path) for path in (settings.known_hosts, GLOBAL_KNOWN_HOSTS) if path.is_file()]
    try:
        return asyncssh.read_known_hosts(files)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The known hosts cannot be read from {' and '.join(files)}: {error}.", "Mend that file.") from error


def _keys(settings: MpuSettings) -> "list[asyncssh.SSHKey]":
    """The private keys that the settings name."""
    import asyncssh

    keys = []
    for path in settings.keys:
        try:
            keys.append(asyncssh.read_private_key(str(path)))
        except (OSError, ValueError) as error:
            locked = "assphrase" in str(error) or isinstance(error, asyncssh.KeyEncryptionError)
            raise ConfigError(
                f"The key {path} of the board '{settings.name}' cannot be read: {error}.",
                f"Load it into the SSH agent, ssh-add {path}, and leave `keys` empty." if locked else "Name a file with a private key.",
            ) from error
    return keys


def _port(settings: MpuSettings) -> dict[str, Any]:
    return {"port": settings.port} if settings.port else {}


def _target(settings: MpuSettings) -> str:
    """As ssh and ssh-copy-id take it."""
    port = f"-p {settings.port} " if settings.port not in (None, SSH_PORT) else ""
    return f"{port}{settings.user}@{settings.host}" if settings.user else f"{port}{settings.host}"
