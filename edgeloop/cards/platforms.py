"""Which series of STM32 a variant is known to run on, by its records, in the order of the published cards."""

import re
from collections.abc import Iterator, Sequence

from edgeloop.cards.markdown import Table
from edgeloop.cards.sources import Sources
from edgeloop.records import BenchmarkRecord, EmulatedBenchmark, FarmBenchmark, MeasuredBenchmark

PLATFORMS = ("STM32L4", "STM32U5", "STM32H7", "STM32MP1", "STM32MP2", "STM32N6")
"""Those of the published cards that edgeloop has a target for; others are added where a record speaks of them."""
MEASURED, FARM, EMULATED, GENERATED = "measured", "measured by ST's farm", "emulated", "code generated"
_SERIES = re.compile(r"STM32(?:MP\d|[A-Z]\d)")


def platform_table(variants: Sequence[Sources]) -> Table:
    """A row for each series, with the strongest that a record of these variants says of it."""
    order = [MEASURED, FARM, EMULATED, GENERATED]
    best: dict[str, str] = {}
    known = {found for sources in variants for found in _known(sources)}
    for series, how in sorted(known, key=lambda found: order.index(found[1])):
        best.setdefault(series, how)
    names = [*PLATFORMS, *sorted(set(best) - set(PLATFORMS))]
    return Table(["Platform", "Supported", "By"], [[name, "[x]" if name in best else "[]", best.get(name, "no record")] for name in names])


def _known(sources: Sources) -> Iterator[tuple[str, str]]:
    for record in sources.benchmarks.values():
        for series in _series(record):
            yield series, _how(record)
    if sources.codegen and sources.codegen.target and (found := _SERIES.search(sources.codegen.target.upper())):
        yield found[0], GENERATED


def _how(record: BenchmarkRecord) -> str:
    return {MeasuredBenchmark: MEASURED, FarmBenchmark: FARM, EmulatedBenchmark: EMULATED}[type(record)]


def _series(record: BenchmarkRecord) -> set[str]:
    """The series that the device is of; none of a machine that is no target."""
    if isinstance(record, EmulatedBenchmark):
        told = [record.part]
    elif isinstance(record, FarmBenchmark):
        told = [record.farm_board]
    elif record.target is None:
        told = []
    else:
        machine = record.machine
        told = [record.device, *((machine.model or "", *machine.compatible) if machine else ())]
        told += [one.code.target for one in record.models if one.code]
    return {found[0] for words in told if (found := _SERIES.search(words.upper()))}
