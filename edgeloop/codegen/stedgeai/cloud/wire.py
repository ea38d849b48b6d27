"""One HTTP request to ST's farm: within a deadline, of bounded size, every failure in words and none of them with a secret.

Redirects are never followed here: whoever asks decides where a token or a password may go.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from edgeloop.errors import FarmError, FarmSilent

PATIENCE = httpx.Timeout(60.0, connect=15.0)
"""The longest pause within an answer, and until there is a connection; the whole of it has the request's own deadline."""
MOST_BYTES = 64 << 20
"""Of one answer. A network's c_info has some MB."""
_PASSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_LOGGERS = ("httpx", "httpcore")
"""They log addresses and headers, in which there are codes, cookies and tokens."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    host: str
    status: int
    url: str = field(repr=False)
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def location(self) -> str | None:
        """Where it sends us, as a whole address; None where nowhere."""
        target = self.headers.get("Location")
        return str(httpx.URL(self.url).join(target)) if self.status in range(300, 400) and target else None

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", errors="replace")

    def read(self, form: type[Value], what: str) -> Value:
        """Its JSON in a typed form; `what` it is about.

        Raises:
            FarmError: it is no JSON, or of another form.
        """
        try:
            return TypeAdapter(form).validate_json(self.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            unknown = f"{self.host} answers {what} in a form that edgeloop does not know ({place}: {first['msg']})."
            raise FarmError(unknown, UPDATE) from None


UPDATE = "ST may have changed its service: see docs/cloud.md, or look for a later edgeloop."


class Wire:
    """Connections with cookies of their own; not to be used where an event loop runs already."""

    def __init__(self) -> None:
        # One event loop for all: nothing else ends name resolution, an upload and a header that comes byte by byte at one deadline.
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(follow_redirects=False, headers={"User-Agent": "edgeloop", "Accept": "*/*"})
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """May be called twice."""
        if not self._closed:
            self._closed = True
            self._runner.run(self._client.aclose())
            self._runner.close()

    def send(self, method: str, url: str, within_s: float, *, most_bytes: int = MOST_BYTES, **how: Any) -> Answer:
        """Ask, and read the whole answer; `how` is what httpx takes beside.

        Raises:
            FarmSilent: no connection, no answer in time, or a server in trouble (408, 425, 429, 5xx).
            FarmError: the address is none, its certificate is not trusted, or the answer is beyond all measure.
        """
        host = urlsplit(url).netloc.rpartition("@")[2]
        with _explained(host, within_s), _unlogged():
            answer = self._runner.run(self._asked(method, url, within_s, most_bytes, host, how))
        _check_status(answer)
        return answer

    async def _asked(self, method: str, url: str, within_s: float, most_bytes: int, host: str, how: dict[str, Any]) -> Answer:
        content = bytearray()
        async with asyncio.timeout(within_s), self._client.stream(method, url, timeout=PATIENCE, **how) as response:
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > most_bytes:
                    raise FarmError(f"{host} answers more than {most_bytes >> 20} MiB, and was not listened to any longer.", UPDATE)
        return Answer(host, response.status_code, url, response.headers, bytes(content))


def _check_status(answer: Answer) -> None:
    status = answer.status
    if status in _PASSES or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED):
        later = answer.headers.get("Retry-After", "")
        when = f"; it asks for a pause of {int(later)} s" if later.isdigit() else ""
        raise _silent(answer.host, f"is in trouble, or overloaded (status {status}{when})")


@contextmanager
def _explained(host: str, within_s: float) -> Iterator[None]:
    """Neither the address nor what was sent is in a message: both hold secrets."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise FarmError(f"The address of {host or 'ST'} is none.", "Correct the variables EDGELOOP_ST_*.") from None
    except TimeoutError:
        raise _silent(host, f"was not done answering after {within_s:g} s") from None
    except httpx.TimeoutException:
        raise _silent(host, "does not answer in time") from None
    except httpx.TransportError as error:
        if "CERTIFICATE" in str(error).upper():
            raise FarmError(
                f"The certificate of {host} is not trusted here.",
                "Behind a gateway that reads TLS: let SSL_CERT_FILE name its certificates. Is this machine's clock right?",
            ) from None
        raise _silent(host, f"cannot be reached, or broke off ({type(error).__name__})") from None
    except httpx.DecodingError:
        raise FarmError(f"{host} answers what cannot be unpacked.", UPDATE) from None


def _silent(host: str, what: str) -> FarmSilent:
    return FarmSilent(f"{host} {what}.", "Try again later. Offline, or behind a proxy: HTTPS_PROXY names one.")


@contextmanager
def _unlogged() -> Iterator[None]:
    """No request is logged, whatever level the program's logs have."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
