"""The step `benchmark` on the board `host`, and how timings become a latency."""

from pathlib import Path

import numpy as np
import pytest
from in_hand import host
from miniature import CLASSES, PREPROCESSING, coloured

from edgeloop.boards.benchmark import benchmark, benchmark_model
from edgeloop.boards.driver import Observe
from edgeloop.boards.latency import measure, summarise
from edgeloop.boards.subject import inputs_for
from edgeloop.config import Benchmark, Params, load_params
from edgeloop.errors import InputError, ModelError
from edgeloop.records import MeasuredBenchmark, drift, read_benchmark
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
QUICK = Benchmark(warmup_runs=2, windows=5, runs_per_window=4)


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace).model_copy(update={"benchmark": QUICK})


def test_the_record_says_what_ran_where_and_how(workspace: Workspace, params: Params, measurable: VariantPaths) -> None:
    record = benchmark(workspace, params, VARIANT, "host")
    assert read_benchmark(measurable.benchmark_record("host")) == record
    assert isinstance(record, MeasuredBenchmark)
    assert (record.board, record.board_kind, record.target) == ("host", "host", None)
    assert record.device == record.provenance.cpu
    assert [entry.format for entry in record.models] == ["float", "int8 per-channel", "int8 per-tensor"]
    for entry in record.models:
        assert entry.runtime.startswith("ai-edge-litert ") and entry.threads == 1
        assert (entry.compared.images, entry.compared.same_class) == (6, 6)
        assert entry.accuracy is not None and entry.accuracy.value == 1.0
        latency = entry.latency
        assert (latency.runs, latency.warmup_runs, len(latency.window_medians_ms)) == (20, 2, 5)
        assert 0 < latency.min_ms <= latency.median_ms <= latency.max_ms
        assert latency.clock == "time.perf_counter_ns"


def test_the_number_of_images_is_chosen_and_at_least_one(workspace: Workspace, params: Params, measurable: VariantPaths) -> None:
    record = benchmark(workspace, params, VARIANT, "host", images=3)
    assert isinstance(record, MeasuredBenchmark) and {entry.compared.images for entry in record.models} == {3}
    with pytest.raises(InputError, match="--images 0: at least one is run"):
        benchmark(workspace, params, VARIANT, "host", images=0)


def test_another_board_is_answered_with_what_there_is(workspace: Workspace, params: Params, measurable: VariantPaths) -> None:
    with pytest.raises(InputError, match=r"no board 'hots' in lab.yaml \(did you mean 'host'\?\)"):
        benchmark(workspace, params, VARIANT, "hots")
    assert not measurable.benchmark_record("hots").exists()


def test_the_host_really_runs_the_model(miniatures: Path) -> None:
    pixels = np.stack([coloured(label, 1) for label in CLASSES])
    board = host()
    board.load(miniatures / "int8.tflite")
    run = board.run(inputs_for(miniatures / "int8.tflite", pixels, PREPROCESSING), Observe.OUTPUTS)
    assert run.outputs.argmax(axis=1).tolist() == [0, 1, 2]
    assert len(run.latencies_ns) == 3
    board.close()
    board.close()
    with pytest.raises(InputError, match="No model is on the board"):
        board.run(pixels, Observe.TIME)


@pytest.mark.parametrize("name", ["float", "int8", "per_channel"])
def test_any_classifier_can_be_timed_and_the_result_says_that_its_pixels_are_random(miniatures: Path, name: str) -> None:
    result = benchmark_model(miniatures / f"{name}.tflite", settings=QUICK)
    assert isinstance(result, MeasuredBenchmark)
    assert "random" in result.pixels
    assert [(entry.format, entry.latency.runs, entry.accuracy) for entry in result.models] == [(None, 20, None)]


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(ModelError):
        benchmark_model(tmp_path / "model.tflite", settings=QUICK)


def test_the_warm_up_is_run_and_not_counted() -> None:
    asked: list[int] = []

    def time_runs(count: int) -> list[int]:
        asked.append(count)
        return [9_000_000 if len(asked) == 1 else 1_000_000] * count

    latency = measure(time_runs, QUICK, "a clock")
    assert asked == [2, 4, 4, 4, 4, 4]
    assert (latency.max_ms, latency.median_ms, latency.clock) == (1.0, 1.0, "a clock")


def test_the_latency_is_the_median_with_its_spread() -> None:
    latency = summarise([[1_000_000, 2_000_000, 9_000_000]] * 5, 10, "a clock")
    assert (latency.median_ms, latency.mad_ms, latency.min_ms, latency.max_ms) == (2.0, 1.0, 1.0, 9.0)
    assert (latency.runs, latency.coefficient_of_variation, latency.stable) == (15, 0.0, True)


def test_windows_that_scatter_are_not_stable() -> None:
    latency = summarise([[value] * 3 for value in (1_000, 1_050, 1_000, 950, 1_000)], 10, "a clock")
    assert latency.coefficient_of_variation == pytest.approx(0.0354, abs=1e-4)
    assert not latency.stable


def test_windows_that_creep_are_not_stable_though_they_scatter_little() -> None:
    creeping = summarise([[value] * 3 for value in (1_000_000, 1_005_000, 1_010_000, 1_015_000, 1_020_000)], 10, "a clock")
    assert creeping.coefficient_of_variation < 0.01
    assert not creeping.stable
    assert creeping.unstable == ["they drift by +2.0% from the first to the last"]


def test_one_disturbed_window_is_no_drift() -> None:
    assert drift([1.0, 1.0, 1.0, 1.0, 1.5]) == 0.0
    assert drift([1.0, 1.1, 1.2, 1.3, 1.4]) == pytest.approx(0.4 / 1.2)
