"""A function in a process of its own: what it makes arrives, and however it dies is an error."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import child_tasks
import pytest
from child_tasks import PATIENT, died
from flows_in_miniature import until

from edgeloop.child import Limits, in_child
from edgeloop.errors import DataError, ModelError


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def test_it_runs_elsewhere_leaves_files_and_tells_how_far_it_is(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    in_child(child_tasks.write, tmp_path / "made", "words", limits=PATIENT, died=died, told=told.append)
    words, _, pid = (tmp_path / "made").read_text(encoding="utf-8").split()
    assert (words, told) == ("words", ["begun", "done"])
    assert int(pid) != os.getpid()
    assert capfd.readouterr() == ("", "")


def test_its_error_is_raised_here_as_it_was_there() -> None:
    with pytest.raises(DataError) as raised:
        in_child(child_tasks.refuse, limits=PATIENT, died=died)
    assert (raised.value.what, raised.value.remedy) == ("These are no data.", "Give others.")


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (child_tasks.read_nothing, "It crashed (signal 11)."),
        (child_tasks.abort, "It crashed (signal 6): Check failed: it is odd."),
        (child_tasks.fail, "It ended with exit code 1: LookupError: nobody thought of this."),
        (child_tasks.swell, "It ended with exit code 1: MemoryError."),
    ],
)
def test_a_death_is_an_error_that_says_how(task: Callable[..., None], words: str) -> None:
    with pytest.raises(ModelError) as raised:
        in_child(task, limits=PATIENT, died=died)
    assert raised.value.what == words


def test_one_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ModelError, match=r"It was not done after 0\.5 s"):
        in_child(child_tasks.sleep, tmp_path / "pid", limits=Limits(0.5, 4 << 30), died=died)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_starter_however_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    told = tmp_path / "pid"
    program = f"from child_tasks import start_a_sleeper; start_a_sleeper({str(told)!r})"
    starter = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    until(lambda: told.is_file() and told.read_text(encoding="utf-8") != "", 30)
    child = int(told.read_text(encoding="utf-8"))
    # Ctrl-C reaches all processes of the terminal, the others one.
    os.killpg(starter.pid, number) if number == signal.SIGINT else os.kill(starter.pid, number)
    starter.wait(timeout=30)
    until(lambda: not Path(f"/proc/{child}").exists(), 30)
