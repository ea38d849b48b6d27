"""Prefect's server, asked without Prefect, whose import takes 1.5 s: for what answers at once, or comes before any flow."""

import base64
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from edgeloop.errors import ServiceError, ServiceSilent

Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]
ASK_S = 10.0
SERVER_SECRET = "PREFECT_SERVER_API_AUTH_STRING"
CLIENT_SECRET = "PREFECT_API_AUTH_STRING"
BUSY_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
"""Between questions while the server says 503: its SQLite database was locked, and nothing was done."""


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

    def get(self, path: str) -> Any:
        """Its answer; None where it has none. Raises as `ask`."""
        return self.ask("GET", path)

    def post(self, path: str, body: Body) -> Any:
        """Its answer; None where it has none. Raises as `ask`."""
        return self.ask("POST", path, body)

    def ask(self, method: str, path: str, body: Body | None = None) -> Any:
        """Ask, and again for some seconds where its database was locked.

        Raises:
            ServiceSilent: it does not answer, or is not well.
            ServiceError: it refuses.
        """
        for pause_s in BUSY_PAUSES_S:
            try:
                return self._ask_once(method, path, body)
            except _Busy:
                time.sleep(pause_s)
        return self._ask_once(method, path, body)

    def _ask_once(self, method: str, path: str, body: Body | None) -> Any:
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
                f"Prefect's server {self.shown} does not answer: {reason}.", "Start it (edgeloop up), or correct PREFECT_API_URL."
            ) from None

    def _refusal(self, path: str, error: urllib.error.HTTPError) -> ServiceError:
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return ServiceError(
                f"Prefect's server {self.shown} does not let us in ({error.code}).",
                f"Set {CLIENT_SECRET}=USER:PASSWORD (or PREFECT_API_KEY) as the server has it.",
            )
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind: type[ServiceError] = _Busy if error.code == HTTPStatus.SERVICE_UNAVAILABLE else ServiceSilent
            return kind(f"Prefect's server {self.shown} is not well: {error.code} for {path}.", "See its log: .edgeloop/services.")
        said = error.read(400).decode(errors="replace")
        return ServiceError(f"Prefect's server {self.shown} refuses {path} ({error.code}): {said}", "Is its version the locked one?")


class _Busy(ServiceSilent):
    """Its database was locked."""


def client_secret(environment: Mapping[str, str] = os.environ) -> str | None:
    """Name and password for the server, as `name:password`; where only the server's own are set, these."""
    return environment.get(CLIENT_SECRET) or environment.get(SERVER_SECRET)


def _authorization(environment: Mapping[str, str]) -> dict[str, str]:
    """With the name and password of the environment, as Prefect's own client sends them."""
    if secret := client_secret(environment):
        return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
    if key := environment.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}
