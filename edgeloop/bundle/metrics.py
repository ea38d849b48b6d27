"""What the records measured, as performance metrics of a CycloneDX model card. How a figure came about is part of its type."""

from collections.abc import Iterator, Mapping

from edgeloop.bundle.stated import Stated
from edgeloop.records import Accuracy, BenchmarkRecord, EmulatedBenchmark, FarmBenchmark

Metric = dict[str, str | dict[str, str]]


def performance(stated: Stated) -> Iterator[Metric]:
    """Accuracies of each format, then what each board says."""
    evaluate = stated.evaluate
    for result in evaluate.formats:
        where = f"{evaluate.split} of {evaluate.dataset}, {result.format}, n = {result.top1.n}"
        yield _accuracy("top-1 accuracy", result.top1, where)
        if result.top5:
            yield _accuracy("top-5 accuracy", result.top5, where)
    formats = {model.sha256: str(model.format) for model in stated.quantize.models}
    for record in stated.benchmarks.values():
        yield from _of_board(record, formats)


def _accuracy(kind: str, accuracy: Accuracy, where: str) -> Metric:
    low, high = accuracy.ci95
    return _metric(kind, accuracy.value, where) | {"confidenceInterval": {"lowerBound": f"{low:.6g}", "upperBound": f"{high:.6g}"}}


def _of_board(record: BenchmarkRecord, formats: Mapping[str, str]) -> Iterator[Metric]:
    if isinstance(record, EmulatedBenchmark):
        where = f"{formats.get(record.model_sha256, 'a model file')} on {record.board} ({record.part})"
        yield _metric("executed instructions, emulated", record.instructions.median, where)
    elif isinstance(record, FarmBenchmark):
        for told in record.models:
            yield _metric("latency in ms, one figure of ST's farm", told.latency_ms, f"{told.format} on {record.farm_board}")
    else:
        how = "median latency in ms, measured" if record.target else "median latency in ms, measured on a host that is no target"
        for one in record.models:
            yield _metric(how, one.latency.median_ms, f"{one.format} on {record.board} ({record.device})")


def _metric(kind: str, value: float, where: str) -> Metric:
    return {"type": kind, "value": f"{value:.6g}" if isinstance(value, float) else str(value), "slice": where}
