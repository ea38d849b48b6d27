"""The regression watch: slower beyond the limit and the spread is told, with what differs; noise and what is faster are not."""

from typing import Any

import pytest
from card_records import Story

from edgeloop.boards.watch import comparable, regressions
from edgeloop.config import Params
from edgeloop.errors import ConfigError
from edgeloop.records import EmulatedBenchmark, MeasuredBenchmark, read_benchmark
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import parse_yaml


@pytest.fixture
def measured(workspace: Workspace) -> MeasuredBenchmark:
    Story(mcu_board="h7", generated=True).write(workspace)
    record = read_benchmark(workspace.variant("sample", "fdmobilenet_0.25", 96).benchmark_record("desk"))
    assert isinstance(record, MeasuredBenchmark)
    return record


def slower(record: MeasuredBenchmark, by: float, noise: float = 0.0, **changes: Any) -> MeasuredBenchmark:
    """Every window longer by that share, and every other one by `noise` more; other fields of the measurement as given."""
    (one,) = record.models
    windows = [window * (1 + by + noise * (place % 2)) for place, window in enumerate(one.latency.window_medians_ms)]
    latency = one.latency.model_copy(update={"window_medians_ms": windows, "median_ms": one.latency.median_ms * (1 + by)})
    return record.model_copy(update={"models": [one.model_copy(update={"latency": latency, **changes})]})


def test_beyond_the_limit_and_the_spread_is_a_regression(measured: MeasuredBenchmark) -> None:
    (found,) = regressions("v-desk", "the commit 1", measured, slower(measured, 0.05), 0.03)
    assert found.figure == "median latency, int8 per-channel"
    assert found.grown == pytest.approx(0.05) == found.surely
    assert "v-desk: median latency, int8 per-channel 4.321 -> 4.53705 ms (+5.0%)" in found.in_words()
    assert "nothing else that the records state differs" in found.in_words()


@pytest.mark.parametrize(("by", "noise"), [(0.0, 0.0), (0.029, 0.0), (-0.2, 0.0), (0.02, 0.1)])
def test_what_is_faster_or_within_limit_and_spread_is_none(measured: MeasuredBenchmark, by: float, noise: float) -> None:
    assert regressions("v-desk", "", measured, slower(measured, by, noise), 0.03) == []


def test_the_suspects_are_named_by_kind(measured: MeasuredBenchmark) -> None:
    (one,) = measured.models
    assert one.code and one.firmware and one.layer_times and measured.microcontroller
    layers = [layer.model_copy(update={"time_ms": 1.5}) if layer.name == "conv_1" else layer for layer in one.layer_times.layers]
    changed = slower(
        measured,
        0.1,
        code=one.code.model_copy(update={"backend_version": "4.1.0"}),
        firmware=one.firmware.model_copy(update={"sha256": "1" * 64}),
        layer_times=one.layer_times.model_copy(update={"layers": layers}),
    )
    device = measured.microcontroller.model_copy(update={"clock_hz": 380_000_000})
    (found,) = regressions("v-desk", "", measured, changed.model_copy(update={"microcontroller": device}), 0.03)
    said = {suspect.kind: suspect.said for suspect in found.suspects}
    assert list(said) == ["clock", "firmware", "tool", "layers"]
    assert said["clock"] == "microcontroller.clock_hz: 400000000 -> 380000000"
    assert said["tool"] == "code.backend_version: 4.0.1 -> 4.1.0"
    assert said["layers"].startswith("conv_1: 1.25 -> 1.5 ms")


def test_an_npu_that_left_work_to_the_processor_is_a_suspect(workspace: Workspace) -> None:
    Story(linux_board="stm32mp").write(workspace)
    record = read_benchmark(workspace.variant("sample", "fdmobilenet_0.25", 96).benchmark_record("mp2"))
    assert isinstance(record, MeasuredBenchmark)
    (one,) = record.models
    assert one.shares is not None
    shares = one.shares.model_copy(update={"npu_percent": 62.98, "cpu_percent": 30.0})
    clock = one.cpu_frequencies[0].model_copy(update={"after_khz": 400_000})
    (found,) = regressions("v-mp2", "", record, slower(record, 0.3, shares=shares, cpu_frequencies=[clock]), 0.03)
    assert [(suspect.kind, suspect.said) for suspect in found.suspects] == [
        ("clock", "policy0: 1500 -> 400 MHz after the runs"),
        ("layer split", "NPU 92.98 -> 62.98 %"),
        ("layer split", "CPU 0 -> 30 %"),
    ]


def test_counts_of_an_emulated_board_are_watched_without_an_interval(measured: MeasuredBenchmark, workspace: Workspace) -> None:
    record = read_benchmark(workspace.variant("sample", "fdmobilenet_0.25", 96).benchmark_record("virtual-h7"))
    assert isinstance(record, EmulatedBenchmark)
    counts = record.instructions.model_copy(update={"median": round(1.04 * record.instructions.median)})
    grown = record.model_copy(update={"instructions": counts, "activation_ram_bytes": 60_000, "compiler": "a-compiler 1.3"})
    found = regressions("v-virtual-h7", "", record, grown, 0.03)
    assert [one.figure for one in found] == ["instructions", "activation RAM"]
    assert ("compiler", "compiler: a-compiler 1.2 -> a-compiler 1.3") in [(one.kind, one.said) for one in found[0].suspects]


def test_what_came_about_otherwise_is_not_compared(measured: MeasuredBenchmark, workspace: Workspace) -> None:
    emulated = read_benchmark(workspace.variant("sample", "fdmobilenet_0.25", 96).benchmark_record("virtual-h7"))
    assert "another kind" in (comparable(measured, emulated) or "")
    (one,) = measured.models
    assert one.code is not None
    portable = slower(measured, 0.5, code=one.code.model_copy(update={"backend": "portable"}))
    assert comparable(measured, portable) == "the accepted one's code is by stedgeai, this one's by portable"
    assert regressions("v-desk", "", measured, portable, 0.03) == []


def test_an_address_in_params_yaml_is_refused_because_it_is_a_secret(workspace: Workspace) -> None:
    text = workspace.params.read_text(encoding="utf-8")
    assert parse_yaml(f"{text}\nwatch: {{webhook: ALERTS}}\n", workspace.params, Params).watch.webhook == "ALERTS"
    with pytest.raises(ConfigError, match="an address holds a secret"):
        parse_yaml(f"{text}\nwatch: {{webhook: http://localhost/x}}\n", workspace.params, Params)
