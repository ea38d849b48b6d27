"""What differs in how two benchmarks came about: models, tools, versions, boards, clocks. Their figures are no part of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgeloop.records import BenchmarkRecord, EmulatedBenchmark, FarmMeasurement, Measurement, Part

Model = Measurement | FarmMeasurement | None

FIGURES = {
    *("latency_ms", "images_median_ms", "compared", "accuracy", "cycles", "stack_bytes", "heap_bytes", "protocol_errors", "retries"),
    *("power_cycles", "layer_times", "no_layer_times", "layers", "shares", "no_shares", "cpu_frequencies", "note", "memory", "pools"),
    *("equal_outputs", "max_difference", "instructions", "assumption", "validation", "model_size", "ram_peak", "images"),
    *("median_ms", "mad_ms", "min_ms", "max_ms", "window_medians_ms", "coefficient_of_variation", "stable"),
}
"""Fields that state what was found, wherever they stand."""
PASSING = {"duration_s", "command", "host", "cpu", "cpus", "address", "answer", "answer_sha256", "run", "measured", "build", "flash"}
"""Fields that differ from run to run, or are of the machine that asked: what ran on the host is in `device`."""
SHOWN = 60
"""The most letters of a value."""


class Difference(Part):
    """One field of both records."""

    field: str
    a: str
    b: str

    def in_words(self) -> str:
        """One line."""
        return f"  {self.field}: {self.a} -> {self.b}"


def differences(first: BenchmarkRecord, second: BenchmarkRecord) -> list[Difference]:
    """The fields that both have, or one of the same type has, and that are not equal; in their order."""
    one, other = paired(first, second)
    a, b = dict(_circumstances(first, one)), dict(_circumstances(second, other))
    names = [name for name in {**a, **b} if type(first) is type(second) or (name in a and name in b)]
    return [Difference(field=name, a=_shown(a.get(name)), b=_shown(b.get(name))) for name in names if a.get(name) != b.get(name)]


def paired(first: BenchmarkRecord, second: BenchmarkRecord) -> tuple[Model, Model]:
    """The model of each in the first format that both have; else the first of each; an emulated board has one, which is its record."""
    here, there = ({model.format: model for model in _models(record)} for record in (first, second))
    common = [form for form in here if form in there]
    if common:
        return here[common[0]], there[common[0]]
    return next(iter(here.values()), None), next(iter(there.values()), None)


def _models(record: BenchmarkRecord) -> Sequence[Measurement | FarmMeasurement]:
    return [] if isinstance(record, EmulatedBenchmark) else record.models


def _circumstances(record: BenchmarkRecord, model: Model) -> Iterator[tuple[str, Any]]:
    """Every field of record and model that is no figure, by its path."""
    yield from _flat(record.model_dump(mode="json", exclude={"models"}))
    if model is not None:
        yield from _flat(model.model_dump(mode="json"))


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name in FIGURES or name in PASSING:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _shown(value: Any) -> str:
    text = "not stated" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
