"""The desk on which faults are injected into the real chain of `edgeloop benchmark`, and what must hold after every one."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
from lab_bench import PROGRAMS, Bench, bench_in
from linux_board import LinuxBoard
from miniature import CLASSES, coloured, prepare
from once import Once

from edgeloop.boards.benchmark import benchmark
from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.find import find
from edgeloop.boards.lock import occupancy
from edgeloop.boards.mcu import connect, driver
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.run import Patience
from edgeloop.boards.virtual import driver as virtual_driver
from edgeloop.boards.virtual.driver import VirtualBoard
from edgeloop.codegen.generate import Options, generate
from edgeloop.config import Benchmark, load_params
from edgeloop.errors import BoardAbsent, EdgeloopError
from edgeloop.workspace import VariantPaths, Workspace

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
Chain = Literal["mcu", "linux", "virtual"]
BOARDS: dict[Chain, str] = {"mcu": "h747", "linux": "mp2", "virtual": "virtual-h7"}
VARIANT = "sample-fdmobilenet_0.25-96"
QUICK = Benchmark(warmup_runs=1, windows=5, runs_per_window=1)
IMAGES = 2
HASTY = Patience(information_s=2.0, ready_s=2.0, upload_s=2.0, inference_s=3.0, tensor_s=2.0, retries=1)
"""For boards that stay silent; the emulated core answers within a tenth of this."""
STAMP = "EDGELOOP_FAULT_STAMP"
OLDER = "a record of an earlier run"
EVENT_S = 60.0
LAST_WORDS_S = 3.0
"""How long a process that was told to end may take."""


@dataclass(frozen=True)
class Fault:
    """One row of the matrix: what is done, and the error that must come of it before its deadline."""

    name: str
    chain: Chain
    error: type[EdgeloopError] | tuple[type[EdgeloopError], ...]
    words: str
    """A regular expression that the error's message and remedy must hold."""
    inject: Callable[["Desk"], None]
    deadline_s: float = 40.0
    """Several times what it takes: the machine may be busy."""


@dataclass
class Desk:
    """A project with a quantized variant, and the boards of its lab."""

    workspace: Workspace
    variant: VariantPaths
    bench: Bench
    linux: LinuxBoard
    firmware: Path
    """What the bench's own build command really made of this variant."""
    other_firmware: Path
    scratch: Path
    patch: pytest.MonkeyPatch
    stack: ExitStack = field(default_factory=ExitStack)
    stamp: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        self.patch.setenv(STAMP, self.stamp)
        self.patch.setattr(connect, "BoardClient", partial(BoardClient, patience=HASTY))
        self.patch.setattr(driver, "START_S", 2.0)

    def mcu(self, **entry: Any) -> None:
        """lab.yaml with the board of the bench; its firmware was built before, unless `build` says otherwise."""
        copy = {"run": ["cp", str(self.firmware), "{elf}"]}
        self.bench.write_lab(self.workspace, **{"build": [copy], **entry})

    def run(self, chain: Chain) -> Any:
        """The benchmark as the command line begins it."""
        params = load_params(self.workspace).model_copy(update={"benchmark": QUICK})
        return benchmark(self.workspace, params, VARIANT, BOARDS[chain], None if chain == "linux" else IMAGES)

    def record(self, chain: Chain) -> Path:
        return self.variant.benchmark_record(BOARDS[chain])

    def soon(self, is_time: Callable[[], bool], action: Callable[[], object]) -> None:
        """Do something, in a thread, as soon as it is time."""

        def wait() -> None:
            end = time.monotonic() + EVENT_S
            while not is_time() and time.monotonic() < end:
                time.sleep(0.01)
            action()

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        self.stack.callback(thread.join, EVENT_S)

    def virtual(self, *faults: str) -> None:
        """Virtual boards with these faults."""
        self.patch.setattr(virtual_driver, "VirtualBoard", partial(VirtualBoard, faults=faults, patience=HASTY))

    def is_free(self, chain: Chain) -> bool:
        """Whether nobody holds the chain's board; what was injected no longer counts."""
        self.stack.close()
        try:
            return not occupancy(find(load_lab(self.workspace).board(BOARDS[chain]), self.workspace.root).key).held
        except BoardAbsent:
            return True

    def left(self) -> list[str]:
        """Processes that were started since, other than the bench's own core, and have not ended."""
        end = time.monotonic() + LAST_WORDS_S
        while (found := self._stamped()) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def _stamped(self) -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                environment, command = (entry / "environ").read_bytes(), (entry / "cmdline").read_bytes().decode()
            except OSError:
                continue
            if f"{STAMP}={self.stamp}".encode() in environment and str(self.bench.folder) not in command:
                found.append(command.replace("\0", " ")[:200])
        return found


