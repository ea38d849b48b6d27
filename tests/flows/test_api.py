"""Prefect's server as it is asked: what it says when it is busy, refuses, or is away."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from edgeloop.errors import ServiceError, ServiceSilent
from flows.api import Server


@contextmanager
def answering(*codes: int) -> Iterator[tuple[Server, list[str]]]:
    """A server that answers with these codes, one after the other and the last one for ever; and the questions it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(codes[min(len(asked), len(codes) - 1)])
            asked.append(f"{self.path} {body} {self.headers['Authorization']}")
            said = json.dumps({"number": len(asked)}).encode()
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Server(f"http://127.0.0.1:{server.server_port}/api", {"PREFECT_API_AUTH_STRING": "a:canary"}), asked
        server.shutdown()


def test_a_locked_database_is_asked_again() -> None:
    with answering(503, 503, 200) as (server, asked):
        assert server.post("/flows/", {"name": "x"}) == {"number": 3}
    assert asked == ['/api/flows/ {"name": "x"} Basic YTpjYW5hcnk='] * 3


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (503, ServiceSilent, "not well: 503"),
        (500, ServiceSilent, "not well: 500"),
        (401, ServiceError, "let us in"),
        (422, ServiceError, "number"),
    ],
)
def test_what_it_refuses_is_said_without_secrets(code: int, kind: type[ServiceError], says: str) -> None:
    with answering(code) as (server, asked), pytest.raises(kind, match=says) as caught:
        server.post("/flows/", {})
    assert "canary" not in str(caught.value)
    assert len(asked) == (5 if code == 503 else 1)


def test_a_server_that_is_away_is_silent() -> None:
    with pytest.raises(ServiceSilent, match=r"http://127.0.0.1:9/api does not answer: .*refused"):
        Server("http://127.0.0.1:9/api").post("/flows/", {})
