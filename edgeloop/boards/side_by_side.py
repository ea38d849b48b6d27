"""Two benchmarks beside each other: what their records say, and ratios between figures of the same kind only."""

from collections.abc import Callable, Iterator
from typing import Any

from edgeloop.records import BenchmarkRecord, EmulatedBenchmark, FarmBenchmark, MeasuredBenchmark, Part


class Ratio(Part):
    """A figure of b over the same figure of a."""

    figure: str
    a: float
    b: float
    unit: str

    @property
    def value(self) -> float:
        return self.b / self.a

    def in_words(self) -> str:
        """One line."""
        return f"{self.figure}: {self.a:,.10g} -> {self.b:,.10g} {self.unit}, b / a = {self.value:.3f}"


class SideBySide(Part):
    """Two benchmarks."""

    a: str
    b: str
    said: tuple[str, str]
    """What each record says, in words."""
    ratios: list[Ratio]
    notes: list[str]

    def in_words(self) -> str:
        """Lines for people."""
        records = [f"{which}  {name}\n{said}" for which, name, said in zip("ab", (self.a, self.b), self.said, strict=True)]
        return "\n".join([*records, *(ratio.in_words() for ratio in self.ratios), *self.notes])


def side_by_side(a: str, first: BenchmarkRecord, b: str, second: BenchmarkRecord) -> SideBySide:
    """Two records, by the names of their benchmarks. Figures that came about in different ways are never divided by each other."""
    ratios, notes = [], []
    if type(first) is type(second):
        ratios = list(_RATIOS[type(first)](first, second))
        notes += [] if ratios else ["No format was measured on both."]
    else:
        ways = " and the other ".join(_WAYS[type(record)] for record in (first, second))
        notes.append(f"One is {ways}: no ratio is given.")
    if not first.digests & second.digests:
        notes.append("They ran different models.")
    return SideBySide(a=a, b=b, said=(first.in_words(), second.in_words()), ratios=ratios, notes=notes)


def _latencies(first: MeasuredBenchmark, second: MeasuredBenchmark) -> Iterator[Ratio]:
    there = {model.format: model for model in second.models}
    for one in first.models:
        if other := there.get(one.format):
            figure = f"median latency, {one.format or 'model file'}"
            yield Ratio(figure=figure, a=one.latency.median_ms, b=other.latency.median_ms, unit="ms")


def _farm_latencies(first: FarmBenchmark, second: FarmBenchmark) -> Iterator[Ratio]:
    there = {model.format: model for model in second.models}
    for one in first.models:
        if other := there.get(one.format):
            yield Ratio(
                figure=f"latency that the farm tells, {one.format or 'model file'}", a=one.latency_ms, b=other.latency_ms, unit="ms"
            )


def _counts(first: EmulatedBenchmark, second: EmulatedBenchmark) -> Iterator[Ratio]:
    yield Ratio(figure="instructions", a=first.instructions.median, b=second.instructions.median, unit="counted")
    yield Ratio(figure="activation RAM", a=first.activation_ram_bytes, b=second.activation_ram_bytes, unit="bytes")
    yield Ratio(figure="weights", a=first.weight_bytes, b=second.weight_bytes, unit="bytes")


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
