"""A proxy between a client and a real S3 server: it delays, refuses and cuts requests, or calls the test at one of them."""

import hashlib
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fate = Literal["pass", "slow", "500", "503", "409", "412", "refused", "lost", "cut"]
"""What becomes of a request. Its connection is closed before it arrives (`refused`), when it is done (`lost`), in its answer (`cut`)."""
TIMEOUT_S = 60.0
SLOW_S = 0.3
"""The longest delay."""
CODES = {"500": "InternalError", "503": "SlowDown", "409": "ConditionalRequestConflict", "412": "PreconditionFailed"}
HOP = {"connection", "keep-alive", "expect", "transfer-encoding"}


@dataclass(frozen=True)
class Asked:
    """A request."""

    number: int
    """Of all, from 1."""
    method: str
    path: str
    again: int
    """How many with this method and path came before."""
    is_conditional: bool

    def dice(self, seed: int) -> random.Random:
        """The same for the same request of the same campaign, in whatever order requests come."""
        return random.Random(f"{seed} {self.method} {self.path} {self.again}")


Plan = Callable[[Asked], Fate]
PASS: Plan = lambda _: "pass"  # noqa: E731


def troubled(seed: int, share: float) -> Plan:
    """That share of the requests meets one of all troubles; 412 and 409 those alone that state a condition, or write."""

    def plan(asked: Asked) -> Fate:
        dice = asked.dice(seed)
        if dice.random() >= share:
            return "pass"
        fates: list[Fate] = ["slow", "500", "503", "refused", "lost", "cut"]
        fates += ["409"] if asked.method == "PUT" else []
        fates += ["412"] if asked.is_conditional else []
        return dice.choice(fates)

    return plan


class Proxy:
    """Listens on a free port of loopback; `plan` may be replaced at any time."""

    def __init__(self, server: str) -> None:
        self.server = urlsplit(server).netloc
        self.plan: Plan = PASS
        self.after: Callable[[Asked], None] = lambda _: None
        """Called when the server has done a request, and its answer is not yet sent."""
        self.met: Counter[str] = Counter()
        self._lock, self._number, self._seen = threading.Lock(), 0, Counter[tuple[str, str]]()
        self.address = ""

    def ask(self, method: str, path: str, names: Iterable[str]) -> Asked:
        path = urlsplit(path).path
        with self._lock:
            self._number += 1
            again = self._seen[method, path]
            self._seen[method, path] += 1
            return Asked(self._number, method, path, again, any(name.lower() in ("if-match", "if-none-match") for name in names))

    def begin(self, plan: Plan = PASS, after: Callable[[Asked], None] = lambda _: None) -> None:
        """Count anew, by this plan."""
        with self._lock:
            self._number, self._seen = 0, Counter()
            self.plan, self.after = plan, after

    @property
    def count(self) -> int:
        return self._number


@contextmanager
def proxy(server: str) -> Iterator[Proxy]:
    """A running proxy to that address."""
    made = Proxy(server)

    class Handler(_Handler):
        proxy = made

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that was killed is no news."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        made.address = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            listening.shutdown()
            thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        asked = self.proxy.ask(self.command, self.path, self.headers.keys())
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fate = self.proxy.plan(asked)
        self.proxy.met[fate] += 1
        if fate == "slow":
            time.sleep(asked.dice(0).uniform(0, SLOW_S))
        if fate == "refused":
            self._close()
        elif fate in CODES:
            self._refuse(int(fate), CODES[fate])
        else:
            self._pass(asked, body, fate)

    do_PUT = do_HEAD = do_POST = do_DELETE = do_GET

    def _pass(self, asked: Asked, body: bytes, fate: Fate) -> None:
        upstream = HTTPConnection(self.proxy.server, timeout=TIMEOUT_S)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP:
                    upstream.putheader(name, value)
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            self._close()
            return
        finally:
            upstream.close()
        self.proxy.after(asked)
        if fate == "lost":
            self._close()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP and not (name.lower() == "content-length" and self.command != "HEAD"):
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if fate == "cut" else content)
        if fate == "cut":
            self._close()

    def _refuse(self, status: int, code: str) -> None:
        content = f"<Error><Code>{code}</Code><Message>by the proxy</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _close(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
