"""The benchmark on a microcontroller board: the whole chain over the bench in miniature, what its record says, what is refused."""

import sys
from pathlib import Path

import pytest
from lab_bench import LOADED, Bench

from edgeloop.boards.benchmark import benchmark, benchmark_model
from edgeloop.boards.lock import occupancy
from edgeloop.cli import main
from edgeloop.config import Benchmark, Params, load_params
from edgeloop.errors import BoardAbsent, BoardError, BoardSilent, FlashError, InputError, ModelError, ProtocolError
from edgeloop.files import sha256_file
from edgeloop.records import McuBenchmarkRecord
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
QUICK = Benchmark(warmup_runs=2, windows=5, runs_per_window=4)
IMAGES = 6


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace).model_copy(update={"benchmark": QUICK})


def measure(workspace: Workspace, params: Params) -> McuBenchmarkRecord:
    record = benchmark(workspace, params, VARIANT, "h747", images=IMAGES)
    assert isinstance(record, McuBenchmarkRecord)
    return record


def test_generated_built_flashed_verified_measured_and_recorded(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench
) -> None:
    bench.write_lab(workspace)
    record = measure(workspace, params)
    assert McuBenchmarkRecord.read(measurable.benchmark_record("h747")) == record
    assert (record.kind, record.origin, record.dataset, record.resolution) == ("benchmark-mcu", "measured on hardware", "sample", 96)
    model, board, firmware = measurable.quantized / "per_channel.tflite", record.board, record.firmware
    assert record.model_sha256 == sha256_file(model)
    assert (board.name, board.kind, board.device_id, board.clock_hz, board.protocol) == (
        "h747",
        "stm32h747i-disco",
        0x450,
        400_000_000,
        "3.1",
    )
    assert (board.address, board.serial) == (bench.address, None)
    assert firmware.signature == f"0x{record.model_sha256[:16]}" and firmware.signature_checked
    assert firmware.runtime.startswith("TEST STAND-IN")
    assert bench.flashed == [str(workspace.board("h747") / "firmware.elf")]
    assert firmware.sha256 == sha256_file(Path(bench.flashed[0]))
    assert firmware.flash[0][-1] == bench.flashed[0] and firmware.build[0][2] == str(workspace.board("h747") / "generated")
    latency = record.latency
    assert (latency.runs, len(latency.window_medians_ms), latency.warmup_runs) == (20, 5, 2)
    assert latency.min_ms <= latency.median_ms <= latency.max_ms
    assert latency.median_ms == pytest.approx(1e3 * record.cycles[0] / board.clock_hz, rel=1e-5)
    assert "400 MHz" in latency.clock
    assert (latency.stable, record.unstable) == (True, [])
    assert (record.compared.images, record.compared.equal_outputs, record.compared.max_difference) == (IMAGES, IMAGES, 0.0)
    assert record.accuracy is not None and (record.accuracy.value, record.accuracy.n) == (1.0, IMAGES)
    assert record.accuracy.ci95[0] < 1
    assert (record.stack_bytes, record.heap_bytes) == (None, None)
    assert (record.protocol_errors, record.retries, record.power_cycles) == (0, 0, 0)
    assert record.code.target == "stm32h7" and record.code.backend == "portable" and record.code.macs == 269_580
    assert record.provenance.data_revision is not None


def test_a_device_that_says_that_it_is_virtual_gets_no_measurement(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench
) -> None:
    program = "import sys; from pathlib import Path; from edgeloop.boards.virtual import build, parts; "
    program += "build.build_firmware(Path(sys.argv[1]), parts.find_part('stm32h747'), Path(sys.argv[2]))"
    bench.write_lab(workspace, build=[{"run": [sys.executable, "-c", program, "{generated}", "{elf}"]}])
    with pytest.raises(BoardError, match="says that it is virtual") as refused:
        measure(workspace, params)
    assert "--board virtual-h7" in refused.value.remedy
    assert_no_number(measurable, bench)


def assert_no_number(variant: VariantPaths, bench: Bench) -> None:
    """And the board is free."""
    assert not variant.benchmark_record("h747").exists()
    assert not occupancy(f"net localhost:{bench.port}").held


def test_the_command_prints_what_was_measured(
    workspace: Workspace, measurable: VariantPaths, bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.write_lab(workspace)
    monkeypatch.chdir(workspace.root)
    assert main(["benchmark", VARIANT, "--board", "h747", "--images", "3"]) == 0
    assert main(["boards", "identify", "h747"]) == 0
    out, err = capsys.readouterr()
    assert "h747 (STM32H747I-DISCO, 400 MHz): median " in out
    assert "outputs equal to the host's: 3 of 3, same class: 3, by 0 at most; accuracy on the board 100.0% of 3" in out
    assert "code by portable" in out
    assert "benchmark on h747: 3/3 images" in err
    assert "TEST STAND-IN" in out
