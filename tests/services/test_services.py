"""A local service comes up once, says what it is, survives the command that started it, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from edgeloop.errors import ServiceError
from edgeloop.services import Ports, Running, Service, listens
from edgeloop.services.ports import choose, holder, is_free
from edgeloop.services.processes import Identity, end_session, identify, is_alive
from edgeloop.workspace import Workspace

SERVE = (
    "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()"
)
STUBBORN = """import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
"""
Make = Callable[..., Service]


@pytest.fixture
def make(workspace: Workspace) -> Iterator[Make]:
    """Describe a small web server as a service; whatever was started is stopped at the end."""
    made: list[Service] = []

    def service(program: str = SERVE, *, port: int = 0, start_deadline_s: float = 20.0, stop_grace_s: float = 5.0) -> Service:
        def argv(ports: Ports) -> list[str]:
            return [sys.executable, "-c", program, str(ports["web"])]

        def ready(running: Running) -> bool:
            return listens(running.ports["web"])

        data = workspace.private / "web"
        made.append(
            Service(workspace, "web", argv, {"web": port}, ready, data, start_deadline_s=start_deadline_s, stop_grace_s=stop_grace_s)
        )
        return made[-1]

    yield service
    for one in made:
        one.down()


def gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while identify(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return identify(pid) is None


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that this test itself listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_up_serves_status_knows_it_and_down_ends_it(make: Make) -> None:
    service = make()
    running = service.up()
    assert urllib.request.urlopen(running.address, timeout=5).status == 200
    assert service.status() == running
    assert service.down()
    assert gone(running.pid)
    assert service.status() is None


def test_down_without_up_does_nothing(make: Make) -> None:
    assert not make().down()


def test_a_second_up_says_that_it_runs(make: Make) -> None:
    first = make().up()
    second = make().up()
    assert (first.was_running, second.was_running) == (False, True)
    assert second.pid == first.pid


def test_a_taken_port_is_named_with_its_holder_and_another_is_used(make: Make, taken_port: int) -> None:
    running = make(port=taken_port).up()
    assert running.ports["web"] != taken_port
    assert re.search(
        rf"In use by \S+.* \(process {os.getpid()}\): port {taken_port} \(web\), instead {running.ports['web']}\.", running.notes[0]
    )
    assert make(port=taken_port).status() == running


def test_a_free_preferred_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert choose({"web": port}).ports == {"web": port}
    assert is_free(port)


def test_two_purposes_never_share_a_port(taken_port: int) -> None:
    ports = choose({"a": taken_port, "b": taken_port, "c": 0}).ports
    assert len(set(ports.values())) == 3


def test_the_holder_of_a_port_nobody_has_is_unknown() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert holder(port) == "another program"


def test_dying_while_starting_shows_the_end_of_the_log(make: Make) -> None:
    service = make("print('the disk is full'); raise SystemExit(3)")
    with pytest.raises(ServiceError, match=r"(?s)ended with code 3.*the disk is full"):
        service.up()
    assert service.status() is None


def test_not_getting_ready_in_time_ends_it(make: Make, workspace: Workspace) -> None:
    service = make("import os, time; print(os.getpid(), flush=True); time.sleep(600)", start_deadline_s=0.8)
    with pytest.raises(ServiceError, match="not ready within 1 s"):
        service.up()
    assert gone(int(service.log.read_text().split()[0]))


def test_a_program_that_is_not_there_is_named(workspace: Workspace) -> None:
    service = Service(workspace, "none", lambda _: ["/no/such/program"], {"web": 0}, lambda _: True, workspace.private)
    with pytest.raises(ServiceError, match="/no/such/program"):
        service.up()


def test_one_that_ignores_term_is_killed_with_its_children(make: Make) -> None:
    running = make(STUBBORN + SERVE, stop_grace_s=0.3).up()
    members = session(running.pid)
    assert len(members) == 2
    make(STUBBORN + SERVE, stop_grace_s=0.3).down()
    assert all(gone(pid) for pid in members)


def test_children_of_a_dead_service_are_ended_too(make: Make) -> None:
    service = make(STUBBORN + SERVE, stop_grace_s=0.3)
    running = service.up()
    members = session(running.pid)
    os.kill(running.pid, signal.SIGKILL)
    assert gone(running.pid)
    assert service.status() is None
    service.down()
    assert all(gone(pid) for pid in members)


def test_up_after_a_crash_starts_anew(make: Make) -> None:
    service = make()
    first = service.up()
    os.kill(first.pid, signal.SIGKILL)
    assert gone(first.pid)
    second = service.up()
    assert second.pid != first.pid
    assert not second.was_running


def test_a_reused_process_number_is_never_killed(make: Make, workspace: Workspace) -> None:
    service = make()
    service.up()
    service.down()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    try:
        old = {"name": "web", "pid": stranger.pid, "start_ticks": 1, "boot_id": "x", "ports": {"web": 1}, "address": "", "log": "x"}
        state = workspace.private / "services" / "web.json"
        for boot in ("x", Path("/proc/sys/kernel/random/boot_id").read_text().strip()):
            state.write_text(json.dumps(old | {"boot_id": boot, "started_utc": "", "notes": [], "ready": True}))
            assert service.status() is None
            assert not service.down()
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_damaged_state_counts_as_none(make: Make, workspace: Workspace) -> None:
    service = make()
    service.up()
    service.down()
    (workspace.private / "services" / "web.json").write_text("{")
    assert service.status() is None


def test_it_outlives_the_command_that_started_it_and_concurrent_ups_start_one(workspace: Workspace, tmp_path: Path) -> None:
    script = tmp_path / "up.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom edgeloop.services import Service, listens\nfrom edgeloop.workspace import Workspace\n"
        f"SERVE = {SERVE!r}\nworkspace = Workspace(Path(sys.argv[1]))\n"
        "service = Service(workspace, 'web', lambda ports: [sys.executable, '-c', SERVE, str(ports['web'])], {'web': 0},\n"
        "                  lambda running: listens(running.ports['web']), workspace.private / 'web')\n"
        "print(service.up().pid if sys.argv[2] == 'up' else service.down())\n"
    )

    def command(action: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, str(script), str(workspace.root), action], stdout=subprocess.PIPE, text=True)

    ups = [command("up") for _ in range(3)]
    pids = {int(up.communicate(timeout=60)[0]) for up in ups}
    assert len(pids) == 1
    assert identify(pids.pop()) is not None
    assert command("down").communicate(timeout=60)[0].strip() == "True"


def test_identity_tells_a_process_from_its_successor() -> None:
    own = identify(os.getpid())
    assert own is not None
    assert is_alive(own)
    assert not is_alive(Identity(own.pid, own.start_ticks - 1, own.boot_id))
    assert end_session(Identity(own.pid, own.start_ticks - 1, own.boot_id), 0.1)


def session(leader: int) -> list[int]:
    """The processes whose session is the leader's (proc(5): the fourth field after the command's name)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[3]) == leader:
                found.append(int(stat.parent.name))
    return found
