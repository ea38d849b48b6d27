"""Latency on the host that runs edgeloop: measured, and never a figure for a target."""

import datetime as dt
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from edgeloop.boards.host import HostBoard
from edgeloop.boards.inputs import inputs_for, random_images, test_images
from edgeloop.boards.latency import Watch, measure, named, timed_runs
from edgeloop.config import Benchmark, Params
from edgeloop.evaluation.evaluate import TOOLS
from edgeloop.files import sha256_file
from edgeloop.progress import progress
from edgeloop.records import BenchmarkRecord, HostBenchmark, MeasuredLatency, Part, provenance
from edgeloop.tflite.formats import FILES
from edgeloop.workspace import Workspace

BOARD = "host"
MOST_IMAGES = 64
"""Test images that take turns; more would only measure the memory they lie in."""


class ModelBenchmark(Part):
    """The latency of a model file on this host: never a figure for a target."""

    kind: Literal["benchmark-host-model"] = "benchmark-host-model"
    model: str
    sha256: str
    board: str
    device: str
    runtime: str
    threads: int
    pixels: str
    """What the model was run on."""
    latency: MeasuredLatency


def measure_variant(workspace: Workspace, params: Params, variant: str) -> BenchmarkRecord:
    """Time the float and int8 models of a variant on real test images; write the host's benchmark record.

    Raises:
        InputError: no such variant, it is not quantized, or its data set is not prepared.
        ModelError: a model is damaged.
    """
    started = dt.datetime.now(dt.UTC)
    chosen, settings = params.variant(variant), params.benchmark
    device = HostBoard(settings.threads)
    identity = device.identify()
    paths = workspace.variant(chosen.dataset, chosen.network, chosen.resolution)
    images = test_images(workspace, chosen, MOST_IMAGES)
    models = []
    with closing(device), progress(f"benchmark on {BOARD}", len(FILES) * timed_runs(settings), "images") as advance:
        for kind, name in FILES.items():
            file = paths.quantized / f"{name}.tflite"
            latency = _measure(device, file, inputs_for(file, images.pixels, images.preprocessing), settings, named(kind, advance))
            models.append(HostBenchmark(format=kind, sha256=sha256_file(file), latency=latency))
    record = BenchmarkRecord(
        provenance=provenance(workspace.root, {"benchmark": settings.model_dump()}, TOOLS, started, images.manifest_sha256),
        dataset=chosen.dataset,
        network=chosen.network,
        resolution=chosen.resolution,
        board=BOARD,
        device=identity.device,
        runtime=identity.runtime,
        threads=settings.threads,
        models=models,
    )
    record.write(paths.benchmark_record(BOARD))
    return record


def measure_model(model: Path, settings: Benchmark) -> ModelBenchmark:
    """Time any .tflite image classifier, on random pixels, which the result then says.

    Raises:
        InputError: no such file.
        ModelError: the model is damaged or is no image classifier.
    """
    device = HostBoard(settings.threads)
    identity = device.identify()
    images = random_images(model, MOST_IMAGES)
    with closing(device):
        latency = _measure(device, model, inputs_for(model, images.pixels, images.preprocessing), settings)
    return ModelBenchmark(
        model=str(model),
        sha256=sha256_file(model),
        board=BOARD,
        device=identity.device,
        runtime=identity.runtime,
        threads=settings.threads,
        pixels=images.words,
        latency=latency,
    )


def _measure(device: HostBoard, model: Path, inputs: NDArray[Any], settings: Benchmark, watch: Watch | None = None) -> MeasuredLatency:
    device.flash(model)
    order = cycle(range(len(inputs)))
    return measure(lambda count: device.run(inputs[list(islice(order, count))]).latencies_ns, settings, device.identify().clock, watch)
