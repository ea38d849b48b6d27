"""A firmware project is what edgeloop itself builds, with make, with cmake, and with either compiler; strictly."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from mutants import READY, outcome

from edgeloop.boards.signature import signature
from edgeloop.boards.virtual.elf import read_program
from edgeloop.cli import main
from edgeloop.errors import InputError
from edgeloop.firmware.board import find_board
from edgeloop.firmware.project import write_project
from edgeloop.workspace import VariantPaths, Workspace

GCC = "arm-none-eabi-gcc"
NAME = "stm32h747i-disco"
VARIANT = "sample-fdmobilenet_0.25-96"
DEADLINE_S = 300
needs_gcc = pytest.mark.skipif(shutil.which(GCC) is None, reason=f"{GCC} is not installed (Debian package gcc-arm-none-eabi)")
WAYS = [
    pytest.param([["make"]], marks=[needs_gcc, pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")]),
    pytest.param(
        [["make", "ZIG=1"]], marks=[pytest.mark.thorough, pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")]
    ),
    pytest.param(
        [["cmake", "-B", "build", "-DCMAKE_TOOLCHAIN_FILE=toolchain.cmake"], ["cmake", "--build", "build"]],
        marks=[needs_gcc, pytest.mark.thorough, pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")],
    ),
]


@pytest.mark.parametrize("commands", WAYS, ids=["make", "make-zig", "cmake"])
def test_a_project_builds_and_runs_on_its_board(tmp_path: Path, commands: list[list[str]], python_first: None) -> None:
    board = find_board(NAME)
    write_project(tiny.FOLDER, board, tmp_path / "project", tiny.SIGNATURE)
    assert "-Wconversion" in (tmp_path / "project" / "Makefile").read_text()
    empty = os.environ | {"PYTHON": ""}  # as a make that calls this one may have exported it
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path / "project", env=empty, timeout=DEADLINE_S, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in done.stderr
    said = outcome(board, tmp_path / "project" / "build" / "firmware.elf")
    assert said.banner.endswith(READY) and said.system[1] == 400_000_000, said.fault
    compiler = b"clang" if "ZIG=1" in commands[0] else b"gcc"
    assert re.search(rb"built with %b \d+\.\d+\.\d+ -O2, its project, -std=c99 " % compiler, said.banner), said.banner


@needs_gcc
def test_a_project_is_the_very_firmware_that_edgeloop_builds(tmp_path: Path, firmware: Callable[[str], Path]) -> None:
    write_project(tiny.FOLDER, find_board(NAME), tmp_path / "project", tiny.SIGNATURE)
    subprocess.run(["make"], cwd=tmp_path / "project", timeout=DEADLINE_S, capture_output=True, check=True)
    theirs, ours = (read_program(file) for file in (tmp_path / "project" / "build" / "firmware.elf", firmware(NAME)))
    sizes = [{name: symbol.size for name, symbol in program.symbols.items() if symbol.is_function} for program in (theirs, ours)]
    assert sizes[0] == sizes[1] and len(sizes[0]) > 50


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else than a firmware"):
        write_project(tiny.FOLDER, find_board(NAME), tmp_path, tiny.SIGNATURE)
    write_project(tiny.FOLDER, find_board(NAME), tmp_path / "new", tiny.SIGNATURE)
    write_project(tiny.FOLDER, find_board("nucleo-f446re"), tmp_path / "new", tiny.SIGNATURE)
    assert "NUCLEO-F446RE" in (tmp_path / "new" / "README.md").read_text()


def test_a_project_that_somebody_has_worked_on_is_not_replaced(tmp_path: Path) -> None:
    project, board = tmp_path / "project", find_board(NAME)
    write_project(tiny.FOLDER, board, project, tiny.SIGNATURE)
    (project / "build").mkdir()
    (project / "build" / "firmware.elf").write_bytes(b"built")
    write_project(tiny.FOLDER, board, project, tiny.SIGNATURE)
    (project / "flash.sh").write_text("mine")
    (project / "firmware" / "uart.c").write_text("mine")
    with pytest.raises(InputError, match=r"not as edgeloop wrote them: firmware/uart\.c, flash\.sh\."):
        write_project(tiny.FOLDER, board, project, tiny.SIGNATURE)
    assert (project / "flash.sh").read_text() == "mine"


def test_its_page_says_how_it_is_flashed_and_what_the_supply_needs(tmp_path: Path) -> None:
    pages = []
    for name in (NAME, "nucleo-f446re"):
        write_project(tiny.FOLDER, find_board(name), tmp_path / name, tiny.SIGNATURE)
        pages.append((tmp_path / name / "README.md").read_text())
    assert all("| flash | `STM32_Programmer_CLI" in page for page in pages)
    assert ["changed to the LDO" in page for page in pages] == ["second core" in page for page in pages] == [True, False]


def test_an_unknown_board_is_answered_with_the_near_one() -> None:
    with pytest.raises(InputError, match="stm32h747i-disco"):
        find_board("stm32h747-disco")


@pytest.mark.thorough
def test_the_command_writes_a_project_of_a_variant_and_of_a_file(
    workspace: Workspace, measurable: VariantPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace.root)
    workspace.lab.write_text("boards:\n  desk: {kind: nucleo-f446re}\n", encoding="utf-8")
    model = measurable.quantized / "per_channel.tflite"
    for given, out in ((VARIANT, "of variant"), (str(model), "of file")):
        if given == VARIANT:
            assert main(["firmware", given, "--board", "nucleo-f446re", "-o", out]) == 1
            assert "edgeloop generate" in capsys.readouterr().err
            assert main(["generate", VARIANT, "--backend", "portable"]) == 0
        assert main(["firmware", given, "--board", "desk", "-o", out]) == 0
        assert signature(model) in (workspace.root / out / "README.md").read_text()
        assert (workspace.root / out / "network" / "network.c").is_file()
    said = capsys.readouterr().out
    assert "never on hardware" in said and "make -C 'of file'" in said


@pytest.fixture
def python_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python3` of the Makefile is the Python that runs the tests, which has ziglang."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
