"""What the records in a bundle state: everything else in it that is no model and no code is made from these."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from edgeloop.errors import BundleError
from edgeloop.records import (
    BenchmarkRecord,
    CardRecord,
    CodegenRecord,
    EvaluateRecord,
    PrepareRecord,
    QuantizeRecord,
    Record,
    TrainRecord,
    ValidateRecord,
)
from edgeloop.records.base import misfit

FOLDER = "records/"
CARD = "records/card.json"
GENERATE = "records/generate.json"
BENCHMARKS = "records/benchmarks/"
RecordType = TypeVar("RecordType", bound=Record)
_BENCHMARK: TypeAdapter[BenchmarkRecord] = TypeAdapter(BenchmarkRecord)


@dataclass(frozen=True)
class Stated:
    """The records of one version."""

    card: CardRecord
    prepare: PrepareRecord
    validate: ValidateRecord
    train: TrainRecord
    quantize: QuantizeRecord
    evaluate: EvaluateRecord
    codegen: CodegenRecord | None
    benchmarks: dict[str, BenchmarkRecord]
    """By name in the bundle."""

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> "Stated":
        """Read them from the files of a bundle.

        Raises:
            BundleError: one is absent, or is no such record.
        """
        return cls(
            card=_read(files, CARD, CardRecord),
            prepare=_read(files, "records/prepare.json", PrepareRecord),
            validate=_read(files, "records/validate.json", ValidateRecord),
            train=_read(files, "records/train.json", TrainRecord),
            quantize=_read(files, "records/quantize.json", QuantizeRecord),
            evaluate=_read(files, "records/evaluate.json", EvaluateRecord),
            codegen=_read(files, GENERATE, CodegenRecord) if GENERATE in files else None,
            benchmarks={name: _benchmark(files, name) for name in sorted(files) if name.startswith(BENCHMARKS)},
        )

    @property
    def title(self) -> str | None:
        """Of the data set, as params.yaml had it when the card was made."""
        return _text(self.card.provenance.params.get("title"))

    @property
    def dataset_license(self) -> str | None:
        """As params.yaml had it when the card was made."""
        return _text(self.card.provenance.params.get("license"))

    def records(self) -> Iterator[tuple[str, Record]]:
        """Each record by its name in the bundle, in the order of the steps."""
        fixed = {name: getattr(self, name) for name in ("prepare", "validate", "train", "quantize", "evaluate")}
        yield from ((f"{FOLDER}{name}.json", record) for name, record in fixed.items())
        if self.codegen:
            yield GENERATE, self.codegen
        yield from self.benchmarks.items()
        yield CARD, self.card

    @property
    def tools(self) -> list[tuple[str, str]]:
        """Names and versions of all tools that the steps named, sorted; one that changed between steps is there twice."""
        return sorted({tool for _, record in self.records() for tool in record.provenance.tools.items()})

    @property
    def finished_utc(self) -> str:
        """When the last of the steps was done."""
        return max(record.provenance.time_utc for _, record in self.records())


def _read(files: Mapping[str, bytes], name: str, kind: type[RecordType]) -> RecordType:
    try:
        return kind.model_validate_json(files[name])
    except KeyError:
        raise BundleError(f"{name} is missing.") from None
    except ValidationError as error:
        raise BundleError(f"{name} is not a {kind.__name__} that this edgeloop reads: {misfit(error)}.") from None


def _benchmark(files: Mapping[str, bytes], name: str) -> BenchmarkRecord:
    try:
        return _BENCHMARK.validate_json(files[name])
    except ValidationError as error:
        raise BundleError(f"{name} is not a benchmark that this edgeloop reads: {misfit(error)}.") from None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
