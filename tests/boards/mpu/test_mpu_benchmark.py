"""The benchmark on a Linux board: what its record says, and that a board that fails gives no record."""

import json
import shutil
import sys
from collections.abc import Iterator
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from linux_board import SSHD, LinuxBoard, linux_board
from miniature import CLASSES, coloured, prepare
from stand_ins import STAI_MPU, X_LINUX_AI_BENCHMARK, python_with, runtime, script

from edgeloop.boards.benchmark import benchmark
from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.state import states
from edgeloop.boards.lockfiles import VARIABLE
from edgeloop.boards.mpu.benchmark import MpuModelReport, benchmark_model_on_mpu, benchmark_mpu
from edgeloop.cli import main
from edgeloop.config import Benchmark, Params, load_params
from edgeloop.errors import BoardError, InputError, ModelError
from edgeloop.files import sha256_file
from edgeloop.records import MpuBenchmarkRecord
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
QUICK = Benchmark(warmup_runs=2, windows=5, runs_per_window=4)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LinuxBoard]:
    with linux_board(tmp_path_factory.mktemp("board"), "openssh" if SSHD else "asyncssh") as running:
        yield running


@pytest.fixture
def linux(server: LinuxBoard) -> Iterator[LinuxBoard]:
    """The board; at the end of every test nothing may be left on it."""
    yield server
    assert server.is_clean()


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace).model_copy(update={"benchmark": QUICK})


@pytest.fixture
def variant(workspace: Workspace, miniatures: Path) -> VariantPaths:
    prepare(workspace, "sample", [(label, "test", coloured(label, number)) for label in CLASSES for number in range(3)])
    paths = workspace.variant("sample", "fdmobilenet_0.25", 96)
    shutil.copytree(miniatures, paths.quantized)
    return paths


def test_the_record_says_what_ran_where_and_how(workspace: Workspace, params: Params, variant: VariantPaths, linux: LinuxBoard) -> None:
    record = benchmark_mpu(workspace, params, VARIANT, linux.settings())
    assert MpuBenchmarkRecord.read(variant.benchmark_record("loopback")) == record
    assert (record.kind, record.origin, record.board, record.board_kind) == (
        "benchmark-mpu",
        "measured on hardware",
        "loopback",
        "any-linux",
    )
    assert record.target == "linux"
    assert record.machine.kernel.startswith("Linux ")
    assert [entry.format for entry in record.models] == ["float", "int8 per-channel", "int8 per-tensor"]
    for entry, name in zip(record.models, ("float", "per_channel", "per_tensor"), strict=True):
        assert entry.sha256 == sha256_file(variant.quantized / f"{name}.tflite")
        assert entry.runtime.startswith("ai_edge_litert ")
        assert (entry.engine, entry.threads) == ("CPU", 1)
        assert (entry.latency.runs, entry.latency.warmup_runs) == (20, 2)
        assert 0 < entry.latency.min_ms <= entry.latency.median_ms <= entry.latency.max_ms
        assert entry.latency.clock == "time.perf_counter_ns on the board"
        assert (entry.compared.images, entry.compared.equal_outputs, entry.compared.max_difference) == (9, 9, 0.0)
        assert entry.accuracy is not None
        assert (entry.accuracy.value, entry.accuracy.n) == (1.0, 9)
        assert entry.shares is None
        assert entry.no_shares == "x-linux-ai-benchmark is not on the board"


