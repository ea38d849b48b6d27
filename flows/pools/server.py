"""Prefect's server as dispatchers and workers of pools ask it: over HTTP, without Prefect, whose import takes seconds."""

import base64
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from edgeloop.errors import ServiceError, ServiceSilent

Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]
ASK_S = 10.0
_REFUSED = (401, 403)
_NOT_FOUND = 404
_EXISTS = 409
_SERVER_ERROR = 500

QUEUE = "stages"
"""Of every pool: what dispatches stages is apart from the flows that the pool `train` runs."""
FLOW = "dispatched"


class Server:
    """One Prefect server, by the address of its interface (`http://HOST:PORT/api`)."""

    def __init__(self, address: str, environment: Mapping[str, str] = os.environ) -> None:
        self.address = address.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | _authorization(environment)

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"

    def post(self, path: str, body: Body) -> Any:
        """Its answer; None where it has none."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: Body | None = None) -> Any:
        """Ask once.

        Raises:
            ServiceSilent: it does not answer, or is not well.
            ServiceError: it refuses.
        """
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, content, self._headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ASK_S) as answer:
                said = answer.read()
                return json.loads(said) if said else None
        except urllib.error.HTTPError as error:
            raise self._refusal(path, error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ServiceSilent(
                f"Prefect's server {self.shown} does not answer: {reason}.", "Is it running, and the address right?"
            ) from None

    def make(self, path: str, body: Mapping[str, Any]) -> Any:
        """Create something; None where it is there already."""
        try:
            return self.post(path, body)
        except _Exists:
            return None

    def _refusal(self, path: str, error: urllib.error.HTTPError) -> ServiceError:
        if error.code in _REFUSED:
            return ServiceError(
                f"Prefect's server {self.shown} does not let us in ({error.code}).",
                "Set PREFECT_API_AUTH_STRING=USER:PASSWORD (or PREFECT_API_KEY) as the server has it.",
            )
        if error.code >= _SERVER_ERROR:
            return ServiceSilent(f"Prefect's server {self.shown} is not well: {error.code} for {path}.", "See its log.")
        kind = {_NOT_FOUND: NotThere, _EXISTS: _Exists}.get(error.code, ServiceError)
        said = error.read(400).decode(errors="replace")
        return kind(f"Prefect's server {self.shown} refuses {path} ({error.code}): {said}", "Is its version the locked one?")


class NotThere(ServiceError):
    """The server does not know what was asked for."""


class _Exists(ServiceError):
    """It is there already."""


def ensure_deployment(server: Server, pool: str) -> str:
    """Make the pool, its queue and the deployment of dispatched stages where there is none; returns the deployment's id."""
    ensure_pool(server, pool)
    flow = server.post("/flows/", {"name": FLOW})["id"]
    made = server.post(
        "/deployments/",
        {
            "name": pool,
            "flow_id": flow,
            "description": "Stages that flows send to the workers of this pool (edgeloop worker).",
            "work_pool_name": pool,
            "work_queue_name": QUEUE,
            "enforce_parameter_schema": False,
        },
    )
    return str(made["id"])


def ensure_pool(server: Server, pool: str) -> None:
    """Make the pool and its queue where there is none."""
    server.make("/work_pools/", {"name": pool, "type": "process", "description": "edgeloop: docs/machines.md"})
    server.make(f"/work_pools/{pool}/queues", {"name": QUEUE})


def _authorization(environment: Mapping[str, str]) -> dict[str, str]:
    if said := environment.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(said.encode()).decode()}"}
    if key := environment.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}