def python(text: str, *arguments: str, **settings: Any) -> dict[str, Any]:
    """A command of lab.yaml that is this Python program."""
    return {"run": [sys.executable, "-c", text.replace("{", "{{").replace("}", "}}"), *arguments], **settings}


def reset(bench: Bench) -> None:
    """The bench as it was, with nothing on its board."""
    bench.faults, bench.runs_elf, bench.mute_until_switched, bench.switched = [], None, False, 0
    bench.flashed.clear()
    bench.erase()
    end = time.monotonic() + EVENT_S
    while bench.state == "unplugged":
        try:
            bench.plug()
        except OSError:
            # Whoever waited at the port has not noticed yet.
            assert time.monotonic() < end
            time.sleep(0.05)


def prepared_variant(workspace: Workspace, pristine: Path) -> VariantPaths:
    """A project whose files are those of `pristine`."""
    shutil.copytree(pristine, workspace.root, dirs_exist_ok=True)
    return workspace.variant("sample", "fdmobilenet_0.25", 96)


@pytest.fixture(scope="module")
def pristine(once: Once, miniatures: Path) -> Path:
    """A project with a prepared data set, a quantized variant and its generated code."""
    return once("pristine", lambda folder: quantized_and_generated(Workspace(folder), miniatures))


def quantized_and_generated(workspace: Workspace, miniatures: Path) -> None:
    workspace.root.mkdir()
    (workspace.root / "params.yaml").write_bytes(PARAMS.read_bytes())
    prepare(workspace, "sample", [(label, "test", coloured(label, number)) for label in CLASSES for number in range(2)])
    paths = workspace.variant("sample", "fdmobilenet_0.25", 96)
    paths.quantized.mkdir(parents=True)
    for name in ("float.tflite", "per_channel.tflite", "per_tensor.tflite", "blind.tflite", "preprocessing.json"):
        (paths.quantized / name).write_bytes((miniatures / name).read_bytes())
    generate(workspace, load_params(workspace), VARIANT, Options(target="stm32h7", backend="portable"))


@pytest.fixture(scope="module")
def built(pristine: Path, once: Once) -> Path:
    """The firmware that the bench's build command makes of the variant's code."""
    generated = Workspace(pristine).variant("sample", "fdmobilenet_0.25", 96).generated
    command = [sys.executable, str(PROGRAMS / "build_firmware_project.py"), str(generated)]
    return once("pristine.elf", lambda elf: subprocess.run([*command, str(elf), "stm32h747"], check=True, timeout=300))


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_in(tmp_path_factory.mktemp("bench")) as desk:
        yield desk


@pytest.fixture
def desk(
    tmp_path: Path,
    pristine: Path,
    built: Path,
    firmware: Callable[[str], Path],
    shared_bench: Bench,
    linux_server: LinuxBoard,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    reset(shared_bench)
    workspace, scratch = Workspace(tmp_path / "project"), tmp_path / "scratch"
    scratch.mkdir()
    variant = prepared_variant(workspace, pristine)
    with ExitStack() as stack:
        yield Desk(workspace, variant, shared_bench, linux_server, built, firmware("stm32h747"), scratch, monkeypatch, stack)
