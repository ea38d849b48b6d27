"""Whether the records of a variant speak of one model and one state of the data."""

from collections.abc import Mapping

from edgeloop.errors import InputError
from edgeloop.records import CodegenRecord, EvaluateRecord, PrepareRecord, QuantizeRecord, Record, TrainRecord, ValidateRecord


def check_chain(
    prepare: PrepareRecord,
    validate: ValidateRecord,
    train: TrainRecord,
    quantize: QuantizeRecord,
    evaluate: EvaluateRecord,
    codegen: CodegenRecord | None,
    benchmarks: Mapping[str, Record],
) -> None:
    """Every step must stand on what the step before it made; a card never mixes results of different models. Benchmarks are by file name.

    Raises:
        InputError: it names the first two records that do not fit.
    """
    _same("validate.json", "prepare.json", "data", validate.manifest_sha256, prepare.manifest_sha256)
    later: dict[str, Record] = {"train.json": train, "quantize.json": quantize, "evaluate.json": evaluate}
    for name, record in (later | ({"generate.json": codegen} if codegen else {}) | dict(benchmarks)).items():
        _same(name, "prepare.json", "data", record.provenance.data_revision or prepare.manifest_sha256, prepare.manifest_sha256)
    _same("quantize.json", "train.json", "a model", quantize.model_sha256, train.model_sha256)
    files = {model.format: model.sha256 for model in quantize.models}
    for result in evaluate.formats:
        if result.sha256 != train.model_sha256:  # the float model may be evaluated as it was trained
            _same("evaluate.json", "quantize.json", f"a {result.format} model", result.sha256, files.get(result.format))
    if codegen and codegen.model_sha256 not in files.values():
        _same("generate.json", "quantize.json", "a model", codegen.model_sha256 or "unknown", None)
    if not evaluate.formats:
        raise InputError("evaluate.json states no accuracy.", "Build it again: dvc repro evaluate.")


def _same(name: str, other: str, what: str, one: str, two: str | None) -> None:
    if one != two:
        raise InputError(f"{name} speaks of {what} that {other} does not know ({one[:12]}, not {(two or 'none')[:12]}).", "Run dvc repro.")