def test_a_board_with_sts_software_gives_its_engine_and_shares(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    python = python_with(tmp_path, {"stai_mpu": STAI_MPU})
    script(tmp_path / "tools" / "x-linux-ai-benchmark", X_LINUX_AI_BENCHMARK)
    report = benchmark_model_on_mpu(miniatures / "per_tensor.tflite", linux.settings(python=python), QUICK)
    assert report.measured.engine == "OpenVX on the NPU"
    assert report.measured.shares is not None
    assert report.measured.shares.npu_percent == 92.98
    assert "random" in report.pixels
    assert report.measured.accuracy is None
    assert report.target == "linux"


def test_a_runtime_that_computes_wrongly_is_seen(linux: LinuxBoard, miniatures: Path, tmp_path: Path) -> None:
    wrong = python_with(tmp_path, runtime(answer="numpy.roll(values, 1) + numpy.float32(0.125)"))
    compared = benchmark_model_on_mpu(miniatures / "per_channel.tflite", linux.settings(python=wrong), QUICK).measured.compared
    assert compared.equal_outputs == 0
    assert compared.same_class < compared.images
    assert compared.max_difference >= 0.125


@pytest.mark.parametrize("invoke", ["os.abort()", "raise RuntimeError('no')", "os.kill(os.getppid(), 9)"])
def test_a_board_that_fails_gives_no_record(
    workspace: Workspace, params: Params, variant: VariantPaths, linux: LinuxBoard, tmp_path: Path, invoke: str
) -> None:
    later = f"self.n = getattr(self, 'n', 0) + 1\n        if self.n > 15: {invoke}"
    python = python_with(tmp_path, runtime(invoke=later))
    with pytest.raises(BoardError):
        benchmark_mpu(workspace, params, VARIANT, linux.settings(python=python))
    assert not variant.benchmark_record("loopback").exists()


@pytest.fixture
def lab(workspace: Workspace, linux: LinuxBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A project whose lab.yaml names the board mp2, with locks of its own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "locks"))
    monkeypatch.chdir(workspace.root)
    found = {"host": "127.0.0.1", "port": linux.port, "user": getuser(), "key": str(linux.folder / "key")}
    ssh = {**found, "known_hosts": str(linux.folder / "known_hosts")}
    entry = {"kind": "any-linux", "find": {"ssh": ssh}, "linux": {"python": sys.executable, "folder": str(linux.disk)}}
    workspace.lab.write_text(json.dumps({"boards": {"mp2": entry}}), encoding="utf-8")
    return workspace


def test_a_board_of_the_lab_is_held_while_it_is_measured(
    lab: Workspace, params: Params, variant: VariantPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def look(*given: Any) -> MpuBenchmarkRecord:
        (board,) = states(load_lab(lab), lab.root)
        seen.append(f"{board.state} by {board.holder.run if board.holder else 'nobody'}")
        return benchmark_mpu(*given)

    monkeypatch.setattr("edgeloop.boards.benchmark.benchmark_mpu", look)
    record = benchmark(lab, params, VARIANT, "mp2")
    assert isinstance(record, MpuBenchmarkRecord)
    assert MpuBenchmarkRecord.read(variant.benchmark_record("mp2")) == record
    assert seen == [f"held by edgeloop benchmark {VARIANT}"]
    assert [board.state for board in states(load_lab(lab), lab.root)] == ["free"]
    with pytest.raises(InputError, match=r"no board 'mp1' \(did you mean 'mp2'\?\)"):
        benchmark(lab, params, VARIANT, "mp1")
    with pytest.raises(InputError, match="has no name"):
        benchmark(lab, params, VARIANT, "ssh://root@192.168.7.1")


def test_the_command_line_measures_a_model_on_a_board(
    lab: Workspace, linux: LinuxBoard, miniatures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["benchmark", str(miniatures / "per_channel.tflite"), "--board"]
    assert main([*command, "mp2", "--json", str(tmp_path / "out.json")]) == 0
    printed = capsys.readouterr().out
    assert "mp2, an ordinary Linux machine, no STM32: " in printed
    assert "outputs equal to the host's: 64 of 64" in printed
    assert MpuModelReport.model_validate_json((tmp_path / "out.json").read_text(encoding="utf-8")).board == "mp2"
    assert main([*command, f"ssh://{getuser()}@127.0.0.1:{linux.port}"]) == 1
    assert "is not in" in capsys.readouterr().err
    assert main([*command, "ssh://root:secret@127.0.0.1"]) == 1
    assert "holds no password" in capsys.readouterr().err


def test_a_damaged_model_does_not_travel(linux: LinuxBoard, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(ModelError):
        benchmark_model_on_mpu(tmp_path / "model.tflite", linux.settings(), QUICK)
    with pytest.raises(InputError):
        benchmark_model_on_mpu(tmp_path / "absent.tflite", linux.settings(), QUICK)
