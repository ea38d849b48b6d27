"""`edgeloop doctor`: a healthy machine has no faults, and each fault that it knows is provoked and found."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from bench_machine import Bench
from doctor_cases import CASES, H7, NOBODY, SERIAL

from edgeloop.boards.lab import tools as flash_tools
from edgeloop.boards.lock import hold
from edgeloop.doctor import network, tools
from edgeloop.doctor.finding import faults
from edgeloop.doctor.machine import Machine
from edgeloop.doctor.report import DoctorReport, examine, render
from edgeloop.errors import MachineError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bench(tmp_path: Path, locks: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(network, "REACH_S", 1.0)
    monkeypatch.setattr(tools, "STEDGEAI_S", 1.0)
    with ExitStack() as stack:
        yield Bench(tmp_path / "machine", locks, stack, monkeypatch)


def names(report: DoctorReport) -> set[str]:
    return {finding.fault for finding in report.findings}


def test_a_healthy_machine_has_no_faults(bench: Bench) -> None:
    bench.lab(H7)
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    report = examine(bench.machine())
    assert report.findings == []
    assert len(report.checks) >= 25
    report.check()


def test_every_fault_that_is_listed_is_provoked() -> None:
    assert set(CASES) == set(faults())
    assert len(CASES) >= 25


@pytest.mark.parametrize("fault", sorted(CASES))
def test_a_fault_is_found_and_nothing_else(fault: str, bench: Bench) -> None:
    case, also = CASES[fault]
    case(bench)
    report = examine_as_nobody(bench) if bench.unprivileged else examine(bench.machine())
    assert names(report) - (ALWAYS_OF_NOBODY if bench.unprivileged else set()) == {fault, *also}
    finding = next(finding for finding in report.findings if finding.fault == fault)
    for text in (finding.what, finding.cause, finding.fix):
        assert text
    if finding.level == "error":
        with pytest.raises(MachineError):
            report.check()
    assert finding.fix in render(report)


ALWAYS_OF_NOBODY = {"git-foreign-owner", "project-read-only", "cache-read-only", "locks-unusable"}
"""What another user's project is for somebody without rights."""


def examine_as_nobody(bench: Bench) -> DoctorReport:
    """What a user without rights sees; examined in a process of its own."""
    for folder in (bench.folder, *bench.folder.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    report = bench.folder / "report.json"
    report.touch()
    report.chmod(0o666)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            report.write_text(examine(bench.machine()).model_dump_json(), encoding="utf-8")
        finally:
            os._exit(0)
    deadline = time.monotonic() + 60
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return DoctorReport.model_validate_json(report.read_text(encoding="utf-8"))


def test_the_holder_of_a_board_may_have_its_port_open(bench: Bench) -> None:
    device = bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.lab(H7)
    bench.process(4711, "edgeloop", opens=(device.ports[0].device,))
    with hold(f"probe {SERIAL}", "benchmark", 0):
        assert names(examine(bench.machine())) == set()


def test_hints_and_warnings_are_no_reason_to_fail(bench: Bench) -> None:
    (bench.bin / "edgeloop").unlink()
    report = examine(bench.machine())
    assert names(report) == {"command-missing"}
    report.check()


def test_outside_of_a_project_the_machine_is_examined_all_the_same(bench: Bench) -> None:
    bench.overrides["start"] = bench.home
    bench.overrides["python"] = (3, 10, 0)
    assert names(examine(bench.machine())) == {"python-version"}


def test_a_board_on_the_network_that_is_well_has_no_faults(bench: Bench) -> None:
    CASES["ssh-host-key-unknown"][0](bench)
    known = bench.home / ".ssh/known_hosts"
    port = bench.machine().lab.board("mp2").entry.find.ssh
    assert port is not None
    known.write_text(f"[127.0.0.1]:{port.port} ssh-ed25519 AAAA\n", encoding="utf-8")
    assert names(examine(bench.machine())) == set()


def test_files_in_folders_that_are_known_are_looked_for(bench: Bench) -> None:
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.program("stedgeai", "echo 'ST Edge AI Core v4.0.1-20581 7ed50de05'")
    files = "'{project}/config_n6l.json', '{stedgeai}/scripts/n6_loader.py', '{generated}/network.c'"
    bench.lab(H7.replace("[git]", f"[git, {files}]"))
    report = examine(bench.machine())
    assert [finding.fault for finding in report.findings] == ["flash-file-missing"] * 2
    assert str(bench.project / "config_n6l.json") in report.findings[0].what
    assert report.findings[1].what.endswith("scripts/n6_loader.py, an argument of its flash command, does not exist.")


def test_the_flash_tools_are_listed_and_which_of_them_is_taken(bench: Bench) -> None:
    bench.patch.setattr(flash_tools, "OWN_PROGRAMS", bench.bin)
    bench.program("openocd", "exit 0")
    bench.program("pyocd", "exit 0")
    bench.plug("1-1", "0483:374e", SERIAL, ("ttyACM0",))
    bench.lab("h7: {kind: stm32h747i-disco}")
    report = examine(bench.machine())
    assert names(report) == set()
    listed = {name: report.versions[name] for name in ("STM32_Programmer_CLI", "openocd", "pyocd")}
    taken = f"{bench.bin / 'openocd'} (flashes boards that have no `flash` of their own)"
    assert listed == {"STM32_Programmer_CLI": None, "openocd": taken, "pyocd": str(bench.bin / "pyocd")}


def test_it_is_quick(bench: Bench) -> None:
    """Also when several hosts do not answer: they are tried at once."""
    host, port = bench.silent_address()
    bench.lab(*(f"m{number}: {{kind: any-linux, find: {{ssh: {{host: {host}, port: {port}}}}}}}" for number in range(3)))
    begin = time.monotonic()
    assert "host-silent" in names(examine(bench.machine()))
    assert time.monotonic() - begin < 10


def test_this_machine_is_examined_without_a_failed_check() -> None:
    report = examine(Machine(start=ROOT))
    assert "check-failed" not in names(report)
    assert report.versions["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert report.versions["dvc"]


def test_the_command_ends_with_1_for_an_error_and_writes_json(bench: Bench) -> None:
    environment = os.environ | {"PREFECT_API_URL": f"http://127.0.0.1:{bench.closed_port()}/api"}
    out = bench.folder / "doctor.json"
    command = [sys.executable, "-m", "edgeloop", "doctor", "--json", str(out)]
    done = subprocess.run(command, cwd=bench.project, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "unset PREFECT_API_URL" in done.stdout
    assert "must be mended" in done.stderr
    content = json.loads(out.read_text(encoding="utf-8"))
    assert content["kind"] == "doctor"
    assert "prefect-address-dead" in [finding["fault"] for finding in content["findings"]]


def test_a_cron_line_that_never_comes_due_is_found_before_any_service_starts(bench: Bench) -> None:
    params = bench.project / "params.yaml"
    bench.write(params, params.read_text(encoding="utf-8").replace('retrain: "off"', 'retrain: "0 25 * * *"'))
    found = [finding for finding in examine(bench.machine()).findings if finding.fault == "params-invalid"]
    assert len(found) == 1
    assert "'0 25 * * *' is neither a cron line" in found[0].what
