"""What is published, read over HTTP as a browser reads it: no keys, and nothing is ever written."""

import json
import random
import time
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from edgeloop.deadline import Deadline
from edgeloop.errors import StoreError, StoreSilent
from edgeloop.store.s3 import ATTEMPTS, PAUSE_S
from edgeloop.store.target import Stored

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 60.0
DEADLINE_S = 120.0
"""For all tries of one file."""
MOST_BYTES = 1 << 30
_ABSENT = (403, 404, 410)
"""A store that may not be listed denies what is not there."""
_BUSY = (408, 429)


class WebTarget:
    """A folder behind an address."""

    def __init__(self, address: str) -> None:
        import httpx

        self._address = address.rstrip("/")
        self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=True)

    def address(self, key: str) -> str:
        return f"{self._address}/{quote(key)}"

    def read(self, key: str) -> Stored | None:
        """The object, or None. Where the answer breaks off or the server is in trouble, it is asked again, as S3 is.

        Raises:
            StoreSilent: it does not answer, several times or for two minutes.
            StoreError: it refuses.
        """
        deadline = Deadline.after(DEADLINE_S)
        for tried in range(ATTEMPTS - 1):
            try:
                return self._read(key)
            except StoreSilent:
                pause_s = random.uniform(0, PAUSE_S * 2**tried)
                if pause_s >= deadline.left_s:
                    raise
            time.sleep(pause_s)
        return self._read(key)

    def _read(self, key: str) -> Stored | None:
        import httpx

        try:
            with self._client.stream("GET", self.address(key)) as answer:
                if answer.status_code in _ABSENT:
                    return None
                if answer.status_code >= 500 or answer.status_code in _BUSY:
                    raise StoreSilent(f"{self.address(key)} answers {answer.status_code}.", "Try again later.")
                if not answer.is_success:
                    raise StoreError(f"{self.address(key)} answers {answer.status_code}.", "Correct the address.")
                return Stored(self._content(answer, key), answer.headers.get("ETag", ""))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects):
            raise StoreError(f"{self.address(key)} is no address, or leads nowhere.", "Correct the address.") from None
        except httpx.ConnectError:
            raise StoreSilent(f"Nobody answers at {self.address(key)}.", "Check the address and the network.") from None
        except httpx.TimeoutException:
            raise StoreSilent(f"{self.address(key)} does not answer for {TIMEOUT_S:.0f} s.", "Try again later.") from None
        except httpx.HTTPError:
            raise StoreSilent(f"{self.address(key)} breaks off in the middle of its answer.", "Check the network; try again.") from None

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
