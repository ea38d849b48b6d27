"""A server that is away keeps a run from showing, not from going on, and is not asked for half a minute each time."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.client.orchestration import get_client
from prefect.context import get_settings_context
from prefect.logging.loggers import disable_run_logger
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows.show.best_effort import best_effort


class Server(ThreadingHTTPServer):
    """Says that it is away for a moment, until told otherwise, and counts how often it was asked."""

    asked, status = 0, 503


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not into the test's output."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{made.server_port}/api"
        with temporary_settings({PREFECT_API_URL: address, PREFECT_CLIENT_MAX_RETRIES: 1}), disable_run_logger():
            yield made
        made.shutdown()
        thread.join()


def show(server: Server) -> int:
    """How often the server was asked for one thing."""
    before = server.asked
    with best_effort("a test"), get_client(sync_client=True) as client:
        client._client.get("/health").raise_for_status()
    return server.asked - before


def test_a_server_that_was_away_is_asked_once_for_each_further_thing_until_it_answers(server: Server) -> None:
    assert [show(server), show(server), show(server)] == [2, 1, 1]
    server.status = 200
    assert show(server) == 1
    server.status = 503
    assert show(server) == 2
    server.status = 200
    assert show(server) == 1


def test_prefect_reads_its_settings_anew_only_while_the_server_is_away(server: Server) -> None:
    own, seen = get_settings_context(), []
    for server.status in (200, 503, 503, 200, 200):
        with best_effort("a test"), get_client(sync_client=True) as client:
            seen.append(get_settings_context() is own)
            client._client.get("/health").raise_for_status()
    assert seen == [True, True, False, False, True]
