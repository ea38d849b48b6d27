"""ST's farm in miniature: an HTTP server that does what is known of the real one, login by a form included, and fails as it is told."""

import html
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

USER, PASSWORD = "ada@example.org", "correct horse & battery"
WRONG = "You have provided the wrong password. You have 4 attempts left after which your account password will expire."
LOCKED = "You have exceeded 5 login attempts. Please click below on Forgot Password to set a new one."
BOARDS = {
    "STM32N6570-DK": {"boardCount": 3, "flashSize": "128 MB", "deviceCpu": "STM32N6", "deviceId": "0x486"},
    "STM32H747I-DISCO": {"boardCount": 2, "flashSize": "2 MB", "deviceCpu": "STM32H7", "deviceId": "0x450"},
    "NUCLEO-G474RE": {"boardCount": 1},
    "STM32MP257F-EV1": {"boardCount": 1, "deviceCpu": "STM32MP2"},
    "STM32MP215F-DK": {"boardCount": 1, "deviceCpu": "STM32MP2"},
}
VERSIONS = [
    {"version": "8.1.0", "isLatest": False, "platform": {"stm32": "8.1.0", "stm32mpu": None}},
    {"version": "2.2.0", "isLatest": False, "platform": {"stm32": "10.2.0", "stm32mpu": "10.2.0"}},
    {"version": "4.0.1", "isLatest": True, "platform": {"stm32": "12.0.1", "stellar-e": "1.0"}},
]
OLD_API: dict[str, Any] = {"paths": {"/benchmark/{queue}": {"post": {"requestBody": {"content": {"application/json": {"schema": {}}}}}}}}
WAYS = ("waiting_for_build", "in_queue", "generating_sources", "copying_sources", "loading_sources", "building", "flashing", "validation")


