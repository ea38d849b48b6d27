"""Prefect's server on a real PostgreSQL, named by the environment; its password is shown nowhere."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flows_in_miniature import Project

from edgeloop.errors import ConfigError, ServiceError
from edgeloop.workspace import Workspace
from flows.database import VARIABLE, check, take_database
from flows.server import prefect_server

CANARY = "canary-3f9c1e"
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server of this test's own, on loopback."""

    port: int

    def address(self, *, user: str = "edgeloop", password: str = CANARY, database: str = "prefect") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def sql(self, command: str, database: str = "prefect") -> str:
        argv = [str(PROGRAMS[-1] / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "edgeloop", "-d", database, "-tAc", command]
        env = os.environ | {"PGPASSWORD": CANARY}
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def as_nobody(*argv: str | Path) -> list[str]:
    """PostgreSQL refuses to be run by root."""
    return [*(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []), *map(str, argv)]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))  # the folders of pytest are closed to others
    try:
        (folder / "password").write_text(CANARY, encoding="utf-8")
        if os.getuid() == 0:
            os.chown(folder, 65534, 65534)
            os.chown(folder / "password", 65534, 65534)
        rules = ["--username=edgeloop", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
        subprocess.run(
            as_nobody(PROGRAMS[-1] / "initdb", "-D", folder / "data", *rules), cwd="/", capture_output=True, check=True, timeout=120
        )
        yield from serving(folder)
    finally:
        shutil.rmtree(folder)


def serving(folder: Path) -> Iterator[Postgres]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        made = Postgres(free.getsockname()[1])
    options: list[str | Path] = ["-D", folder / "data", "-h", "127.0.0.1", "-p", str(made.port), "-k", folder, "-c", "fsync=off"]
    argv = as_nobody(PROGRAMS[-1] / "postgres", *options)
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log) as server:
        try:
            deadline = time.monotonic() + 60
            while not answers(made):
                assert server.poll() is None, (folder / "log").read_text(encoding="utf-8")
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield made
        finally:
            server.terminate()
            server.wait(timeout=30)


def answers(postgres: Postgres) -> bool:
    try:
        postgres.sql("CREATE DATABASE prefect", "postgres")
    except subprocess.CalledProcessError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.long
def test_runs_are_kept_in_postgresql_and_its_password_nowhere(postgres: Postgres, project: Project) -> None:
    own = Project(project.root, project.env | {VARIABLE: postgres.address(), "EDGELOOP_PORTS": "any"})
    workspace = Workspace(project.root)
    try:
        said = own.retrain()
        assert "4 of 4 stages built" in said
        assert postgres.sql("SELECT count(*) FROM task_run") == "4"
        assert not (workspace.private / "prefect" / "prefect.db").exists()
        other = own.env | {VARIABLE: postgres.address(database="other")}
        assert "runs already, with PostgreSQL prefect" in Project(project.root, other).retrain(ok=False)
        assert "4 of 4" not in own.retrain()
    finally:
        prefect_server(workspace).down()
    assert CANARY not in said
    kept = [file for file in project.root.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()]
    assert kept == []
    assert postgres.sql("SELECT count(*) FROM flow_run WHERE parameters::text LIKE '%canary%'") == "0"
    assert postgres.sql("SELECT count(*) FROM log WHERE message LIKE '%canary%'") == "0"


def refusal(address: str) -> str:
    """What a person is told of it; never the password."""
    database = take_database({VARIABLE: address})
    assert database is not None
    with pytest.raises(ServiceError) as caught:
        check(database)
    said = str(caught.value) + repr(database)
    assert CANARY not in said
    assert VARIABLE in said
    return said


def test_what_is_wrong_with_the_database_is_said(postgres: Postgres) -> None:
    good = take_database({VARIABLE: postgres.address()})
    assert good is not None
    check(good)
    assert "password authentication failed" in refusal(postgres.address(password=CANARY + "x"))
    assert 'database "other" does not exist' in refusal(postgres.address(database="other"))
    assert "authentication failed" in refusal(postgres.address(user="nobody"))


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert f"PostgreSQL prefect on 127.0.0.1:{port} as edgeloop" in refusal(f"postgresql://edgeloop:{CANARY}@127.0.0.1:{port}/prefect")


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.database.CHECK_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no answer within 1 s" in refusal(f"postgresql://edgeloop:{CANARY}@127.0.0.1:{silent.getsockname()[1]}/prefect")


@pytest.mark.parametrize(
    "address",
    [CANARY, f"mysql://u:{CANARY}@h/d", f"sqlite+aiosqlite:///{CANARY}", f"postgresql://u:{CANARY}@h", f"postgresql://u:{CANARY}@h:port/d"],
)
def test_another_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match="looks like postgresql://") as caught:
        take_database({VARIABLE: address})
    assert CANARY not in str(caught.value)


def test_children_do_not_get_the_address() -> None:
    environment = {VARIABLE: f"postgresql://u:{CANARY}@h/d", "PATH": "/bin"}
    assert take_database(environment) is not None
    assert environment == {"PATH": "/bin"}
    assert take_database(environment) is None
