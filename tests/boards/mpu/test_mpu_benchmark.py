"""The benchmark on a Linux board: what its record says, and that a board that fails gives no record."""

import datetime as dt
from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from linux_board import LinuxBoard
from stand_ins import STAI_MPU, X_LINUX_AI_BENCHMARK, python_with, runtime, script

from edgeloop.boards.benchmark import benchmark, benchmark_model
from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.state import states
from edgeloop.boards.mpu.driver import MpuBoard
from edgeloop.cli import main
from edgeloop.config import Benchmark, Params, load_params
from edgeloop.errors import BoardError, InputError, ModelError
from edgeloop.files import sha256_file
from edgeloop.records import BenchmarkRecord, CodegenBackend, CodegenRecord, MeasuredBenchmark, Measurement, provenance, read_benchmark
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
QUICK = Benchmark(warmup_runs=2, windows=5, runs_per_window=4)


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace).model_copy(update={"benchmark": QUICK})


@pytest.fixture
def lab(workspace: Workspace, linux: LinuxBoard, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Workspace]:
    """Makes the board mp2 of lab.yaml; `changes` are of its entry."""
    monkeypatch.chdir(workspace.root)

    def write(**changes: Any) -> Workspace:
        workspace.lab.write_text(f'{{"boards": {{"mp2": {linux.entry(**changes).model_dump_json(exclude_defaults=True)}}}}}')
        return workspace

    return write


def measured(record: BenchmarkRecord) -> list[Measurement]:
    assert isinstance(record, MeasuredBenchmark)
    return record.models


def test_the_record_says_what_ran_where_and_how(lab: Callable[..., Workspace], params: Params, measurable: VariantPaths) -> None:
    record = benchmark(lab(), params, VARIANT, "mp2")
    assert isinstance(record, MeasuredBenchmark) and record.machine is not None
    assert read_benchmark(measurable.benchmark_record("mp2")) == record
    assert (record.board, record.board_kind, record.target) == ("mp2", "any-linux", None)
    assert record.machine.kernel.startswith("Linux ")
    assert [entry.format for entry in record.models] == ["float", "int8 per-channel", "int8 per-tensor"]
    for entry, name in zip(record.models, ("float", "per_channel", "per_tensor"), strict=True):
        assert entry.model_sha256 == entry.file_sha256 == sha256_file(measurable.quantized / f"{name}.tflite")
        assert entry.runtime.startswith("ai_edge_litert ")
        assert (entry.engine, entry.threads) == ("CPU", 1)
        assert (entry.latency.runs, entry.latency.warmup_runs) == (20, 2)
        assert 0 < entry.latency.min_ms <= entry.latency.median_ms <= entry.latency.max_ms
        assert entry.latency.clock == "time.perf_counter_ns on the board"
        # The reference kernels round otherwise than those that the board takes.
        assert (entry.compared.images, entry.compared.same_class, entry.compared.agrees) == (6, 6, True)
        assert entry.compared.max_difference < 0.05
        assert entry.accuracy is not None
        assert (entry.accuracy.value, entry.accuracy.n) == (1.0, 6)
        assert (entry.shares, entry.no_shares) == (None, "x-linux-ai-benchmark is not on the board")


def test_a_board_with_sts_software_gives_its_engine_and_shares(lab: Callable[..., Workspace], miniatures: Path, tmp_path: Path) -> None:
    lab(python=python_with(tmp_path, {"stai_mpu": STAI_MPU}))
    script(tmp_path / "tools" / "x-linux-ai-benchmark", X_LINUX_AI_BENCHMARK)
    record = benchmark_model(miniatures / "per_tensor.tflite", "mp2", QUICK)
    (entry,) = measured(record)
    assert entry.engine == "OpenVX on the NPU"
    assert entry.shares is not None
    assert entry.shares.npu_percent == 92.98
    assert "NPU 92.98 %" in record.in_words()
    assert "random" in record.pixels
    assert entry.accuracy is None


