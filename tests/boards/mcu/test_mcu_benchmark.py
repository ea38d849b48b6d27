"""The benchmark on a microcontroller board: the whole chain over the bench in miniature, what its record says, what is refused."""

import os
from pathlib import Path

import pytest
from flash_tools import DESK, H7, SERIAL, Desk
from lab_bench import Bench

from edgeloop.boards.benchmark import benchmark, benchmark_model
from edgeloop.boards.lab import tools
from edgeloop.boards.lab.add import Wanted, add_boards
from edgeloop.boards.lab.config import load_lab
from edgeloop.boards.lab.usb import Port, UsbDevice
from edgeloop.boards.latency import summarise
from edgeloop.boards.lock import occupancy
from edgeloop.boards.mcu import driver
from edgeloop.cli import main
from edgeloop.config import Benchmark, Params, load_params
from edgeloop.errors import BoardAbsent, BoardError, BoardSilent, ConfigError
from edgeloop.files import sha256_file
from edgeloop.records import McuLine, MeasuredBenchmark, Measurement, read_benchmark
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
QUICK = Benchmark(warmup_runs=2, windows=5, runs_per_window=4)
IMAGES = 6


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace).model_copy(update={"benchmark": QUICK})


def measure(workspace: Workspace, params: Params) -> Measurement:
    record = benchmark(workspace, params, VARIANT, "h747", images=IMAGES)
    assert isinstance(record, MeasuredBenchmark)
    return record.models[0]


def test_generated_built_flashed_verified_measured_and_recorded(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench
) -> None:
    bench.write_lab(workspace)
    measured = benchmark(workspace, params, VARIANT, "h747", images=IMAGES)
    assert isinstance(measured, MeasuredBenchmark) and measured.microcontroller is not None
    assert read_benchmark(measurable.benchmark_record("h747")) == measured
    assert (measured.target, measured.dataset, measured.resolution, measured.board_kind) == ("MCU", "sample", 96, "stm32h747i-disco")
    (record,), board = measured.models, measured.microcontroller
    model, firmware = measurable.quantized / "per_channel.tflite", record.firmware
    assert firmware is not None and record.code is not None
    assert (record.format, record.model_sha256) == ("int8 per-channel", sha256_file(model))
    assert (board.name, board.device_id, board.clock_hz, board.protocol) == ("h747", 0x450, 400_000_000, "3.1")
    assert (board.address, board.serial) == (bench.address, None)
    assert board.line == McuLine(baud=115_200, packet_bytes=1024, has_crc=True)
    assert firmware.signature == f"0x{record.model_sha256[:16]}" and firmware.signature_checked
    assert firmware.runtime.startswith("TEST STAND-IN")
    assert bench.flashed == [str(workspace.board("h747") / "firmware.elf")]
    assert firmware.sha256 == sha256_file(Path(bench.flashed[0]))
    assert workspace.root / firmware.flash[0][-1] == Path(bench.flashed[0])
    assert workspace.root / firmware.build[0][2] == workspace.board("h747") / "generated" != Path(firmware.build[0][2])
    latency = record.latency
    assert (latency.runs, len(latency.window_medians_ms), latency.warmup_runs) == (20, 5, 2)
    assert latency.min_ms <= latency.median_ms <= latency.max_ms
    assert latency.median_ms == pytest.approx(1e3 * record.cycles[0] / board.clock_hz, rel=1e-5)
    assert "400 MHz" in latency.clock
    assert (latency.stable, latency.unstable) == (True, [])
    assert (record.compared.images, record.compared.equal_outputs, record.compared.max_difference) == (IMAGES, IMAGES, 0.0)
    assert record.accuracy is not None and (record.accuracy.value, record.accuracy.n) == (1.0, IMAGES)
    assert record.accuracy.ci95[0] < 1
    assert record.stack_bytes is not None and 0 < record.stack_bytes < 8192 and record.heap_bytes is None
    assert (record.protocol_errors, record.retries, record.power_cycles) == (0, 0, 0)
    assert record.code.target == "stm32h7" and record.code.backend == "portable" and record.code.macs == 269_580
    assert measured.provenance.data_revision is not None
    times = record.layer_times
    assert times is not None and record.no_layer_times == ""
    assert [layer.macs for layer in times.layers if layer.macs] and sum(layer.macs or 0 for layer in times.layers) == record.code.macs
    assert times.runs == 5 and times.clock == latency.clock
    assert times.sum_ms == pytest.approx(latency.median_ms, rel=0.1), "layers are the inference but for what observing costs"


