"""Two benchmarks beside each other: what their records say, how their figures of the same kind differ, and what else differs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgeloop.boards.differences import Difference, differences, paired
from edgeloop.boards.shift import shift
from edgeloop.records import BenchmarkRecord, EmulatedBenchmark, FarmBenchmark, FarmMeasurement, MeasuredBenchmark, Measurement, Part

MOST_LAYERS = 5


class Ratio(Part):
    """A figure of b beside the same figure of a."""

    figure: str
    a: float
    b: float
    unit: str
    difference: float
    """b less a; with an interval, the median of the differences of all windows."""
    ci95: tuple[float, float] | None = None
    """95 % interval of the difference."""
    how: str = ""
    """What the interval was made of, or why there is none."""

    @property
    def value(self) -> float:
        return self.b / self.a

    def in_words(self) -> str:
        """One line."""
        ratio = f"{self.figure}: {self.a:,.10g} -> {self.b:,.10g} {self.unit}, b / a = {self.value:.3f}"
        if self.ci95 is None:
            return f"{ratio}, b - a = {self.difference:+,.10g} {self.unit} ({self.how})"
        low, high = self.ci95
        none = "; 0 lies within: no difference is shown" if low <= 0 <= high else ""
        return f"{ratio}, b - a = {self.difference:+.6g} {self.unit} (95 %: {low:+.6g} to {high:+.6g}, {self.how}{none})"


class LayerChange(Part):
    """A layer that both measured."""

    name: str
    a: float
    b: float
    unit: str

    def in_words(self) -> str:
        """One line."""
        return f"  {self.name}: {self.a:,.6g} -> {self.b:,.6g} {self.unit} ({self.b - self.a:+,.4g})"


class SideBySide(Part):
    """Two benchmarks."""

    a: str
    b: str
    said: tuple[str, str]
    """What each record says, in words."""
    ratios: list[Ratio]
    layers: list[LayerChange]
    """Those whose figures differ most, where both ran the same layers."""
    differs: list[Difference]
    """Everything else that the records do not share."""
    notes: list[str]

    def in_words(self) -> str:
        """Lines for people."""
        lines = [f"{which}  {name}\n{said}" for which, name, said in zip("ab", (self.a, self.b), self.said, strict=True)]
        lines += [ratio.in_words() for ratio in self.ratios]
        for head, parts in (("layers that differ most:", self.layers), ("what differs besides:", self.differs)):
            lines += [head, *(part.in_words() for part in parts)] if parts else []
        return "\n".join([*lines, *self.notes])


def side_by_side(a: str, first: BenchmarkRecord, b: str, second: BenchmarkRecord) -> SideBySide:
    """Two records, by the names of their benchmarks. Figures that came about in different ways are never set against each other."""
    ratios, layers, notes = [], [], []
    if type(first) is type(second):
        ratios = list(_RATIOS[type(first)](first, second))
        layers = _changes(first, second)
        notes += [] if ratios else ["No format was measured on both."]
    else:
        ways = " and the other ".join(_WAYS[type(record)] for record in (first, second))
        notes.append(f"One is {ways}: no ratio is given.")
    if not first.digests & second.digests:
        notes.append("They ran different models.")
    differs = differences(first, second)
    return SideBySide(a=a, b=b, said=(first.in_words(), second.in_words()), ratios=ratios, layers=layers, differs=differs, notes=notes)


def _latencies(first: MeasuredBenchmark, second: MeasuredBenchmark) -> Iterator[Ratio]:
    there = {model.format: model for model in second.models}
    for one in first.models:
        if other := there.get(one.format):
            yield _latency(one, other)


def _latency(one: Measurement, other: Measurement) -> Ratio:
    """The medians, and the interval of what the windows differ by: it is of these two sessions, not of other boards of the kind."""
    a, b = one.latency, other.latency
    found = shift(a.window_medians_ms, b.window_medians_ms)
    windows = f"{len(a.window_medians_ms)} and {len(b.window_medians_ms)} windows"
    return Ratio(
        figure=f"median latency, {one.format or 'model file'}",
        a=a.median_ms,
        b=b.median_ms,
        unit="ms",
        difference=found[1] if found else b.median_ms - a.median_ms,
        ci95=(found[0], found[2]) if found else None,
        how=f"by the medians of {windows}" if found else f"no interval: {windows} are too few",
    )


def _farm_latencies(first: FarmBenchmark, second: FarmBenchmark) -> Iterator[Ratio]:
    there = {model.format: model for model in second.models}
    for one in first.models:
        if other := there.get(one.format):
            figure = f"latency that the farm tells, {one.format or 'model file'}"
            yield _plain(figure, one.latency_ms, other.latency_ms, "ms", "no interval: the farm tells one figure each")


def _counts(first: EmulatedBenchmark, second: EmulatedBenchmark) -> Iterator[Ratio]:
    yield _plain("instructions", first.instructions.median, second.instructions.median, "counted", "exact counts")
    if first.estimated and second.estimated:
        yield _plain(
            "cycles, estimated", first.estimated.cycles, second.estimated.cycles, "cycles", "estimates: neither measured nor counted"
        )
    yield _plain("activation RAM", first.activation_ram_bytes, second.activation_ram_bytes, "bytes", "exact")
    yield _plain("weights", first.weight_bytes, second.weight_bytes, "bytes", "exact")


def _plain(figure: str, a: float, b: float, unit: str, how: str) -> Ratio:
    return Ratio(figure=figure, a=a, b=b, unit=unit, difference=b - a, how=how)


def _changes(first: BenchmarkRecord, second: BenchmarkRecord) -> list[LayerChange]:
    """The layers whose figures differ most, where both records have the same layers in the same order."""
    one, other = paired(first, second)
    (here, unit), (there, _) = _layers(one or first), _layers(other or second)
    if [name for name, _ in here] != [name for name, _ in there]:
        return []
    both = [(name, a, b) for (name, a), (_, b) in zip(here, there, strict=True) if a is not None and b is not None and a != b]
    both.sort(key=lambda one: -abs(one[2] - one[1]))
    return [LayerChange(name=name, a=a, b=b, unit=unit) for name, a, b in both[:MOST_LAYERS]]


def _layers(found: Measurement | FarmMeasurement | BenchmarkRecord) -> tuple[Sequence[tuple[str, float | None]], str]:
    """Name and figure of each layer, and their unit."""
    if isinstance(found, EmulatedBenchmark):
        return [(layer.name, layer.instructions) for layer in found.layers], "instructions"
    if isinstance(found, FarmMeasurement):
        return [(layer.name, layer.duration_ms) for layer in found.layers], "ms"
    times = found.layer_times if isinstance(found, Measurement) else None
    return [(layer.name, layer.time_ms) for layer in times.layers] if times else [], "ms"


_RATIOS: dict[type[BenchmarkRecord], Callable[[Any, Any], Iterator[Ratio]]] = {
    MeasuredBenchmark: _latencies,
    FarmBenchmark: _farm_latencies,
    EmulatedBenchmark: _counts,
}
_WAYS: dict[type[BenchmarkRecord], str] = {
    MeasuredBenchmark: "measured",
    FarmBenchmark: "measured by ST's farm in its own way",
    EmulatedBenchmark: "emulated",
}
