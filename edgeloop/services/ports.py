"""TCP ports on loopback: the preferred one where it is free, else another, and who holds the preferred one."""

import os
import random
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from edgeloop.errors import ServiceError

LOOPBACK = "127.0.0.1"
RANGE = (20000, 32000)
"""Below the ports that Linux gives to outgoing connections, which would otherwise take them in between."""
ATTEMPTS = 400


@dataclass(frozen=True)
class Choice:
    """A port for each purpose, and a sentence for each program that has preferred ones."""

    ports: dict[str, int]
    notes: list[str]


def preferred(ports: Mapping[str, int]) -> dict[str, int]:
    """The ports by purpose, or no preference (0) when `EDGELOOP_PORTS` is `any`: for many projects on one machine."""
    return {purpose: 0 if os.environ.get("EDGELOOP_PORTS") == "any" else port for purpose, port in ports.items()}


def choose(wished: Mapping[str, int]) -> Choice:
    """Choose a free loopback port for each purpose; 0 prefers none.

    Raises:
        ServiceError: no free port was found.
    """
    ports: dict[str, int] = {}
    displaced: dict[str, list[str]] = {}
    for purpose, wanted in wished.items():
        if wanted and wanted not in ports.values() and is_free(wanted):
            ports[purpose] = wanted
            continue
        ports[purpose] = _another(set(ports.values()) | set(wished.values()))
        if wanted:
            displaced.setdefault(holder(wanted), []).append(f"port {wanted} ({purpose}), instead {ports[purpose]}")
    return Choice(ports, [f"In use by {who}: {'; '.join(moves)}." for who, moves in displaced.items()])


def is_free(port: int) -> bool:
    """Whether nothing listens on that loopback port."""
    with socket.socket() as probe:
        # As servers do: a port that only has connections in TIME_WAIT counts as free; one with a listener does not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """Who listens on `port`, as `name (process 123)` where the kernel tells us."""
    import psutil

    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid is not None:
            with suppress(psutil.NoSuchProcess):
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"


def _another(taken: set[int]) -> int:
    draw = random.SystemRandom()
    for _ in range(ATTEMPTS):
        port = draw.randrange(*RANGE)
        if port not in taken and is_free(port):
            return port
    raise ServiceError(f"No free port was found on {LOOPBACK} between {RANGE[0]} and {RANGE[1]}.", "End some of the local servers.")
