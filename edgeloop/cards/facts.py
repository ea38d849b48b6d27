"""Every number that a card may say: those that its records hold, as cards write them, and what is reckoned from them."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from edgeloop.cards.gallery import Sample
from edgeloop.cards.memory import Code, total_flash_bytes, total_ram_bytes
from edgeloop.cards.names import network_title
from edgeloop.cards.sources import Sources
from edgeloop.confidence import Bin
from edgeloop.markup import one_line
from edgeloop.records import (
    BenchmarkRecord,
    EmulatedBenchmark,
    FarmBenchmark,
    McuCode,
    MeasuredBenchmark,
    Record,
)
from edgeloop.records.benchmarks import drift
from edgeloop.resolution import CHANNELS, Size

STATED = "stated by a step of the pipeline"
MEASURED = "measured on a target"
NO_TARGET = "measured on a machine that is no target"
FARM = "one figure of ST's farm"
EMULATED = "emulated"
ESTIMATED = "estimated"
PUBLISHED = "published by others"
NUMBER = re.compile(r"(?<![A-Za-z_\d.])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)*(?:e[-+]\d+)?)(?!\d)")
"""A number within text; digits behind a letter belong to a name (int8, STM32)."""
_DIGEST = re.compile(r"\b[0-9a-f]{12,}\b")


@dataclass
class Facts:
    """What may be said, and how each number came about."""

    numbers: dict[str, set[str]] = field(default_factory=dict)
    """For each number as it may be written, commas left away, how it came about: in several ways where several records hold it."""
    words: set[str] = field(default_factory=set)
    """Texts of records that hold digits: they may be said as they are."""

    def add(self, basis: str, *values: float | None) -> None:
        """Numbers in every form in which cards write them."""
        for value in values:
            for form in forms(value) if value is not None else ():
                self.numbers.setdefault(form, set()).add(basis)

    def say(self, basis: str, *texts: str) -> None:
        """Texts that may be said as they are; one that is a number is a number."""
        for text in map(one_line, texts):
            if NUMBER.fullmatch(text):
                self.numbers.setdefault(bare(text), set()).add(basis)
            elif any(letter.isdigit() for letter in text) or digests(text):
                self.words |= {text, text.replace("`", "'")}  # as code spans show it

    def join(self, other: "Facts") -> None:
        """What another one holds, too."""
        self.words |= other.words
        for number, bases in other.numbers.items():
            self.numbers.setdefault(number, set()).update(bases)

    def take(self, basis: str, value: Any) -> None:
        """Everything that a record, or a part of one, holds. What generators state of code is stated, whoever measured it."""
        if isinstance(value, McuCode):
            basis = STATED
        if isinstance(value, BaseModel):
            for name in type(value).model_fields:
                self.take(ESTIMATED if name == "estimated" else basis, getattr(value, name))
        elif isinstance(value, Mapping):
            self.say(basis, *map(str, value))
            self.take(basis, list(value.values()))
        elif isinstance(value, str):
            self.say(basis, value)
        elif isinstance(value, Iterable):
            for one in value:
                self.take(basis, one)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self.add(basis, value)


def bare(number: str) -> str:
    """A number without the commas between its thousands."""
    return number.replace(",", "")


def parted(text: str) -> str:
    """With a space in place of the x of resolutions and shapes, so that each number stands alone."""
    return re.sub(r"(?<=\d)x(?=\d)", " ", text)


def digests(text: str) -> list[str]:
    """What may be the beginning of a digest or of a commit."""
    return _DIGEST.findall(text)


def forms(value: float) -> Iterator[str]:
    """How cards write a number: as it is, rounded, in per cent, in KiB, in thousands and millions, in hexadecimal."""
    size = abs(value)
    if not math.isfinite(size):
        return
    if isinstance(value, int):
        yield from (str(size), f"0x{size:x}")
    for unit in (size, 100 * size, size / 1000, size / 1024, size / 1e6):
        yield from (f"{unit:.{decimals}f}" for decimals in range(1, 5))
        yield from (f"{unit:g}", f"{unit:.3g}", f"{unit:.10g}")
    yield from (f"{size:.0f}", f"{100 * size:.0f}", f"{size:.6f}")


def basis_of(record: Record) -> str:
    """How the figures of a record came about."""
    if isinstance(record, MeasuredBenchmark):
        return MEASURED if record.target else NO_TARGET
    return {FarmBenchmark: FARM, EmulatedBenchmark: EMULATED}.get(type(record), STATED)


def facts_of(sources: Sources, said: Sequence[str], bins: Sequence[Bin], answers: Iterable[Sample]) -> Facts:
    """What the card of a variant may say.

    `said` are words of params.yaml (title, license, address); `bins` and `answers` are of what the model said on test.
    """
    facts = Facts()
    for record in sources.records.values():
        facts.take(basis_of(record), record)
    network = sources.train.network
    facts.say(STATED, network_title(network), network.rpartition("_")[2], *said, *sources.digests, *sources.digests.values())
    for one in answers:
        facts.say(STATED, one.path)
        facts.add(STATED, one.score)
    for bin in bins:
        facts.add(STATED, bin.low, bin.high, bin.n, bin.confidence, bin.accuracy)
    facts.add(STATED, *_counted(sources), *_lost(sources), *_sizes(sources), *_epochs(sources))
    for record in sources.benchmarks.values():
        _derive(facts, basis_of(record), record)
    return facts


def _counted(sources: Sources) -> Iterator[float]:
    """Lengths and sums of what the records list."""
    prepare, evaluate, train = sources.prepare, sources.evaluate, sources.train
    size = Size.of(train.resolution)
    yield from (size.width, size.height, CHANNELS[train.color], len(prepare.classes), len(train.classes), len(sources.validate.results))
    yield from (sum(prepare.quarantined.values()), len(sources.quantize.calibration_per_class))
    for label in prepare.classes:
        yield sum(split.per_class.get(label, 0) for split in prepare.splits.values())
        yield from (split.per_class.get(label, 0) for split in prepare.splits.values())
    for result in evaluate.formats:
        for row in result.confusion:
            yield sum(row)
            yield from (count / sum(row) for count in row if count)
        if result.per_class:
            yield max(one.n for one in result.per_class) / result.top1.n
    if sources.codegen and sources.codegen.layers:
        yield len(sources.codegen.layers)


def _lost(sources: Sources) -> Iterator[float]:
    """What a doubt may say: points lost against float, and where the loss ended."""
    best = sources.evaluate.formats[0].top1.value
    yield from (best - result.top1.value for result in sources.evaluate.formats)
    yield math.log(len(sources.train.classes))
    for _, losses in sources.history.groupby("fit")["train_loss"]:
        yield from (float(losses.iloc[-1]), float(losses.min()))


def _epochs(sources: Sources) -> Iterator[int]:
    """How many a refit repeated, and the places of the phases."""
    for fit in sources.train.fits:
        yield fit.epoch - fit.begun_after
        yield from range(1, len(fit.phases) + 1)


def _sizes(sources: Sources) -> Iterator[int | None]:
    """Sums of what generators state."""
    codes: list[Code] = [code for record in sources.benchmarks.values() for code in _codes(record)]
    for code in [*codes, *([sources.codegen] if sources.codegen else [])]:
        yield from (total_ram_bytes(code), total_flash_bytes(code))
        if code.activation_ram_bytes is not None:
            yield code.activation_ram_bytes + (code.io_ram_bytes or 0)
    for layer in (sources.codegen.layers or []) if sources.codegen else []:
        yield math.prod(layer.output_shape or [])


def _codes(record: BenchmarkRecord) -> list[McuCode]:
    return [] if isinstance(record, EmulatedBenchmark) else [one.code for one in record.models if one.code]


def _derive(facts: Facts, basis: str, record: BenchmarkRecord) -> None:
    """Rates, sums and shares of a benchmark."""
    if isinstance(record, EmulatedBenchmark) and record.macs:
        facts.add(basis, record.instructions.median / record.macs)
        if record.estimated:
            facts.add(ESTIMATED, record.estimated.cycles / record.macs)
    if isinstance(record, MeasuredBenchmark):
        for one in record.models:
            facts.add(basis, 1000 / one.latency.median_ms, drift(one.latency.window_medians_ms))
            facts.add(basis, one.layer_times.sum_ms if one.layer_times else None)
