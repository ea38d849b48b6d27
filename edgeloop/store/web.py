"""What is published, read over HTTP as a browser reads it: no keys, and nothing is ever written."""

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from edgeloop.errors import StoreError, StoreSilent
from edgeloop.store.target import Stored

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 60.0
MOST_BYTES = 1 << 30
_ABSENT = (403, 404, 410)
"""A store that may not be listed denies what is not there."""


class WebTarget:
    """A folder behind an address."""

    def __init__(self, address: str) -> None:
        import httpx

        self._address = address.rstrip("/")
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=True)

    def address(self, key: str) -> str:
        return f"{self._address}/{quote(key)}"

    def read(self, key: str) -> Stored | None:
        import httpx

        try:
            with self._client.stream("GET", self.address(key)) as answer:
                if answer.status_code in _ABSENT:
                    return None
                if answer.status_code >= 500:
                    raise StoreSilent(f"{self.address(key)} answers {answer.status_code}.", "Try again later.")
                if not answer.is_success:
                    raise StoreError(f"{self.address(key)} answers {answer.status_code}.", "Correct the address.")
                return Stored(self._content(answer, key), answer.headers.get("ETag", ""))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StoreSilent(f"{self.address(key)} cannot be read: {error or type(error).__name__}", "Check the address.") from None

    def keys(self, name: str) -> list[str]:
        """Those of the variants that the index lists."""
        stored = self.read("index.json")
        try:
            cards = [] if stored is None else json.loads(stored.content)["cards"]
            return sorted(f"{PurePosixPath(one['variant']).name}/{name}" for one in cards)
        except (ValueError, KeyError, TypeError):
            raise StoreError(f"{self.address('index.json')} is damaged.", "Publish again.") from None

    def _content(self, answer: "httpx.Response", key: str) -> bytes:
        parts, size = [], 0
        for part in answer.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise StoreError(f"{self.address(key)} is larger than {MOST_BYTES >> 20} MiB.", "No file of a version is.")
        return b"".join(parts)
