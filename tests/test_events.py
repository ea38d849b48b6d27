"""What a command tells whoever started it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeloop import events
from edgeloop.console import notice, program
from edgeloop.errors import BoardSilent
from edgeloop.events import Event, Failure, Notice, Progress, Result, event_of, line_of, tell
from edgeloop.progress import progress

ALL: list[Event] = [Progress("train", 1.5, 40, "train: 1.5/40"), Notice("a\nb"), Result("s3://x"), Failure("what", "do", may_pass=True)]


@pytest.mark.parametrize("event", ALL)
def test_an_event_is_one_line_and_comes_back(event: Event) -> None:
    assert line_of(event).count(b"\n") == 1
    assert event_of(line_of(event)) == event


@pytest.mark.parametrize(
    "line", [b"", b"{", b"3", b"{}", b'{"kind": "song"}', b'{"kind": "notice"}', b'{"kind": "notice", "texts": 1}', b"\xff"]
)
def test_what_is_no_event_is_none(line: bytes) -> None:
    assert event_of(line) is None


def test_without_a_listener_words_are_written(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(events.VARIABLE, raising=False)
    assert not tell(Notice("x"))
    notice("waiting")
    assert capsys.readouterr().err == "waiting\n"


@pytest.mark.parametrize("path", ["/proc/0/fd/9", "/no/such/pipe"])
def test_a_listener_that_is_gone_disturbs_nobody(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(events.VARIABLE, path)
    assert not tell(Notice("x"))


def told(pipe: int) -> list[Event | None]:
    return [event_of(line) for line in os.read(pipe, 1 << 16).splitlines()]


def test_where_somebody_listens_progress_and_errors_are_events(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with events.pipe() as (pipe, variable):
        monkeypatch.setenv(*next(iter(variable.items())))
        with progress("evaluate", 2, "images") as advance:
            advance(2)
        assert capsys.readouterr().err == ""

        def fails() -> None:
            raise BoardSilent("No answer.", "Reset it.")

        assert program(fails) == 75
        first, last = told(pipe)
        assert isinstance(first, Progress) and (first.what, first.done, first.total) == ("evaluate", 2, 2)
        assert first.text.startswith("evaluate: 2/2 images")
        assert last == Failure("No answer.", "Reset it.", may_pass=True)
    assert "edgeloop: No answer." in capsys.readouterr().err, "for the log, too"


def test_a_command_below_finds_the_pipe_by_its_name_alone(tmp_path: Path) -> None:
    """As DVC starts them: a shell, with all other descriptors closed."""
    code = "from edgeloop.events import *; tell(Result('made'))"
    with events.pipe() as (pipe, variable):
        command = ["sh", "-c", '"$0" -c "$1"', sys.executable, code]
        subprocess.run(command, env={**os.environ, **variable}, check=True, close_fds=True, timeout=60, cwd=tmp_path)
        assert told(pipe) == [Result("made")]
