"""Two benchmarks beside each other: what their records say, and ratios between figures of the same kind only."""

from collections.abc import Iterator

from edgeloop.records import BenchmarkRecord, EmulatedBenchmark, MeasuredBenchmark, Part


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
    """Two records, by the names of their benchmarks. A measured figure is never divided by an emulated one."""
    ratios, notes = [], []
    if isinstance(first, MeasuredBenchmark) and isinstance(second, MeasuredBenchmark):
        ratios = list(_latencies(first, second))
        notes += [] if ratios else ["No format was measured on both."]
    elif isinstance(first, EmulatedBenchmark) and isinstance(second, EmulatedBenchmark):
        ratios = list(_counts(first, second))
    else:
        notes.append("One is measured and the other emulated: no ratio is given.")
    if not _models(first) & _models(second):
        notes.append("They ran different models.")
    return SideBySide(a=a, b=b, said=(first.in_words(), second.in_words()), ratios=ratios, notes=notes)


def _latencies(first: MeasuredBenchmark, second: MeasuredBenchmark) -> Iterator[Ratio]:
    there = {model.format: model for model in second.models}
    for one in first.models:
        if other := there.get(one.format):
            figure = f"median latency, {one.format or 'model file'}"
            yield Ratio(figure=figure, a=one.latency.median_ms, b=other.latency.median_ms, unit="ms")


def _counts(first: EmulatedBenchmark, second: EmulatedBenchmark) -> Iterator[Ratio]:
    yield Ratio(figure="instructions", a=first.instructions.median, b=second.instructions.median, unit="counted")
    yield Ratio(figure="activation RAM", a=first.activation_ram_bytes, b=second.activation_ram_bytes, unit="bytes")
    yield Ratio(figure="weights", a=first.weight_bytes, b=second.weight_bytes, unit="bytes")


def _models(record: BenchmarkRecord) -> set[str]:
    """The digests of what it ran."""
    return {one.model_sha256 for one in record.models} if isinstance(record, MeasuredBenchmark) else {record.model_sha256}
