"""What commands write: no traceback where the reader goes away, nothing that steers a terminal."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from matrix import first_is_short

from edgeloop.console import MAY_PASS, READER_GONE, in_one_line, printable, program
from edgeloop.errors import BoardBusy, InputError
from edgeloop.progress import progress
from edgeloop.workspace import Workspace

THAT_PRINT = (["boards"], ["store", "status"], ["status"], ["doctor", "--all"], ["--help"])


def without_a_reader(argv: list[str], folder: Path, *, both: bool = False, unbuffered: str = "") -> tuple[int, str]:
    """The exit code of a command whose output nobody reads any more, and what it says on stderr where somebody does."""
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-m", "edgeloop", *argv]
        errors = write if both else subprocess.PIPE
        env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        quiet = subprocess.DEVNULL
        done = subprocess.run(command, cwd=folder, env=env, stdout=write, stderr=errors, stdin=quiet, timeout=60, check=False)
        return done.returncode, (done.stderr or b"").decode()
    finally:
        os.close(write)


@pytest.mark.parametrize("argv", first_is_short(THAT_PRINT), ids=" ".join)
def test_a_command_whose_reader_went_away_ends_as_other_programs_do(workspace: Workspace, argv: list[str]) -> None:
    assert without_a_reader(argv, workspace.root) == (READER_GONE, "")


def test_it_does_so_where_each_line_is_written_at_once(workspace: Workspace) -> None:
    assert without_a_reader(["boards", "--probes"], workspace.root, unbuffered="1") == (READER_GONE, "")


def test_inspect_ends_so_too(miniatures: Path) -> None:
    assert without_a_reader(["inspect", "float.tflite"], miniatures) == (READER_GONE, "")


def test_an_error_that_nobody_reads_keeps_its_exit_code(workspace: Workspace) -> None:
    assert without_a_reader(["train", "nothing"], workspace.root, both=True) == (1, "")
    assert without_a_reader(["train"], workspace.root, both=True)[0] == READER_GONE


def test_a_real_pipe_that_is_cut_leaves_no_word(workspace: Workspace) -> None:
    command = f"'{sys.executable}' -m edgeloop boards | head -c 1; echo \" ${{PIPESTATUS[0]}}\""
    done = subprocess.run(["bash", "-c", command], cwd=workspace.root, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert done.stdout.split()[-1] in ("0", str(READER_GONE))  # as much as a pipe holds may be written before


def test_a_full_disk_at_the_end_is_explained(workspace: Workspace) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "edgeloop", "boards"]
        done = subprocess.run(command, cwd=workspace.root, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no room" in done.stderr
    assert "Traceback" not in done.stderr


def test_work_goes_on_where_nobody_reads_how_far_it_is() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream, progress("work", 3, "steps", stream) as advance:
        advance()


def test_another_broken_pipe_is_not_taken_for_ours() -> None:
    def body() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        program(body)


@pytest.mark.parametrize(("error", "code"), [(InputError("it"), 1), (BoardBusy("it"), MAY_PASS), (KeyboardInterrupt(), 130)])
def test_each_end_has_its_exit_code(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        raise error

    assert program(body) == code
    assert re.fullmatch(r"edgeloop: (it|interrupted)\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\rb\x08\x07", r"a\rb\x08\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("caf\udce9", r"caf\udce9"),
        ("abc\u202etxt.exe", r"abc\u202etxt.exe"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("Ärger 花 🌼 a\u00a0b\tc\nd", "Ärger 花 🌼 a\u00a0b\tc\nd"),
    ],
)
def test_what_steers_a_terminal_is_shown_instead_of_obeyed(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_of_several_lines_is_shown_in_one() -> None:
    assert in_one_line("ok\nsigned\r\n\tby\u2028all\x85\x0b\x1b Ärger 花") == r"ok\nsigned\r\n\tby\u2028all\x85\x0b\x1b Ärger 花"


def test_an_error_about_a_file_of_an_odd_name_can_be_shown(tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \x1b[31m.tflite")
    command = [sys.executable, "-m", "edgeloop", "inspect", odd]
    env = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert done.returncode == 1
    assert r"caf\udce9 \x1b[31m.tflite" in done.stderr
