"""Running a program: nothing of it is left, its words are kept, and its end is always known."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeloop.codegen.stedgeai import run
from edgeloop.codegen.stedgeai.run import run_tool
from edgeloop.errors import StedgeaiFailure, StedgeaiMissing, StedgeaiTimeout
from edgeloop.services.processes import identify

PARENT = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
pathlib.Path("child.pid").write_text(str(child.pid))
print("started", flush=True)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_both_streams_are_in_the_log_in_their_order(tmp_path: Path) -> None:
    code = "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); print('three'); sys.exit(255)"
    done = run_tool(python(code), tmp_path, tmp_path / "run.log", 30)
    assert (done.status, done.text) == (255, "one\ntwo\nthree\n")
    assert (tmp_path / "run.log").read_text(encoding="utf-8") == done.text


def test_standard_input_is_closed_even_where_ours_is_open(tmp_path: Path) -> None:
    """A tool that asks must not wait for the terminal of whoever started edgeloop."""
    reading, writing = os.pipe()
    ours = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert run_tool(python("import sys; print(repr(sys.stdin.read()))"), tmp_path, tmp_path / "run.log", 10).text == "''\n"
    finally:
        os.dup2(ours, 0)
        for handle in (reading, writing, ours):
            os.close(handle)


def test_it_runs_in_its_folder_and_takes_any_argument(tmp_path: Path) -> None:
    odd = "a b; $(touch x) \"'`*"
    code = "import os, sys; print(os.getcwd()); print(sys.argv[1])"
    done = run_tool([*python(code), odd], tmp_path, tmp_path / "run.log", 30)
    assert done.text.splitlines() == [str(tmp_path), odd]


def test_bytes_that_are_no_text_do_not_hurt(tmp_path: Path) -> None:
    done = run_tool(python(r"import os; os.write(1, b'caf\xe9\n')"), tmp_path, tmp_path / "run.log", 30)
    assert done.text == "caf\ufffd\n"


def test_past_the_deadline_all_of_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parent and child ignore the request to end: they are ended all the same, soon."""
    monkeypatch.setattr(run, "GRACE_S", 0.5)
    started = time.monotonic()
    with pytest.raises(StedgeaiTimeout, match=r"(?s)after 2 s, .*started") as caught:
        run_tool(python(PARENT + "time.sleep(600)"), tmp_path, tmp_path / "run.log", 2)
    assert time.monotonic() - started < 15
    assert str(tmp_path / "run.log") in caught.value.remedy
    assert not lives(tmp_path / "child.pid")


def test_what_it_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    assert run_tool(python(PARENT), tmp_path, tmp_path / "run.log", 30).status == 0
    assert not lives(tmp_path / "child.pid")


def test_an_interruption_ends_it_as_well(tmp_path: Path) -> None:
    """Ctrl-C reaches this process only: the tool has a session of its own."""
    code = (
        f"from pathlib import Path; from edgeloop.codegen.stedgeai.run import run_tool; run_tool({python(PARENT + 'time.sleep(600)')!r}, "
    )
    code += f"Path({str(tmp_path)!r}), Path({str(tmp_path / 'run.log')!r}), 600)"
    process = subprocess.Popen(python(code), cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "child.pid").is_file() or not (tmp_path / "child.pid").read_text(encoding="utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert not lives(tmp_path / "child.pid")


def test_a_log_that_grows_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_LOG_BYTES", 1 << 20)
    with pytest.raises(StedgeaiFailure, match="wrote more than 1 MiB"):
        run_tool(python("while True: print('x' * 1000)"), tmp_path, tmp_path / "run.log", 60)


@pytest.mark.parametrize("command", ["/nowhere/stedgeai", "/etc/hostname"])
def test_what_is_no_program_does_not_start(tmp_path: Path, command: str) -> None:
    with pytest.raises(StedgeaiMissing, match="does not start"):
        run_tool([command], tmp_path, tmp_path / "run.log", 5)


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StedgeaiFailure, match="cannot be written"):
        run_tool(python("print()"), tmp_path, tmp_path / "no folder" / "run.log", 5)


def lives(file: Path) -> bool:
    """Whether the process whose number is in the file is alive, a moment after it was killed."""
    number = int(file.read_text(encoding="utf-8"))
    deadline = time.monotonic() + 5
    while identify(number) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    return identify(number) is not None
