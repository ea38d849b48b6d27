"""What the index tells of a published version, from the records that are published with it; entries of before have fewer fields."""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from edgeloop.cards.memory import total_flash_bytes, total_ram_bytes
from edgeloop.errors import StoreError
from edgeloop.records import (
    BenchmarkRecord,
    CodegenRecord,
    EmulatedBenchmark,
    EvaluateRecord,
    FarmBenchmark,
    MeasuredBenchmark,
    PrepareRecord,
    QuantizeRecord,
    TrainRecord,
)
from edgeloop.records.base import misfit
from edgeloop.resolution import AnyResolution, Color

Entry = TypeVar("Entry", bound=BaseModel)
How = Literal["measured", "farm", "no target", "emulated"]
"""Measured on a target here, by ST's farm (one figure without a spread), on a machine that is no target; or counted by an emulator."""
_BENCHMARK: TypeAdapter[BenchmarkRecord] = TypeAdapter(BenchmarkRecord)


class Part(BaseModel):
    """What other versions of edgeloop wrote is read, too: unknown keys are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Top1(Part):
    """Top 1 accuracy of one format on the test split, 0 to 1."""

    format: str
    top1: float
    n: int
    ci95: tuple[float, float]


class Code(Part):
    """What the generated code takes; null is what is not stated."""

    target: str | None
    backend: str
    ram_bytes: int | None
    flash_bytes: int | None


class OnBoard(Part):
    """One model on one board: a time, or executed instructions, never both."""

    board: str
    device: str
    how: How
    format: str | None
    ms: float | None = None
    mad_ms: float | None = None
    """Null where no spread is told."""
    instructions: int | None = None
    doubt: str = ""
    """Why the figure should not be relied on; empty where nothing speaks against it."""
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    """Of the code on it, where the record states that."""


class Summary(Part):
    """What one chooses a model by."""

    variant: str
    dataset: str
    archive: str
    network: str
    resolution: AnyResolution
    color: Color = "rgb"
    split: str
    accuracy: list[Top1]
    weight_bytes: dict[str, int]
    """By format."""
    macs: int
    commit: str | None
    evaluated: str
    code: Code | None = None
    boards: list[OnBoard] = []


class Published(Summary):
    """A version in the store: what its variant's `latest.json` and `versions.json`, and the index, say of it."""

    version: str
    page: str
    """The address of its card, relative to the index."""
    published: str | None = None
    """When; null in entries of before."""
    versions: int | None = None
    """How many of the variant had been published then, this one included; null in entries of before."""


class Champion(Published):
    """The version that is champion of its variant."""

    since: str


class Current(Published):
    """The version that was published last, in its variant's `latest.json` and in the index; with the champion beside it."""

    champion: Champion | None = None
    given_up: bool = False
    """Whether a roll-back took it away."""


def read_published(where: str, entry: object) -> Published:
    """An entry of the list of versions at that address.

    Raises:
        StoreError: it lacks what every entry has had.
    """
    return _read(Published, where, entry)


def read_current(where: str, entry: object) -> Current:
    """A variant's entry in the index at that address.

    Raises:
        StoreError: it lacks what every entry has had.
    """
    return _read(Current, where, entry)


def _read(kind: type[Entry], where: str, entry: object) -> Entry:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        raise StoreError(f"{where} is damaged: {misfit(error)}.", "Delete it and publish that variant again.") from None


def summarize(files: Mapping[str, bytes], name: str) -> Summary:
    """The summary of a version, from its records among the files."""
    evaluated = EvaluateRecord.model_validate_json(files["records/evaluate.json"])
    prepared = PrepareRecord.model_validate_json(files["records/prepare.json"])
    trained = TrainRecord.model_validate_json(files["records/train.json"])
    quantized = QuantizeRecord.model_validate_json(files["records/quantize.json"])
    formats = {model.sha256: str(model.format) for model in quantized.models}
    return Summary(
        variant=name,
        dataset=evaluated.dataset,
        archive=prepared.archive.note,
        network=evaluated.network,
        resolution=evaluated.resolution,
        color=evaluated.color,
        split=evaluated.split,
        accuracy=[
            Top1(format=result.format, top1=result.top1.value, n=result.top1.n, ci95=result.top1.ci95) for result in evaluated.formats
        ],
        weight_bytes={model.format: model.weight_bytes for model in quantized.models},
        macs=trained.macs,
        commit=trained.provenance.git_commit,
        evaluated=evaluated.provenance.time_utc,
        code=_code(files),
        boards=[found for content in _benchmarks(files) for found in _on_board(_BENCHMARK.validate_json(content), formats)],
    )


def _benchmarks(files: Mapping[str, bytes]) -> list[bytes]:
    return [content for file, content in sorted(files.items()) if file.startswith("records/benchmarks/")]


def _code(files: Mapping[str, bytes]) -> Code | None:
    if (content := files.get("records/generate.json")) is None:
        return None
    record = CodegenRecord.model_validate_json(content)
    sizes = {"ram_bytes": total_ram_bytes(record), "flash_bytes": total_flash_bytes(record)}
    return Code(target=record.target, backend=record.backend.name, **sizes)


def _on_board(record: BenchmarkRecord, formats: Mapping[str, str]) -> Iterator[OnBoard]:
    if isinstance(record, EmulatedBenchmark):
        yield _emulated(record, formats)
    elif isinstance(record, FarmBenchmark):
        yield from _farm(record)
    else:
        yield from _measured(record)


def _measured(record: MeasuredBenchmark) -> Iterator[OnBoard]:
    how: How = "measured" if record.target else "no target"
    for one in record.models:
        doubts = ["unstable"] * bool(one.latency.unstable) + ["its outputs are not those of the model"] * (not one.compared.agrees)
        yield OnBoard(
            board=record.board,
            device=record.device,
            how=how,
            format=one.format,
            ms=one.latency.median_ms,
            mad_ms=one.latency.mad_ms,
            doubt=", ".join(doubts),
            ram_bytes=total_ram_bytes(one.code) if one.code else None,
            flash_bytes=total_flash_bytes(one.code) if one.code else None,
        )


def _farm(record: FarmBenchmark) -> Iterator[OnBoard]:
    for one in record.models:
        yield OnBoard(
            board=record.board,
            device=record.farm_board,
            how="farm",
            format=one.format,
            ms=one.latency_ms,
            ram_bytes=total_ram_bytes(one.code) if one.code else None,
            flash_bytes=total_flash_bytes(one.code) if one.code else None,
        )


def _emulated(record: EmulatedBenchmark, formats: Mapping[str, str]) -> OnBoard:
    return OnBoard(
        board=record.board,
        device=record.part,
        how="emulated",
        format=formats.get(record.model_sha256),
        instructions=record.instructions.median,
        doubt="" if record.equal_outputs == record.images else "its outputs are not those of the model",
    )
