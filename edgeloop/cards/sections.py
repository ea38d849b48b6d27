"""The section of each benchmark's record on a card, by how its figures came about."""

from collections.abc import Callable
from typing import Any

from edgeloop.cards.farm import farm_section
from edgeloop.cards.performance import Section, emulated_section, measured_section
from edgeloop.cards.sources import Sources
from edgeloop.records import BenchmarkRecord, EmulatedBenchmark, FarmBenchmark, MeasuredBenchmark

_SECTIONS: dict[type[BenchmarkRecord], Callable[[str, str, Any, Sources], Section]] = {
    MeasuredBenchmark: measured_section,
    FarmBenchmark: farm_section,
    EmulatedBenchmark: emulated_section,
}


def performance_sections(model: str, sources: Sources) -> list[Section]:
    """The sections of all performance records, in the order of their files.

    Raises:
        InputError: a record is about another model.
    """
    return [_SECTIONS[type(record)](model, name, record, sources) for name, record in sources.benchmarks.items()]