def test_the_npu_binary_is_measured_beside_the_model_that_it_was_made_of(
    lab: Callable[..., Workspace], params: Params, measurable: VariantPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeloop.boards.mpu.driver.has_npu", lambda *_: True)
    model = (measurable.quantized / "per_tensor.tflite").read_bytes()
    measurable.generated.mkdir(parents=True)
    (measurable.generated / "network.nb").write_bytes(b"VPMN" + model)
    write_codegen(measurable, sha256_file(measurable.quantized / "per_tensor.tflite"))
    workspace = lab(python=python_with(tmp_path, {"stai_mpu": STAI_MPU}))
    *files, binary = measured(benchmark(workspace, params, VARIANT, "mp2"))
    assert (binary.format, binary.file, binary.engine) == ("int8 per-tensor", "nb", "OpenVX on the NPU")
    assert binary.file_sha256 == sha256_file(measurable.generated / "network.nb")
    assert binary.model_sha256 == files[-1].model_sha256
    assert binary.compared.same_class == 6
    write_codegen(measurable, "0" * 64)
    with pytest.raises(InputError, match="generated from another model"):
        benchmark(workspace, params, VARIANT, "mp2")
    assert not measurable.benchmark_record("mp2").exists()


def write_codegen(measurable: VariantPaths, model_sha256: str) -> None:
    """The record of an NPU binary that was made of that model."""
    known = {"backend": CodegenBackend(name="stedgeai", version="4.0"), "target": "stm32mp2", "name": "network", "note": ""}
    made = provenance(measurable.folder, {}, [], dt.datetime.now(dt.UTC))
    empty: dict[str, Any] = {name: None for name, field in CodegenRecord.model_fields.items() if field.is_required()}
    CodegenRecord.model_validate({**empty, **known, "model_sha256": model_sha256, "provenance": made}).write(measurable.generate_record)


def test_a_runtime_that_computes_wrongly_is_seen(lab: Callable[..., Workspace], miniatures: Path, tmp_path: Path) -> None:
    lab(python=python_with(tmp_path, runtime(answer="numpy.roll(values, 1) + numpy.float32(0.125)")))
    record = benchmark_model(miniatures / "per_channel.tflite", "mp2", QUICK)
    (compared,) = [entry.compared for entry in measured(record)]
    assert compared.equal_outputs == 0
    assert not compared.agrees
    assert compared.same_class < compared.images
    assert compared.max_difference >= 0.125
    assert "the time is not one of this model" in record.in_words()


@pytest.mark.parametrize("invoke", ["os.abort()", "raise RuntimeError('no')", "os.kill(os.getppid(), 9)"])
def test_a_board_that_fails_gives_no_record(
    lab: Callable[..., Workspace], params: Params, measurable: VariantPaths, tmp_path: Path, invoke: str
) -> None:
    later = f"self.n = getattr(self, 'n', 0) + 1\n        if self.n > 10: {invoke}"
    workspace = lab(python=python_with(tmp_path, runtime(invoke=later)))
    with pytest.raises(BoardError):
        benchmark(workspace, params, VARIANT, "mp2")
    assert not measurable.benchmark_record("mp2").exists()


def test_a_board_of_the_lab_is_held_while_it_is_measured(
    lab: Callable[..., Workspace], params: Params, measurable: VariantPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, workspace, load = [], lab(), MpuBoard.load

    def look(*given: Any) -> None:
        (board,) = states(load_lab(workspace), workspace.root)
        seen.append(f"{board.state} by {board.holder.run if board.holder else 'nobody'}")
        load(*given)

    monkeypatch.setattr(MpuBoard, "load", look)
    record = benchmark(workspace, params, VARIANT, "mp2")
    assert read_benchmark(measurable.benchmark_record("mp2")) == record
    assert set(seen) == {f"held by edgeloop benchmark {VARIANT}"}
    assert [board.state for board in states(load_lab(workspace), workspace.root)] == ["free"]
    with pytest.raises(InputError, match=r"no board 'mp1' in lab.yaml \(did you mean 'mp2'\?\)"):
        benchmark(workspace, params, VARIANT, "mp1")
    with pytest.raises(InputError, match="has no name"):
        benchmark(workspace, params, VARIANT, "ssh://root@192.168.7.1")


def test_the_command_line_measures_a_model_on_a_board(
    lab: Callable[..., Workspace], linux: LinuxBoard, miniatures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab()
    command = ["benchmark", str(miniatures / "per_channel.tflite"), "--board"]
    assert main([*command, "mp2", "--json", str(tmp_path / "out.json")]) == 0
    printed = capsys.readouterr().out
    assert "mp2 (an ordinary Linux machine, no STM32: " in printed
    assert "of 64, same class: 64" in printed
    assert read_benchmark(tmp_path / "out.json").board == "mp2"
    assert main([*command, f"ssh://{getuser()}@127.0.0.1:{linux.port}"]) == 1
    assert "is not in" in capsys.readouterr().err
    assert main([*command, "ssh://root:secret@127.0.0.1"]) == 1
    assert "holds no password" in capsys.readouterr().err


def test_a_damaged_model_does_not_travel(lab: Callable[..., Workspace], tmp_path: Path) -> None:
    lab()
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(ModelError):
        benchmark_model(tmp_path / "model.tflite", "mp2", QUICK)
    with pytest.raises(InputError):
        benchmark_model(tmp_path / "absent.tflite", "mp2", QUICK)