@dataclass
class Farm:
    """What it knows, what it was asked, and what is wrong with it."""

    address: str = ""
    states: list[dict[str, Any]] = field(default_factory=lambda: [{"state": state} for state in WAYS])
    """What it says of a benchmark, one after the other; the last one again and again, unless there is a result."""
    result: dict[str, Any] | None = None
    boards: dict[str, Any] = field(default_factory=lambda: dict(BOARDS))
    versions: Any = field(default_factory=lambda: VERSIONS)
    api: Any = None
    login_page: str | None = None
    """Another page than the form."""
    after_login: str | None = None
    """Another answer than the redirect."""
    leads_to: str = ""
    """Where the login's first redirect leads to, if not to the form."""
    trouble: dict[str, list[int]] = field(default_factory=dict)
    """Statuses that are answered first, by the beginnings of paths."""
    says: Any = None
    """What it says with them."""
    cut: str = ""
    """The path whose answer breaks off."""
    drip: str = ""
    """The path whose answer is a header that comes byte by byte."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Other answers, by path."""
    access: set[str] = field(default_factory=set)
    refresh: set[str] = field(default_factory=set)
    archive: bytes = b""
    """What the tool generates; empty: it fails."""
    models: dict[str, bytes] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    started: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Where, and with which options."""
    asked: list[str] = field(default_factory=list)
    count: int = 0

    def times(self, path: str) -> int:
        """How often something was asked."""
        return sum(one.split(" ")[1].startswith(path) for one in self.asked)

    def tokens(self) -> dict[str, Any]:
        self.count += 1
        access, refresh = f"access-secret-{self.count}", f"refresh-secret-{self.count}"
        self.access.add(access)
        self.refresh.add(refresh)
        return {"access_token": access, "refresh_token": refresh, "expires_at": time.time() + 3600, "token_type": "Bearer"}


class _Handler(BaseHTTPRequestHandler):
    farm: Farm

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_DELETE(self) -> None:
        self._route()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _route(self) -> None:
        farm, path = self.farm, urlsplit(self.path).path
        self.content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        farm.asked.append(f"{self.command} {path}")
        troubled = next((codes for start, codes in farm.trouble.items() if path.startswith(start) and codes), None)
        if troubled:
            self._json(farm.says if farm.says is not None else {"message": "no"}, troubled.pop(0), {"Retry-After": "7"})
        elif path in farm.bodies:
            self._send(farm.bodies[path])
        elif path.startswith("/api/") and "user_service" not in path and self._token() not in farm.access:
            self._json({"message": f"token {self._token()} is not valid"}, 401)
        else:
            self._answer(path)

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _answer(self, path: str) -> None:
        farm = self.farm
        if path == "/as/authorization.oauth2":
            assert parse_qs(urlsplit(self.path).query)["redirect_uri"] == [f"{farm.address}/callback"]
            self._redirect(farm.leads_to or "/cas/login?service=st")
        elif path == "/cas/login" and self.command == "GET":
            self._send((farm.login_page or _form()).encode(), "text/html", cookie=True)
        elif path == "/cas/login":
            self._login()
        elif path == "/as/circle":
            self._redirect("/as/circle")
        elif path == "/as/resume":
            self._redirect(f"{farm.address}/callback?{urlencode({'code': 'code-secret', 'state': 'x'})}")
        elif path == "/api/user_service/login/callback":
            given = self._fields()
            good = given == {"redirect_url": f"{farm.address}/callback", "code": "code-secret"}
            self._json(farm.tokens() if good else {"message": "bad code"}, 200 if good else 400)
        elif path == "/api/user_service/login/refresh":
            known = self._fields().get("refresh_token") in farm.refresh
            self._json(farm.tokens() if known else {"message": "ended"}, 200 if known else 401)
        elif path == "/assets/versions.json":
            self._json(farm.versions)
        elif path.startswith("/api/4.0.1/stm32ai/"):
            self._tool(path.removeprefix("/api/4.0.1/stm32ai/"))
        elif path == "/api/file/files/generated/code.zip":
            self._send(farm.archive, "application/zip")
        elif path.startswith("/api/file/files/models"):
            self._files(path.removeprefix("/api/file/files/models").strip("/"))
        elif path.startswith("/api/benchmark/"):
            self._benchmark(path.removeprefix("/api/benchmark/"))
        else:
            self._json({"message": "no such path"}, 404)

    def _login(self) -> None:
        given, farm = self._fields(), self.farm
        if farm.after_login is not None:
            self._send(farm.after_login.encode(), "text/html")
        elif given != {"lt": "LT-1&2", "execution": "e1s1", "_eventId": "Login", "username": USER, "password": PASSWORD}:
            self._send(_form(WRONG).encode(), "text/html")
        elif "JSESSIONID=abc" not in self.headers.get("Cookie", ""):
            self._send(b"no session", "text/html", status=400)
        else:
            self._redirect("/as/resume?ticket=ticket-secret")

    def _part(self) -> tuple[str | None, bytes]:
        """The only part of a multipart body: the name of its file, and its content."""
        sent = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode() + self.content)
        (part,) = sent.iter_parts()
        return part.get_filename(), bytes(part.get_payload(decode=True))

    def _tool(self, path: str) -> None:
        farm = self.farm
        if path == "generate":
            options = json.loads(self._part()[1])
            assert options["model"] in farm.models, "a model that was uploaded"
            farm.started.append((path, options))
            self._json({"runtimeId": 7})
        elif farm.archive:
            self._json({"state": "done", "result": {"url": f"{farm.address}/api/file/files/generated/code.zip", "graph": {}, "report": {}}})
        else:
            self._json({"state": "error", "message": farm.says})

    def _files(self, name: str) -> None:
        farm = self.farm
        if self.command == "POST":
            given, content = self._part()
            farm.models[str(given)] = content
            self._json({"upload": True})
        elif self.command == "DELETE" and name in farm.models:
            farm.removed.append(name)
            del farm.models[name]
            self._json({"deleted": True})
        else:
            self._json([{"name": one} for one in farm.models] if not name else {"message": "no such file"}, 404 if name else 200)

    def _benchmark(self, path: str) -> None:
        farm = self.farm
        if path == "boards":
            self._json(farm.boards)
        elif path == "api":
            self._json(farm.api if farm.api is not None else {"message": "none"}, 200 if farm.api is not None else 404)
        elif self.command == "POST":
            options = json.loads(self.content)
            assert options["model"] in farm.models, "a model that was uploaded"
            farm.started.append((path.removeprefix("benchmark/"), options))
            self._json({"benchmarkId": "run-1", "model": options["model"], "args": "{}"})
        elif len(farm.states) > (0 if farm.result else 1):
            self._json(farm.states.pop(0))
        else:
            self._json(farm.result or farm.states[0])

    def _fields(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.content.decode()).items()}

    def _redirect(self, target: str) -> None:
        self._send(b"", status=302, headers={"Location": target})

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(value).encode(), "application/json", status, headers)

    def _send(
        self,
        body: bytes,
        kind: str = "application/json",
        status: int = 200,
        headers: dict[str, str] | None = None,
        *,
        cookie: bool = False,
    ) -> None:
        path = urlsplit(self.path).path
        if self.farm.drip and path.startswith(self.farm.drip):
            self._drip()
            return
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        if cookie:
            self.send_header("Set-Cookie", "JSESSIONID=abc; Path=/")
        self.end_headers()
        if self.farm.cut and path.startswith(self.farm.cut):
            self.wfile.write(body[: len(body) // 2])
            self.connection.close()
        else:
            self.wfile.write(body)

    def _drip(self) -> None:
        """A header that never ends."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(200):
            self.wfile.write(b"a")
            time.sleep(0.05)

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):  # whoever asked has gone
            self.close_connection = True


def _form(words: str = "") -> str:
    fields = {"lt": "LT-1&2", "execution": "e1s1"}
    hidden = "".join(f'<input type="hidden" name="{name}" value="{html.escape(value)}" />' for name, value in fields.items())
    search = '<form action="/search"><input type="hidden" name="q" value=""/></form>'
    action = html.escape("/cas/login?service=st&lang=en")
    login = f'<form id="fm" method="post" class="x" action="{action}">{hidden}<input name="username"/><input name="password"/></form>'
    return f"<html><body>{search}<p>{words}</p>{login}</body></html>"


@pytest.fixture
def farm(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    """A farm, and an account of it in the environment."""
    known = Farm()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"farm": known}))
    server.daemon_threads = True
    known.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    for name in ("EDGELOOP_ST_API", "EDGELOOP_ST_SITE", "EDGELOOP_ST_SSO"):
        monkeypatch.setenv(name, known.address)
    monkeypatch.setenv("EDGELOOP_ST_USERNAME", USER)
    monkeypatch.setenv("EDGELOOP_ST_PASSWORD", PASSWORD)
    monkeypatch.setenv("EDGELOOP_ST_TOKENS", str(tmp_path_factory.mktemp("account") / "st" / "tokens.json"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield known
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()
