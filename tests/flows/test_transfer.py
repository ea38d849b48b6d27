"""DVC's transfers: what a store's answers mean, by the types of the exceptions that real clients raise of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flows_in_miniature import Project, small_project

from edgeloop.errors import StageError, StageMayPass
from flows import transfer as transfers
from flows.commands import Ended
from flows.transfer import transfer

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


@contextmanager
def answering(status: int) -> Iterator[int]:
    """The port of a store that gives that answer to everything."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PUT = do_HEAD = do_POST = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small project, built, with an S3 store of which `at` says where it listens."""
    project = small_project(tmp_path_factory.mktemp("built"))
    project.run("dvc", "repro", "prepare")
    project.run("dvc", "remote", "add", "--default", "store", "s3://bucket/data")
    for name, value in {"access_key_id": "a", "secret_access_key": "b"}.items():
        project.run("dvc", "remote", "modify", "--local", "store", name, value)
    return project


def at(project: Project, port: int) -> Project:
    project.run("dvc", "remote", "modify", "--local", "store", "endpointurl", f"http://127.0.0.1:{port}")
    return project


def pushed(project: Project, monkeypatch: pytest.MonkeyPatch, store_s: float = 1.0) -> list[str]:
    """What is said of a push."""
    monkeypatch.setattr(transfers, "STORE_S", store_s)
    said: list[str] = []
    transfer(["push", "prepare"], project.root, project.env | {"AWS_MAX_ATTEMPTS": "1"}, said.append, lambda: False)
    return said


def test_a_store_that_is_not_there_may_come_back(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageMayPass, match="was away for 1 s"):
        pushed(at(built, 9), monkeypatch)


def test_a_store_that_cannot_now_may_do_so_later(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(503) as port, pytest.raises(StageMayPass, match="does not answer"):
        pushed(at(built, port), monkeypatch)


def test_a_store_that_refuses_is_asked_once(built: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(403) as port, pytest.raises(StageError, match="refuses") as caught:
        pushed(at(built, port), monkeypatch, store_s=60)
    assert not isinstance(caught.value, StageMayPass)
    assert "Check the remote's address and keys" in str(caught.value)


def test_without_a_store_the_message_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run("dvc", "repro", "prepare")
    with pytest.raises(StageError, match="no remote specified"):
        pushed(project, monkeypatch, store_s=60)


def test_waiting_for_a_store_ends_when_all_ends(built: Project) -> None:
    over = threading.Event()
    at(built, 9)
    with pytest.raises(Ended):
        transfer(["push", "prepare"], built.root, built.env, lambda _: over.set(), over.is_set)


def test_a_folder_takes_and_gives(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run("dvc", "repro", "prepare")
    project.run("dvc", "remote", "add", "--default", "store", str(project.root.parent / "store"))
    assert pushed(project, monkeypatch) == []
    (project.root / "data/sample/prepared").unlink()
    project.run("rm", "-rf", ".dvc/cache")
    transfer(["pull", "prepare"], project.root, project.env, lambda _: None, lambda: False)
    assert (project.root / "data/sample/prepared").read_text(encoding="utf-8") == "one"
