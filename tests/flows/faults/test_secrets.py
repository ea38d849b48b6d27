"""Canaries: secrets that the loop is given are in no log, record, artifact, database, message or command line afterwards."""

import base64
import json
import secrets
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from flows_in_miniature import FOLDER, Project, environment, initialised, until
from killing import MARK, Site, assert_none_is_left, fill, processes

from edgeloop.boards.lockfiles import VARIABLE
from edgeloop.errors import ConfigError
from flows.server import listening_host

pytestmark = pytest.mark.slow


def canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(12)}"


@dataclass
class Canaries:
    """The secrets, and where each was put on purpose."""

    access_key: str = field(default_factory=lambda: canary("access-key"))
    secret_key: str = field(default_factory=lambda: canary("secret-key"))
    token: str = field(default_factory=lambda: canary("token"))
    ssh_key: str = field(default_factory=lambda: canary("ssh"))
    password: str = field(default_factory=lambda: canary("prefect"))
    endpoint: str = field(default_factory=lambda: canary("endpoint"))
    database: str = field(default_factory=lambda: canary("database"))
    store: str = ""
    """What `up` generates for the local store."""

    def forms(self) -> dict[bytes, str]:
        """Each of them as it may be written, with its name."""
        found = {}
        for name, value in vars(self).items():
            login = base64.b64encode(f"edgeloop:{value}".encode()).decode()
            for form in {value, quote(value), quote_plus(value), base64.b64encode(value.encode()).decode(), login}:
                found[form.encode()] = name
        return found


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def site(tmp_path: Path, locks: Path, canaries: Canaries) -> Iterator[Site]:
    """A project that is given secrets in its environment and in files of its user's home; its services ask for a password."""
    root, mark = tmp_path / "a project", secrets.token_hex(16)
    root.mkdir()
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        f"[default]\naws_access_key_id = {canaries.access_key}\naws_secret_access_key = {canaries.secret_key}\n", encoding="utf-8"
    )
    (tmp_path / ".ssh" / "id_ed25519").write_text(canaries.ssh_key, encoding="utf-8")
    given = {
        "AWS_ACCESS_KEY_ID": canaries.access_key,
        "AWS_SECRET_ACCESS_KEY": canaries.secret_key,
        "AWS_SESSION_TOKEN": canaries.token,
        "PREFECT_SERVER_API_AUTH_STRING": f"edgeloop:{canaries.password}",
    }
    made = Site(Project(root, environment(tmp_path) | {MARK: mark, VARIABLE: str(locks)} | given), mark)
    initialised(made.project)
    fill(made.project)
    made.clear("cards")
    yield made
    made.services("down")
    assert_none_is_left(mark, 10, processes)


@contextmanager
def watched_command_lines(mark: str) -> Iterator[set[str]]:
    """Every command line that a process of that mark has while this lasts."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            seen.update(processes(mark).values())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(timeout=10)


def found_in(content: bytes, canaries: Canaries) -> set[str]:
    return {name for form, name in canaries.forms().items() if form and form in content}


def leaks(folder: Path, canaries: Canaries, meant: set[Path]) -> dict[str, set[str]]:
    """Files below the folder that hold a secret, other than those that are meant to."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in meant:
            names = found_in(path.read_bytes(), canaries)
            if names:
                found[str(path.relative_to(folder))] = names
    return found


@pytest.mark.long
def test_no_secret_is_anywhere_after_the_loop_ran(site: Site, canaries: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", f"edgeloop:{canaries.password}")  # for the questions of this test itself
    identities = site.root / ".edgeloop" / "store" / "identities.json"
    params = site.root / "params.yaml"
    said = ""
    with watched_command_lines(site.mark) as lines:
        said += site.services("up")
        canaries.store = json.loads(identities.read_text(encoding="utf-8"))["identities"][0]["credentials"][0]["secretKey"]
        refused_without_the_password(site.server.address)
        site.start_by_worker()
        until(lambda: (site.root / FOLDER).exists() and not site.unfinished(), 200)
        said += site.services("status")
        # A store that is not there, with a password in its address.
        text = params.read_text(encoding="utf-8").split("publish:")[0]
        address = f"http://edgeloop:{canaries.endpoint}@127.0.0.1:9/"
        params.write_text(f"{text}publish:\n  to: s3://edgeloop/cards\n  endpoint: '{address}'\n", encoding="utf-8")
        said += site.project.run(sys.executable, "-m", "edgeloop", "run", "sample", "all", "all", "--publish", ok=False)
        assert "at http://127.0.0.1:9/ does not answer" in said
        said += site.services("status")
    assert any("edgeloop publish" in line for line in lines), "the command lines were not seen"
    assert found_in(said.encode(), canaries) == set()
    assert {line: names for line in lines if (names := found_in(line.encode(), canaries))} == {}
    meant = {params, identities, tmp_path / ".aws" / "credentials", tmp_path / ".ssh" / "id_ed25519"}
    assert (site.root / ".edgeloop" / "prefect" / "prefect.db").stat().st_size > 0
    assert leaks(tmp_path, canaries, meant) == {}
    assert identities.stat().st_mode & 0o077 == 0


def refused_without_the_password(address: str) -> None:
    question = urllib.request.Request(f"{address}/flow_runs/filter", b"{}", {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(question, timeout=10)


@pytest.mark.thorough
def test_the_password_of_a_database_that_does_not_answer_is_not_shown(site: Site, canaries: Canaries, tmp_path: Path) -> None:
    address = f"postgresql+asyncpg://edgeloop:{canaries.database}@127.0.0.1:9/prefect"
    project = Project(site.root, site.project.env | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": address})
    with watched_command_lines(site.mark) as lines:
        said = project.run(sys.executable, "-m", "edgeloop", "up", ok=False)
    assert "prefect ended with code" in said
    assert found_in(said.encode(), canaries) == set()
    assert {line: names for line in lines if (names := found_in(line.encode(), canaries))} == {}
    meant = {tmp_path / ".aws" / "credentials", tmp_path / ".ssh" / "id_ed25519"}
    assert leaks(tmp_path, canaries, meant) == {}


def own_address() -> str | None:
    """An address of this machine that is not loopback; None where it has no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("127.") else found


@pytest.mark.thorough
def test_the_server_is_not_there_on_other_addresses(server: dict[str, str]) -> None:
    port = int(server["PREFECT_API_URL"].removesuffix("/api").rpartition(":")[2])
    tables = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]]
    listening = {fields[1] for fields in tables if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port}
    assert listening == {f"0100007F:{port:04X}"}
    if (address := own_address()) is not None:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


def test_listening_everywhere_takes_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGELOOP_PREFECT_HOST", "PREFECT_SERVER_API_AUTH_STRING"):
        monkeypatch.delenv(name, raising=False)
    assert listening_host() == "127.0.0.1"
    monkeypatch.setenv("EDGELOOP_PREFECT_HOST", "0.0.0.0")
    for secret in ("", "nobody", "nobody:"):
        monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", secret)
        with pytest.raises(ConfigError, match="would let everybody in your network run programs here"):
            listening_host()
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "somebody:something")
    assert listening_host() == "0.0.0.0"
    monkeypatch.setenv("EDGELOOP_PREFECT_HOST", "everywhere")
    with pytest.raises(ConfigError, match="is 'everywhere'"):
        listening_host()
