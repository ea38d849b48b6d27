"""What a card is made from: the records of one variant, read together and checked to speak of the same model."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from edgeloop.errors import InputError
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
    _check_chain(sources)
    return sources


def _name(benchmark: Path) -> str:
    """`benchmarks/<board>.json`."""
    return f"{benchmark.parent.name}/{benchmark.name}"


def _check_chain(sources: Sources) -> None:
    """Every step must stand on what the step before it made; a card never mixes results of different models."""
    prepare, validate, train, quantize, evaluate = (
        sources.prepare,
        sources.validate,
        sources.train,
        sources.quantize,
        sources.evaluate,
    )
    _same("validate.json", "prepare.json", "data", validate.manifest_sha256, prepare.manifest_sha256)
    for name, record in (("train.json", train), ("quantize.json", quantize), ("evaluate.json", evaluate)):
        _same(name, "prepare.json", "data", _revision(record, prepare.manifest_sha256), prepare.manifest_sha256)
    _same("quantize.json", "train.json", "a model", quantize.model_sha256, train.model_sha256)
    files = {model.format: model.sha256 for model in quantize.models}
    for result in evaluate.formats:
        if result.sha256 != train.model_sha256:  # the float model may be evaluated as it was trained
            _same("evaluate.json", "quantize.json", f"a {result.format} model", result.sha256, files.get(result.format))
    if sources.codegen and sources.codegen.model_sha256 not in files.values():
        _same("generate.json", "quantize.json", "a model", sources.codegen.model_sha256 or "unknown", None)
    if not evaluate.formats:
        raise InputError("evaluate.json states no accuracy.", "Build it again: dvc repro evaluate.")


def _revision(record: Record, default: str) -> str:
    return record.provenance.data_revision or default


def _same(name: str, other: str, what: str, one: str, two: str | None) -> None:
    if one != two:
        raise InputError(f"{name} speaks of {what} that {other} does not know ({one[:12]}, not {(two or 'none')[:12]}).", "Run dvc repro.")
