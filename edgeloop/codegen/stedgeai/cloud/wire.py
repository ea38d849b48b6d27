"""One HTTP request to ST's farm: within a deadline, of bounded size, every failure in words and none of them with a secret.

Redirects are never followed here: whoever asks decides where a token or a password may go.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from edgeloop.deadline import Deadline
from edgeloop.errors import FarmError, FarmSilent

CONNECT_S = 15.0
QUIET_S = 60.0
"""The longest pause within an answer; the whole of it has the request's own deadline."""
MOST_BYTES = 64 << 20
"""Of one answer. A network's c_info has some MB."""
_LEAST_S = 0.01
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
    """Connections with cookies of their own."""

    def __init__(self) -> None:
        self._client = httpx.Client(follow_redirects=False, headers={"User-Agent": "edgeloop", "Accept": "*/*"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """May be called twice."""
        self._client.close()

    def send(self, method: str, url: str, within_s: float, *, most_bytes: int = MOST_BYTES, **how: Any) -> Answer:
        """Ask, and read the whole answer; `how` is what httpx takes beside.

        Raises:
            FarmSilent: no connection, no answer in time, or a server in trouble (408, 425, 429, 5xx).
            FarmError: the address is none, its certificate is not trusted, or the answer is beyond all measure.
        """
        deadline, host = Deadline.after(within_s), urlsplit(url).netloc.rpartition("@")[2]
        with _explained(host), _unlogged(), self._client.stream(method, url, timeout=_patience(deadline), **how) as response:
            content = b"".join(_chunks(response, deadline, host, most_bytes))
        answer = Answer(host, response.status_code, url, response.headers, content)
        _check_status(answer)
        return answer


def _patience(deadline: Deadline) -> httpx.Timeout:
    left = max(_LEAST_S, deadline.left_s)
    return httpx.Timeout(min(QUIET_S, left), connect=min(CONNECT_S, left))


def _chunks(response: httpx.Response, deadline: Deadline, host: str, most_bytes: int) -> Iterator[bytes]:
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > most_bytes:
            raise FarmError(f"{host} answers more than {most_bytes >> 20} MiB, and was not listened to any longer.", UPDATE)
        if deadline.is_over:
            raise _silent(host, f"was not done answering after {deadline.seconds:g} s")
        yield chunk


def _check_status(answer: Answer) -> None:
    status = answer.status
    if status in _PASSES or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED):
        later = answer.headers.get("Retry-After", "")
        when = f"; it asks for a pause of {int(later)} s" if later.isdigit() else ""
        raise _silent(answer.host, f"is in trouble, or overloaded (status {status}{when})")


@contextmanager
def _explained(host: str) -> Iterator[None]:
    """Neither the address nor what was sent is in a message: both hold secrets."""
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise FarmError(f"The address of {host or 'ST'} is none.", "Correct the variables EDGELOOP_ST_*.") from None
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
