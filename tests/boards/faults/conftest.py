"""The desk of the fault tests: a prepared project, a bench with a microcontroller board, a Linux board; made once a module."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fault_desk import VARIANT, Desk, prepared_variant, reset
from lab_bench import PROGRAMS, Bench, bench_in
from linux_board import SSHD, LinuxBoard, linux_board
from miniature import CLASSES, coloured, prepare

from edgeloop.codegen.generate import Options, generate
from edgeloop.config import load_params
from edgeloop.workspace import Workspace

PARAMS = Path(__file__).resolve().parents[3] / "params.yaml"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, miniatures: Path) -> Path:
    """A project with a prepared data set, a quantized variant and its generated code."""
    workspace = Workspace(tmp_path_factory.mktemp("pristine"))
    (workspace.root / "params.yaml").write_bytes(PARAMS.read_bytes())
    prepare(workspace, "sample", [(label, "test", coloured(label, number)) for label in CLASSES for number in range(2)])
    paths = workspace.variant("sample", "fdmobilenet_0.25", 96)
    paths.quantized.mkdir(parents=True)
    for name in ("float.tflite", "per_channel.tflite", "per_tensor.tflite", "blind.tflite", "preprocessing.json"):
        (paths.quantized / name).write_bytes((miniatures / name).read_bytes())
    generate(workspace, load_params(workspace), VARIANT, Options(target="stm32h7", backend="portable"))
    return workspace.root


@pytest.fixture(scope="module")
def built(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware that the bench's build command makes of the variant's code."""
    elf = tmp_path_factory.mktemp("built") / "firmware.elf"
    generated = Workspace(pristine).variant("sample", "fdmobilenet_0.25", 96).generated
    command = [sys.executable, str(PROGRAMS / "build_firmware_project.py"), str(generated), str(elf), "stm32h747"]
    subprocess.run(command, check=True, timeout=300)
    return elf


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_in(tmp_path_factory.mktemp("bench")) as desk:
        yield desk


@pytest.fixture(scope="module")
def shared_linux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxBoard]:
    with linux_board(tmp_path_factory.mktemp("board"), "openssh" if SSHD else "asyncssh") as running:
        yield running


@pytest.fixture
def desk(
    tmp_path: Path,
    pristine: Path,
    built: Path,
    firmware: Callable[[str], Path],
    shared_bench: Bench,
    shared_linux: LinuxBoard,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    reset(shared_bench)
    workspace, scratch = Workspace(tmp_path / "project"), tmp_path / "scratch"
    scratch.mkdir()
    variant = prepared_variant(workspace, pristine)
    with ExitStack() as stack:
        yield Desk(workspace, variant, shared_bench, shared_linux, built, firmware("stm32h747"), scratch, monkeypatch, stack)