@pytest.mark.thorough
def test_a_board_without_a_build_command_gets_the_firmware_that_edgeloop_has_for_it(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench
) -> None:
    bench.part = "stm32h747i-disco"
    bench.write_lab(workspace, build=[])
    measured = benchmark(workspace, params, VARIANT, "h747", images=2)
    assert isinstance(measured, MeasuredBenchmark) and measured.microcontroller is not None
    (record,), board = measured.models, measured.microcontroller
    assert (board.device_id, board.clock_hz) == (0x450, 400_000_000)
    assert record.firmware is not None and record.firmware.runtime.startswith("edgeloop ")
    assert record.firmware.build == [
        [
            "edgeloop",
            "firmware",
            (measurable.quantized / "per_channel.tflite").relative_to(workspace.root).as_posix(),
            "--board",
            "stm32h747i-disco",
        ]
    ]
    assert record.compared.equal_outputs == 2
    code, own = record.code, record.firmware
    assert code is not None and code.weight_bytes and code.activation_ram_bytes and own.flash_bytes and own.ram_bytes
    assert code.weight_bytes < own.flash_bytes < 2 << 20 and code.activation_ram_bytes < own.ram_bytes < 1 << 20


@pytest.mark.thorough
def test_one_line_of_lab_yaml_and_one_command_measure_on_a_board_that_was_plugged_in(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """edgeloop's own firmware, written by a stand-in for openocd; the port is found by USB and is another one after flashing.

    ST Edge AI Core is there, too, and is not asked: nothing would build a firmware around its code.
    """
    program = tmp_path / "STEdgeAI/Utilities/linux/stedgeai"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("STEDGEAI_CORE_DIR", str(tmp_path / "STEdgeAI"))
    desk = Desk(str(tmp_path / "desk"), SERIAL, dict(H7), bench=bench.control)
    Path(desk.folder).mkdir()
    desk.save()
    monkeypatch.setenv(DESK, desk.folder)
    monkeypatch.setenv("PATH", f"{desk.install('openocd')}:{os.environ['PATH']}")
    monkeypatch.setattr(tools, "OWN_PROGRAMS", tmp_path)
    bench.part = "stm32h747i-disco"

    def attached(_root: Path) -> list[UsbDevice]:
        port = Port(Path(bench.terminal or "/dev/null"), 2)
        return [UsbDevice("1-1", "0483", "374e", SERIAL, "STLINK-V3", tmp_path / "node", (port,), "DIS_H747XI")]

    for module in ("add", "find", "use"):
        monkeypatch.setattr(f"edgeloop.boards.lab.{module}.usb_devices", attached)
    workspace.lab.write_text("boards:\n  host: {kind: host}\n", encoding="utf-8")
    assert [board.written for board in add_boards(workspace, Wanted())] == ["h747: {kind: stm32h747i-disco}"]
    measured = benchmark(workspace, params, VARIANT, "h747", images=2)
    assert isinstance(measured, MeasuredBenchmark) and measured.microcontroller is not None
    (record,), port = measured.models, measured.microcontroller
    assert (port.serial, port.address, record.compared.equal_outputs) == (SERIAL, bench.terminal, 2)
    assert record.firmware is not None and record.firmware.signature_checked
    assert [Path(command[0]).name for command in record.firmware.flash] == ["openocd", "openocd"]
    assert (
        record.firmware.flash[1][-1]
        == f"program {{{(workspace.board('h747') / 'firmware.elf').relative_to(workspace.root)}}} verify reset exit"
    )
    assert record.file_sha256 == sha256_file(desk.flash)


@pytest.mark.thorough
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
    assert "code by portable" in out and "longest of " in out
    assert "benchmark on h747: 3/3 images" in err
    assert "TEST STAND-IN" in out


def refused(workspace: Workspace, params: Params, variant: VariantPaths, bench: Bench, error: type[BoardError], words: str) -> None:
    """The benchmark fails with that error, leaves no number, and the board is free."""
    with pytest.raises(error, match=words) as caught:
        measure(workspace, params)
    assert type(caught.value) is error
    assert not variant.benchmark_record("h747").exists()
    assert not occupancy(f"net localhost:{bench.port}").held


def test_a_board_that_is_not_there_is_an_error_before_anything_is_built(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench
) -> None:
    bench.write_lab(workspace)
    bench.unplug()
    refused(workspace, params, measurable, bench, BoardAbsent, "refuses connections")
    assert not workspace.board("h747").exists()


@pytest.mark.thorough
def test_firmware_that_a_project_leaves_in_its_own_folder_is_taken_from_there(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench
) -> None:
    own = workspace.root / "own project"
    own.mkdir()
    made = [argument.replace("{elf}", "{project}/own project/v.elf") for argument in bench.entry()["build"][0]["run"]]
    bench.write_lab(workspace, build=[{"run": made}], firmware="{project}/own project/v.elf")
    assert measure(workspace, params).file_sha256 == sha256_file(own / "v.elf")
    assert bench.flashed == [str(own / "v.elf")]
    bench.write_lab(workspace, firmware="{projekt}/v.elf")
    with pytest.raises(ConfigError, match=r"there is no part \{projekt\} \(did you mean 'project'"):
        load_lab(workspace)


@pytest.mark.thorough
def test_what_goes_wrong_on_the_line_is_repeated_and_counted(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench
) -> None:
    bench.write_lab(workspace)
    bench.faults = ["garbage:after=20"]
    record = measure(workspace, params)
    assert record.retries == 1 and (record.protocol_errors or 0) >= 1
    assert record.compared.equal_outputs == IMAGES


@pytest.mark.long
def test_a_board_that_stays_silent_is_switched_off_and_on_once_where_that_is_possible(
    workspace: Workspace, params: Params, measurable: VariantPaths, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "START_S", 1.0)
    bench.mute_until_switched = True
    bench.write_lab(workspace)
    refused(workspace, params, measurable, bench, BoardSilent, "answers in neither version")
    bench.write_lab(workspace, power_cycle=[bench.power_command()])
    record = measure(workspace, params)
    assert (record.power_cycles, bench.switched, len(bench.flashed)) == (1, 1, 3)


@pytest.mark.thorough
def test_a_model_file_is_run_on_random_pixels_which_the_result_says(
    workspace: Workspace, measurable: VariantPaths, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write_lab(workspace)
    monkeypatch.chdir(workspace.root)
    record = benchmark_model(measurable.quantized / "int8.tflite", "h747", QUICK, images=2)
    assert isinstance(record, MeasuredBenchmark)
    (measured,) = record.models
    assert (record.dataset, measured.accuracy, measured.compared.equal_outputs) == (None, None, 2)
    assert "random" in record.pixels
    assert not measurable.benchmarks.exists()


def test_why_a_latency_is_not_stable() -> None:
    steady = summarise([[1_000_000] * 3] * 5, 2, "a clock")
    assert steady.unstable == []
    climbing = summarise([[1_000_000 + 20_000 * window] * 3 for window in range(5)], 2, "a clock")
    assert climbing.unstable == ["the windows' medians vary by 3.0%", "they drift by +7.7% from the first to the last"]
    assert (steady.stable, climbing.stable) == (True, False)
