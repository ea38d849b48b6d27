"""What a card is made from: the records of one variant, read together and checked to speak of the same model."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from edgeloop.cards.chain import check_chain
from edgeloop.files import FINISHED
from edgeloop.records import (
    BenchmarkRecord,
    CodegenRecord,
    EvaluateRecord,
    FormatResult,
    PrepareRecord,
    QuantizeRecord,
    Record,
    TrainRecord,
    ValidateRecord,
    read_benchmark,
)
from edgeloop.records.history import read_history
from edgeloop.workspace import DatasetPaths, VariantPaths

HEADLINE = "int8 per-channel"
"""The format that plots and key figures show, where it is there: the one that is deployed."""


@dataclass(frozen=True)
class Sources:
    """The records of one variant."""

    prepare: PrepareRecord
    validate: ValidateRecord
    train: TrainRecord
    history: pd.DataFrame
    """A row for each epoch."""
    quantize: QuantizeRecord
    evaluate: EvaluateRecord
    codegen: CodegenRecord | None
    """The record of the generated code; None where none was generated."""
    benchmarks: dict[str, BenchmarkRecord]
    """By file name."""
    digests: dict[str, str]
    """SHA-256 of every record read, by file name."""

    @property
    def records(self) -> dict[str, Record]:
        """All of them by file name."""
        fixed: dict[str, Record] = {
            "prepare.json": self.prepare,
            "validate.json": self.validate,
            "train.json": self.train,
            "quantize.json": self.quantize,
            "evaluate.json": self.evaluate,
        }
        return fixed | ({"generate.json": self.codegen} if self.codegen else {}) | self.benchmarks

    @property
    def headline(self) -> FormatResult:
        """The evaluated format that plots and key figures show."""
        deployed = [result for result in self.evaluate.formats if result.format == HEADLINE]
        return (deployed or self.evaluate.formats)[-1]


def read_sources(dataset: DatasetPaths, variant: VariantPaths) -> Sources:
    """Read the records of a variant.

    Raises:
        InputError: one is absent or damaged, or two of them speak of different models or data.
    """
    performance = sorted(variant.benchmarks.glob(FINISHED))
    fixed = [
        dataset.prepare_record,
        dataset.validate_record,
        variant.train_record,
        variant.quantize_record,
        variant.evaluate_record,
    ]
    generated = [variant.generate_record] if variant.generate_record.is_file() else []
    named = {path.name: path for path in [*fixed, *generated]} | {_name(path): path for path in performance}
    sources = Sources(
        prepare=PrepareRecord.read(dataset.prepare_record),
        validate=ValidateRecord.read(dataset.validate_record),
        train=TrainRecord.read(variant.train_record),
        history=read_history(variant.history),
        quantize=QuantizeRecord.read(variant.quantize_record),
        evaluate=EvaluateRecord.read(variant.evaluate_record),
        codegen=CodegenRecord.read(variant.generate_record) if generated else None,
        benchmarks={_name(path): read_benchmark(path) for path in performance},
        digests={name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named.items()},
    )
    check_chain(sources.prepare, sources.validate, sources.train, sources.quantize, sources.evaluate, sources.codegen, sources.benchmarks)
    return sources


def _name(benchmark: Path) -> str:
    """`benchmarks/<board>.json`."""
    return f"{benchmark.parent.name}/{benchmark.name}"
