"""What the records of one version state, as the rules ask for it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgeloop.errors import InputError
from edgeloop.records import (
    BenchmarkRecord,
    Check,
    CodegenRecord,
    EmulatedBenchmark,
    EvaluateRecord,
    FarmMeasurement,
    FormatResult,
    Measurement,
    ValidateRecord,
    Verdict,
    benchmark_of,
)
from edgeloop.tflite.formats import DEPLOYED

FLOAT = "float"
Value = float | str | None


@dataclass(frozen=True)
class Facts:
    """The records of a version, by the names that they have in it (`records/evaluate.json`), and their digests."""

    files: Mapping[str, bytes]
    digests: Mapping[str, str]
    boards: tuple[str, ...]
    """On which params.yaml has it measured."""

    def check(self, rule: str, record: str | None, limit: float | str, value: Value, verdict: Verdict | bool, said: str) -> Check:
        """A rule, judged by that record."""
        judged: Verdict = verdict if isinstance(verdict, str) else "passes" if verdict else "fails"
        digest = self.digests.get(record) if record else None
        return Check(rule=rule, limit=limit, value=value, verdict=judged, said=said, record=record, record_sha256=digest)

    @property
    def evaluate(self) -> EvaluateRecord:
        return EvaluateRecord.model_validate_json(self.files[EVALUATE])

    @property
    def validate(self) -> ValidateRecord:
        return ValidateRecord.model_validate_json(self.files[VALIDATE])

    @property
    def codegen(self) -> CodegenRecord | None:
        content = self.files.get(GENERATE)
        return None if content is None else CodegenRecord.model_validate_json(content)

    def format(self, name: str) -> FormatResult:
        """The accuracy of one format.

        Raises:
            InputError: it was not evaluated.
        """
        found = next((result for result in self.evaluate.formats if result.format == name), None)
        if found is None:
            raise InputError(f"The evaluation states nothing of the {name} model.", "Evaluate it again: dvc repro evaluate@VARIANT")
        return found

    @property
    def deployed(self) -> FormatResult:
        """The int8 model that is judged."""
        return self.format(DEPLOYED)

    def benchmark(self, board: str) -> BenchmarkRecord | None:
        """What a board measured; None where there is no record of this version's models."""
        content = self.files.get(benchmark_name(board))
        if content is None:
            return None
        record = benchmark_of(content, benchmark_name(board))
        return record if record.digests & {result.sha256 for result in self.evaluate.formats} else None

    def int8_on(self, board: str) -> Measurement | FarmMeasurement | None:
        """The int8 model on a board: the one that is deployed, or the other one where the board takes only that."""
        record = self.benchmark(board)
        if record is None or isinstance(record, EmulatedBenchmark):
            return None
        ordered = sorted((model for model in record.models if model.format != FLOAT), key=lambda model: model.format != DEPLOYED)
        return next(iter(ordered), None)

    def agreements(self) -> Iterator[tuple[str, int, int]]:
        """Board, images with the host's class, and compared images; of an emulated board only images with equal scores count."""
        for board in self.boards:
            record, model = self.benchmark(board), self.int8_on(board)
            if isinstance(record, EmulatedBenchmark):
                yield board, record.equal_outputs, record.images
            elif isinstance(model, Measurement):
                yield board, model.compared.same_class, model.compared.images


EVALUATE, VALIDATE, GENERATE = (f"records/{step}.json" for step in ("evaluate", "validate", "generate"))


def benchmark_name(board: str) -> str:
    """The record of a board, as it is named in a version."""
    return f"records/benchmarks/{board}.json"
