"""Where ST's farm is; each address may be another one by environment, for tests and gateways."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from edgeloop.errors import FarmError

CLIENT_ID = "oidc_prod_client_app_stm32ai"
DEFAULTS = {
    "EDGELOOP_ST_API": "https://stm32ai-cs.st.com",
    "EDGELOOP_ST_SITE": "https://stedgeai-dc.st.com",
    "EDGELOOP_ST_SSO": "https://sso.st.com",
}
"""By the variables that replace them."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Nowhere else does a password go without TLS."""


@dataclass(frozen=True)
class Addresses:
    """Without a slash at their ends."""

    api: str
    """The service that files, tools and boards are behind."""
    site: str
    """The web site, which tells the versions."""
    sso: str
    """ST's login."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Addresses":
        """Those of the environment, else ST's own.

        Raises:
            FarmError: one is no address, or holds a password.
        """
        return cls(*(_checked(name, environment.get(name) or default) for name, default in DEFAULTS.items()))

    @property
    def callback(self) -> str:
        """Where ST's login leads to at its end; it is never opened."""
        return f"{self.api}/callback"


def _checked(name: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if safe and parts.hostname and not (parts.username or parts.password or parts.query):
            return text.rstrip("/")
    except ValueError:
        pass
    raise FarmError(f"{name} is no address of a server that a password may go to.", f"Write it like {DEFAULTS[name]}, or unset it.")
