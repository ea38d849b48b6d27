"""Two benchmarks beside each other: the difference with its interval, the layers, and what else differs."""

import random
from itertools import combinations
from pathlib import Path

import pytest
from card_records import Story

from edgeloop.boards.shift import shift
from edgeloop.boards.side_by_side import side_by_side
from edgeloop.cli import main
from edgeloop.records import MeasuredBenchmark, read_benchmark
from edgeloop.workspace import Workspace


def test_the_interval_is_that_of_the_rank_sum_test() -> None:
    """Of 5 and 5 values the third smallest and largest difference: 2 of 252 orders and their like lie outside (tables: U = 2)."""
    a, b = [10.0, 11.0, 12.0, 13.0, 14.0], [20.5, 21.25, 22.0, 23.75, 24.0]
    ordered = sorted(y - x for x in a for y in b)
    assert shift(a, b) == (ordered[2], ordered[12], ordered[-3])
    sums = [sum(chosen) - 3 for chosen in combinations(range(6), 3)]
    assert sums.count(0) / len(sums) == 0.05, "too often for 95 % of 3 and 3"
    assert shift(a[:3], b[:3]) is None


def test_the_interval_holds_as_often_as_it_says() -> None:
    draw = random.Random(1)
    held = 0
    for _ in range(1000):
        a, b = ([draw.expovariate(1) + more for _ in range(6)] for more in (0, 0.7))
        found = shift(a, b)
        assert found is not None
        held += found[0] <= 0.7 <= found[2]
    assert 930 <= held <= 990


@pytest.fixture
def measured(workspace: Workspace) -> MeasuredBenchmark:
    Story(mcu_board="h7").write(workspace)
    record = read_benchmark(workspace.variant("sample", "fdmobilenet_0.25", 96).benchmark_record("desk"))
    assert isinstance(record, MeasuredBenchmark)
    return record


def faster(record: MeasuredBenchmark) -> MeasuredBenchmark:
    """The same model by another version of the tool: a tenth faster, one layer by half."""
    (one,) = record.models
    assert one.code is not None and one.layer_times is not None
    latency = one.latency.model_copy(update={"window_medians_ms": [0.9 * window for window in one.latency.window_medians_ms]})
    layers = [layer.model_copy(update={"time_ms": 0.5}) if layer.name == "conv_1" else layer for layer in one.layer_times.layers]
    changed = one.model_copy(
        update={
            "latency": latency.model_copy(update={"median_ms": 0.9 * latency.median_ms}),
            "code": one.code.model_copy(update={"backend_version": "2.2.0"}),
            "layer_times": one.layer_times.model_copy(update={"layers": layers}),
        }
    )
    return record.model_copy(update={"models": [changed]})


def test_a_difference_has_its_interval_its_layers_and_its_reasons(
    measured: MeasuredBenchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, record in (("a", measured), ("b", faster(measured))):
        record.write(tmp_path / f"{name}.json")
    monkeypatch.chdir(tmp_path)  # no project
    assert main(["compare", "a.json", "b.json"]) == 0
    said = capsys.readouterr().out
    found = side_by_side("a", measured, "b", faster(measured))
    (ratio,) = found.ratios
    assert ratio.difference == pytest.approx(-0.4321, rel=0.05)
    assert ratio.ci95 is not None and ratio.ci95[0] <= ratio.difference <= ratio.ci95[1] < 0
    assert "b / a = 0.900, b - a = -0.4" in said and " windows)" in said and "0 lies within" not in said
    assert "layers that differ most:\n  conv_1: 1.25 -> 0.5 ms (-0.75)\nwhat differs besides:" in said
    assert [(one.field, one.a, one.b) for one in found.differs] == [("code.backend_version", "4.0.1", "2.2.0")]


def test_equal_records_show_no_difference(measured: MeasuredBenchmark) -> None:
    found = side_by_side("a", measured, "b", measured)
    assert "0 lies within: no difference is shown" in found.in_words()
    assert (found.layers, found.differs) == ([], [])
