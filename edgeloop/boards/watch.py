"""Regression watch: a new benchmark beside the last accepted one of the same variant, board and generator, and what may have slowed it."""

from collections.abc import Iterator

from edgeloop.boards.differences import Difference, paired
from edgeloop.boards.side_by_side import LayerChange, Ratio, SideBySide, side_by_side
from edgeloop.records import BenchmarkRecord, EmulatedBenchmark, FarmMeasurement, Measurement, Part

KINDS = (
    ("clock", ("clock", "governor", "khz", "cpus")),
    ("compiler", ("compiler", "build", "flags")),
    ("firmware", ("firmware", "file_sha256", "protocol", "baud")),
    (
        "tool",
        ("tools.", "runtime", "components", "backend", "profile", "engine", "emulator", "tool", "x_linux_ai", "npu_driver", "options"),
    ),
    ("system", ("kernel", "operating_system", "device", "machine", "serial")),
    ("model", ("model_sha256", "macs", "weight_bytes")),
)
"""Words in the names of fields, by what they are about; the first kind that fits."""
LAYER_SHARE = 0.5
"""Of the difference, from which on the layers that differ most are a suspect."""
SHARE_POINTS = 1.0
"""By which an engine's share has to move."""


class Suspect(Part):
    """Something that differs between the two records, and may be why."""

    kind: str
    said: str


class Regression(Part):
    """A figure that grew by more than is allowed."""

    benchmark: str
    accepted: str
    """Where the accepted record is from."""
    figure: str
    before: float
    after: float
    unit: str
    grown: float
    """By how much, as a share of `before`."""
    surely: float
    """The least that it grew by, as a share: the lower end of the 95 % interval; `grown` where there is none."""
    suspects: list[Suspect]

    def in_words(self) -> str:
        """Lines for people."""
        least = f", by {self.surely:+.1%} at least" if self.surely != self.grown else ""
        head = f"{self.benchmark}: {self.figure} {self.before:,.10g} -> {self.after:,.10g} {self.unit} ({self.grown:+.1%}{least})"
        suspects = [f"  {suspect.kind}: {suspect.said}" for suspect in self.suspects]
        nothing = "  nothing else that the records state differs: the board was busy or warm, or its memory lies otherwise"
        return "\n".join([f"{head}, beside {self.accepted}", *(suspects or [nothing])])


def regressions(name: str, source: str, accepted: BenchmarkRecord, now: BenchmarkRecord, limit: float) -> list[Regression]:
    """The figures of `now` that grew by more than `limit`, a share, and their spread; `source` says where the accepted record is from.

    A figure with an interval must have grown by more than the limit at the interval's lower end; one without, by itself.
    Records that are of another kind, board, variant or generator cannot be compared: see `comparable`.
    """
    if comparable(accepted, now) is not None:
        return []
    beside = side_by_side(source, accepted, name, now)
    suspects = list(_suspects(beside, accepted, now))
    return [_regression(name, source, ratio, suspects) for ratio in beside.ratios if ratio.a > 0 and _surely(ratio) > limit]


def comparable(accepted: BenchmarkRecord, now: BenchmarkRecord) -> str | None:
    """Why the two cannot be set against each other; None where they can."""
    for what in ("kind", "board", "dataset", "network", "resolution"):
        if getattr(accepted, what) != getattr(now, what):
            return f"the accepted record is of another {what}: {getattr(accepted, what)}, not {getattr(now, what)}"
    before, after = (_generator(record) for record in (accepted, now))
    return None if before == after else f"the accepted one's code is by {before or 'no generator'}, this one's by {after or 'none'}"


def _generator(record: BenchmarkRecord) -> str | None:
    if isinstance(record, EmulatedBenchmark):
        return None
    return next((model.code.backend for model in record.models if model.code is not None), None)


def _regression(name: str, source: str, ratio: Ratio, suspects: list[Suspect]) -> Regression:
    return Regression(
        benchmark=name,
        accepted=source,
        figure=ratio.figure,
        before=ratio.a,
        after=ratio.b,
        unit=ratio.unit,
        grown=ratio.difference / ratio.a,
        surely=_surely(ratio),
        suspects=suspects,
    )


def _surely(ratio: Ratio) -> float:
    return (ratio.ci95[0] if ratio.ci95 else ratio.difference) / ratio.a


def _suspects(beside: SideBySide, accepted: BenchmarkRecord, now: BenchmarkRecord) -> Iterator[Suspect]:
    one, other = paired(accepted, now)
    order = [kind for kind, _ in KINDS]
    known = [(kind, difference) for difference in beside.differs if (kind := _kind(difference)) is not None]
    if isinstance(one, Measurement) and isinstance(other, Measurement):
        yield from _frequencies(one, other)
    for kind, difference in sorted(known, key=lambda pair: order.index(pair[0])):
        yield Suspect(kind=kind, said=difference.in_words().strip())
    if isinstance(one, Measurement | FarmMeasurement) and isinstance(other, Measurement | FarmMeasurement):
        yield from _shares(one, other)
    yield from _layers(beside.layers)


def _kind(difference: Difference) -> str | None:
    name = difference.field
    if name.startswith(("provenance.time", "provenance.git", "provenance.params", "provenance.data_revision")):
        return None
    return next((kind for kind, words in KINDS if any(word in name for word in words)), None)


def _frequencies(one: Measurement, other: Measurement) -> Iterator[Suspect]:
    """Clocks of a Linux board, which are no circumstance but a finding, so that two records may differ in nothing else."""
    before = {clock.policy: clock for clock in one.cpu_frequencies}
    for clock in other.cpu_frequencies:
        was = before.get(clock.policy)
        if was and was.after_khz and clock.after_khz and clock.after_khz < was.after_khz:
            yield Suspect(kind="clock", said=f"{clock.policy}: {was.after_khz / 1000:g} -> {clock.after_khz / 1000:g} MHz after the runs")


def _shares(one: Measurement | FarmMeasurement, other: Measurement | FarmMeasurement) -> Iterator[Suspect]:
    if one.shares is None or other.shares is None:
        return
    for engine in ("npu", "gpu", "cpu"):
        before, after = (getattr(shares, f"{engine}_percent") for shares in (one.shares, other.shares))
        if abs(after - before) >= SHARE_POINTS:
            yield Suspect(kind="layer split", said=f"{engine.upper()} {before:g} -> {after:g} %")


def _layers(layers: list[LayerChange]) -> Iterator[Suspect]:
    """The layers that grew most, where a few of them make up most of what they differ by."""
    grown = [layer for layer in layers if layer.b > layer.a]
    total = sum(abs(layer.b - layer.a) for layer in layers)
    if not grown:
        return
    first = max(grown, key=lambda layer: layer.b - layer.a)
    alone = (first.b - first.a) / total >= LAYER_SHARE
    shown = [first] if alone else grown
    yield Suspect(kind="layers", said="; ".join(layer.in_words().strip() for layer in shown))
