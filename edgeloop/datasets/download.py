"""Downloading one file over HTTP: resumes, retries with deadlines, and keeps nothing that is not what was asked for.

What has arrived lies in `<target>.part`, and what the server said of it in `<target>.part.json`, so that a later call
goes on where an earlier one was cut off (RFC 9110: Range, If-Range, Content-Range).
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from edgeloop.errors import DataError, FetchError, FetchInterrupted
from edgeloop.files import sha256_file
from edgeloop.progress import Advance, progress

# An attempt that brought so much was a good one.
GOOD_PIECE_BYTES = 1 << 18
_RETRY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Wanted:
    """What is to be downloaded. Without a size or digest whatever comes is taken."""

    address: str
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Patience:
    """How long to wait, and how often to try again. Attempts count from the last one that brought a good piece."""

    connect_s: float = 10.0
    read_s: float = 30.0
    attempts: int = 5
    attempts_unreachable: int = 3
    """When nothing answers from the beginning on."""
    backoff_s: float = 1.0
    longest_pause_s: float = 30.0

    def pause_s(self, failures: int) -> float:
        """Seconds before the next attempt after that many failures in a row."""
        return min(self.backoff_s * 2.0 ** (failures - 1), self.longest_pause_s)


class _Interrupted(Exception):
    """This attempt failed in a way that another may not."""


def download(wanted: Wanted, target: Path, accept: Callable[[Path], None], patience: Patience | None = None) -> None:
    """Download to `target`, going on with what an earlier call left.

    `accept` looks at what has arrived before it takes the target's place, and raises when it is not to.

    Raises:
        FetchError: the address cannot be reached, refuses, or gives something of another size or digest.
    """
    part = _Part(target)
    part.take_up(wanted)
    with progress(f"fetch {wanted.address.rsplit('/', 1)[-1]}", wanted.bytes, "bytes") as advance:
        advance(part.size)
        _complete(wanted, part, patience or Patience(), advance)
    part.check(wanted)
    try:
        accept(part.path)
    except DataError:
        part.forget()
        raise
    part.path.replace(target)
    part.forget()


def _complete(wanted: Wanted, part: "_Part", patience: Patience, advance: Advance) -> None:
    """Attempt until all is there."""
    failures, whole = 0, wanted.bytes is not None and part.size == wanted.bytes
    while not whole:
        before = part.size
        try:
            _attempt(wanted, part, patience, advance)
            whole = True
        except (_Interrupted, httpx.TransportError) as error:
            failures = 1 if part.size - before >= GOOD_PIECE_BYTES else failures + 1
            if failures >= (patience.attempts_unreachable if _unreachable(error, part) else patience.attempts):
                raise _gave_up(wanted, part, error) from error
            time.sleep(patience.pause_s(failures))


def _attempt(wanted: Wanted, part: "_Part", patience: Patience, advance: Advance) -> None:
    timeout = httpx.Timeout(patience.read_s, connect=patience.connect_s)
    # Without `identity` a server may compress on the way, and no range would fit what lies on disk.
    headers = {"Accept-Encoding": "identity", "User-Agent": "edgeloop"} | part.range_headers()
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=True) as client,
            client.stream("GET", wanted.address, headers=headers) as response,
        ):
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return _beyond_the_end(response, part)
            _check_status(wanted, response)
            part.begin(wanted, response, advance)
            _check_offer(wanted, part, response)
            part.append(response, wanted, advance)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.DecodingError) as error:
        raise FetchError(f"{wanted.address} cannot be downloaded: {error}", "Correct the address.") from error


def _check_status(wanted: Wanted, response: httpx.Response) -> None:
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in _RETRY_STATUS:
        raise _Interrupted(f"the server answers {status}")
    if not response.is_success:
        raise FetchError(f"{wanted.address} refuses: the server answers {status}.", "See whether the address opens in a browser.")


def _beyond_the_end(response: httpx.Response, part: "_Part") -> None:
    """All that the server has is here already, or what is here is not the beginning of it."""
    whole = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    if whole is None or int(whole[1]) != part.size:
        part.forget()
        raise _Interrupted("the server does not know the part that was downloaded before; it is fetched anew")


def _check_offer(wanted: Wanted, part: "_Part", response: httpx.Response) -> None:
    """Refuse another size before anything of it is downloaded."""
    length = response.headers.get("Content-Length", "")
    if wanted.bytes is not None and length.isdigit() and part.size + int(length) != wanted.bytes:
        offered = part.size + int(length)
        part.forget()
        raise FetchError(f"{wanted.address} has {offered} bytes, not the {wanted.bytes} expected.", _NOT_THE_SAME)


def _unreachable(error: Exception, part: "_Part") -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError) and not part.size


def _gave_up(wanted: Wanted, part: "_Part", error: Exception) -> FetchInterrupted:
    why = str(error) or type(error).__name__
    if _unreachable(error, part):
        return FetchInterrupted(f"{wanted.address} cannot be reached ({why}).", "Are you offline?")
    return FetchInterrupted(
        f"{wanted.address} broke off after {part.size} bytes and could not be resumed ({why}).",
        "What has arrived is kept: the same command goes on from there.",
    )


_NOT_THE_SAME = "Either the address now holds something else, or what lies between changed it; it is not kept."


class _Part:
    """What has arrived of a download, and the validator that the server gave for it."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self._notes = target.with_name(target.name + ".part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def take_up(self, wanted: Wanted) -> None:
        """Keep what is there only if it is the beginning of what is wanted."""
        noted = self._read_notes()
        same_file = noted.get("sha256") == wanted.sha256 and (wanted.sha256 is not None or noted.get("address") == wanted.address)
        trusted = wanted.sha256 is not None or noted.get("validator")
        if not (same_file and trusted) or (wanted.bytes is not None and self.size > wanted.bytes):
            self.forget()
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def range_headers(self) -> dict[str, str]:
        """Ask for what is missing; another file than before is then sent whole."""
        if not self.size:
            return {}
        validator = self._read_notes().get("validator")
        return {"Range": f"bytes={self.size}-"} | ({"If-Range": str(validator)} if validator else {})

    def begin(self, wanted: Wanted, response: httpx.Response, advance: Advance) -> None:
        """Make ready for the body: a server that does not go on where we are starts again from the beginning."""
        if response.status_code == httpx.codes.PARTIAL_CONTENT and not _continues(response, self.size):
            self.forget()
            raise _Interrupted("the server sends another part than was asked for")
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            advance(-self.size)
            self.path.write_bytes(b"")
        validator = _validator(response)
        self._notes.write_text(json.dumps({"address": wanted.address, "sha256": wanted.sha256, "validator": validator}), encoding="utf-8")

    def append(self, response: httpx.Response, wanted: Wanted, advance: Advance) -> None:
        with self.path.open("ab") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                advance(len(chunk))
                if wanted.bytes is not None and file.tell() > wanted.bytes:
                    self.forget()
                    raise FetchError(f"{wanted.address} sends more than the {wanted.bytes} bytes expected.", _NOT_THE_SAME)
        if wanted.bytes is not None and self.size < wanted.bytes:
            raise _Interrupted("the server ended too early")

    def check(self, wanted: Wanted) -> None:
        """Refuse, and do not keep, what has another digest."""
        if wanted.sha256 is None or (found := sha256_file(self.path)) == wanted.sha256:
            return
        size = self.size
        self.forget()
        raise FetchError(
            f"{wanted.address} is not what was expected: its sha256 is {found} ({size} bytes), expected {wanted.sha256}.", _NOT_THE_SAME
        )

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def _read_notes(self) -> dict[str, Any]:
        try:
            noted = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}


def _continues(response: httpx.Response, size: int) -> bool:
    return re.match(rf"bytes {size}-", response.headers.get("Content-Range", "")) is not None


def _validator(response: httpx.Response) -> str | None:
    """What If-Range can hold: a strong ETag, or the time of the last change."""
    etag: str = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    changed: str | None = response.headers.get("Last-Modified")
    return changed
