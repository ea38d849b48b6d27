"""Checks of the local services: object storage and Prefect's server, and the variables that lead to others."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from edgeloop.config import load_params
from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine
from edgeloop.errors import ConfigError
from edgeloop.services.ports import LOOPBACK, holder, is_free
from edgeloop.services.processes import is_alive
from edgeloop.services.service import Running
from edgeloop.store.local import PORTS

PROBE_S = 2.0
PREFERRED = {4200: "Prefect's server", PORTS["S3"]: "the object storage"}
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_EXCEPTIONS = ("NO_PROXY", "no_proxy")


def services(machine: Machine) -> Iterator[Finding]:
    """Those that were started and not stopped."""
    for running in _started(machine):
        if not is_alive(running.identity):
            yield found("service-gone", name=running.name, since=running.started_utc)
        elif not _answers(running.address):
            yield found("service-silent", name=running.name, pid=running.pid, address=running.address)


def preferred_ports(machine: Machine) -> Iterator[Finding]:
    own = {port for running in _started(machine) if is_alive(running.identity) for port in running.ports.values()}
    if machine.environment.get("EDGELOOP_PORTS") == "any":
        return
    for port, service in PREFERRED.items():
        if port not in own and not is_free(port):
            yield found("port-taken", port=port, service=service, holder=holder(port))


def prefect_address(machine: Machine) -> Iterator[Finding]:
    url = machine.environment.get("PREFECT_API_URL")
    if url and not _answers(url):
        yield found("prefect-address-dead", url=url)


def proxies(machine: Machine) -> Iterator[Finding]:
    left_out = ",".join(machine.environment.get(name, "") for name in _EXCEPTIONS)
    for name in _PROXIES:
        if machine.environment.get(name) and not any(word in left_out for word in ("127.0.0.1", "127.0.0.0/8", "*")):
            yield found("proxy-catches-loopback", variable=name)
            return


def store_program(machine: Machine) -> Iterator[Finding]:
    if not machine.executable.with_name("weed").is_file() and machine.which("weed") is None:
        yield found("store-program-missing")


def credentials(machine: Machine) -> Iterator[Finding]:
    if machine.workspace is None:
        return
    try:
        publish = load_params(machine.workspace).publish
    except ConfigError:
        return
    variables = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    named = any(machine.environment.get(name) for name in variables)
    file = Path(machine.environment.get("AWS_SHARED_CREDENTIALS_FILE") or machine.home / ".aws/credentials")
    if publish.to.startswith("s3://") and publish.endpoint != "local" and not named and not file.is_file():
        yield found("no-credentials", target=publish.to)


def _started(machine: Machine) -> Iterator[Running]:
    if machine.workspace is None:
        return
    for file in sorted((machine.workspace.private / "services").glob("*.json")):
        try:
            yield Running.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, ValidationError):
            continue


def _answers(address: str) -> bool:
    parts = urlsplit(address)
    try:
        with closing(socket.create_connection((parts.hostname or LOOPBACK, parts.port or 80), timeout=PROBE_S)):
            return True
    except OSError:
        return False


CHECKS = (
    Check("services that were started", services),
    Check("ports of the services", preferred_ports),
    Check("address of Prefect's server", prefect_address),
    Check("proxies", proxies),
    Check("program of the local store", store_program),
    Check("credentials of the store", credentials),
)
