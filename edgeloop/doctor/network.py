"""Checks of boards over a network: the host answers, what answers is SSH, its key is known, and there is one to show."""

import base64
import hashlib
import hmac
import socket
import stat
from collections.abc import Iterator

from edgeloop.boards.lab.config import LabBoard, Ssh
from edgeloop.boards.lab.find import find
from edgeloop.boards.lock import hold
from edgeloop.codegen.stedgeai.cloud.account import Account
from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine, lines
from edgeloop.errors import BoardError

REACH_S = 3.0
_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
_SYSTEM_WIDE = "etc/ssh/ssh_known_hosts"


def exporters(machine: Machine) -> Iterator[Finding]:
    """Serial ports that another machine exports; they serve one client, so the board is held meanwhile."""
    for board in machine.boards("port"):
        if "://" not in (board.entry.find.port or ""):
            continue
        try:
            there = find(board, machine.start, machine.root)
            with hold(there.key, "edgeloop doctor", 0):
                yield from _reached(board, there.endpoint or ("", 0), banner=None)
        except BoardError:  # another check says so, or somebody talks to it, so it is there
            continue


def ssh_hosts(machine: Machine) -> Iterator[Finding]:
    for board in machine.boards("ssh"):
        ssh = _ssh(board)
        yield from _reached(board, (ssh.host, ssh.port), banner=b"SSH-")


def ssh_host_keys(machine: Machine) -> Iterator[Finding]:
    for board in machine.boards("ssh"):
        ssh = _ssh(board)
        file = ssh.known_hosts or machine.home / ".ssh/known_hosts"
        known = [*lines(file), *([] if ssh.known_hosts else lines(machine.root / _SYSTEM_WIDE))]
        if not any(_is_for(line, ssh) for line in known):
            yield found("ssh-host-key-unknown", board=board.name, host=ssh.host, port=ssh.port, user=ssh.user, file=file)


def ssh_keys(machine: Machine) -> Iterator[Finding]:
    for board in machine.boards("ssh"):
        ssh = _ssh(board)
        named = {"board": board.name, "host": ssh.host, "port": ssh.port, "user": ssh.user}
        if ssh.key is None:
            usual = [machine.home / ".ssh" / name for name in _KEYS]
            if not any(key.is_file() for key in usual) and not _agent_answers(machine):
                yield found("ssh-no-key", folder=machine.home / ".ssh", **named)
            continue
        file = ssh.key
        if not file.is_file():
            yield found("ssh-key-missing", file=file, **named)
        elif (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
            yield found("ssh-key-readable-by-others", file=file, mode=f"{mode:o}", **named)


def ssh_agent(machine: Machine) -> Iterator[Finding]:
    path = machine.environment.get("SSH_AUTH_SOCK")
    if path and machine.boards("ssh") and not _agent_answers(machine):
        yield found("ssh-agent-gone", socket=path)


def _ssh(board: LabBoard) -> Ssh:
    ssh = board.entry.find.ssh
    assert ssh is not None, "asked for boards with ssh only"
    return ssh


def _reached(board: LabBoard, endpoint: tuple[str, int], banner: bytes | None) -> Iterator[Finding]:
    """Connect; where a banner is given, what answers must begin with it."""
    host, port = endpoint
    named = {"board": board.name, "host": host, "port": port}
    try:
        with socket.create_connection(endpoint, timeout=REACH_S) as connection:
            said = connection.recv(64) if banner else b""
    except socket.gaierror:
        yield found("host-unknown", **named)
    except ConnectionRefusedError:
        yield found("connection-refused", **named)
    except OSError:  # timed out, no route, reset
        yield found("host-silent", **named)
    else:
        if banner and not said.startswith(banner):
            yield found("not-ssh", said=said[:20] or "nothing", **named)


def _is_for(line: str, ssh: Ssh) -> bool:
    """Whether a line of known_hosts holds a key of that host (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT")."""
    words = line.split()
    if not words or words[0].startswith(("#", "@revoked")):
        return False
    names = words[1] if words[0] == "@cert-authority" and len(words) > 1 else words[0]
    wanted = ssh.host if ssh.port == 22 else f"[{ssh.host}]:{ssh.port}"
    return any(_is_name(name, wanted.lower()) for name in names.split(","))


def _is_name(name: str, wanted: str) -> bool:
    if not name.startswith("|1|"):
        return name.lower() == wanted
    try:
        salt, digest = (base64.b64decode(part) for part in name[3:].split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.new(salt, wanted.encode(), hashlib.sha1).digest(), digest)


def _agent_answers(machine: Machine) -> bool:
    path = machine.environment.get("SSH_AUTH_SOCK")
    if not path:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(REACH_S)
            agent.connect(path)
    except OSError:
        return False
    return True


def farm_account(machine: Machine) -> Iterator[Finding]:
    """The account for boards of ST's farm: nobody is asked, because ST counts logins that fail."""
    boards = [board for board in machine.lab.all() if board.entry.board is not None]
    if not boards:
        return
    account = Account.of("", machine.environment)
    if account.file.is_file() and (mode := stat.S_IMODE(account.file.stat().st_mode)) & 0o077:
        yield found("farm-tokens-readable-by-others", file=account.file, mode=f"{mode:o}")
    elif not account.file.is_file() and not (account.user and account.password):
        yield found("farm-account-missing", board=boards[0].name, file=account.file)


CHECKS = (
    Check("serial ports of other machines", exporters),
    Check("SSH servers of boards", ssh_hosts),
    Check("host keys of boards", ssh_host_keys),
    Check("keys to show to boards", ssh_keys),
    Check("the SSH agent", ssh_agent),
    Check("the account for ST's farm of boards", farm_account),
)
