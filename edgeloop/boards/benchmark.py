"""Step 7: the latency of a variant's models on a board, one image at a time."""

import datetime as dt
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.base import Board
from edgeloop.boards.host import HostBoard
from edgeloop.boards.latency import measure
from edgeloop.config import Benchmark, Params
from edgeloop.datasets.pixels import split_pixels
from edgeloop.errors import InputError
from edgeloop.evaluation.evaluate import SPLIT, TOOLS
from edgeloop.files import sha256_file
from edgeloop.preprocessing import FILE_NAME, Pixels, Preprocessing
from edgeloop.progress import progress
from edgeloop.records import BenchmarkRecord, HostBenchmark, MeasuredLatency, Part, provenance
from edgeloop.tflite.formats import FILES
from edgeloop.tflite.interpreter import LiteModel, encode
from edgeloop.tflite.trial import try_model
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match

BOARDS = ("host",)
MOST_IMAGES = 64
"""Test images that take turns; more would only measure the memory they lie in."""
SEED = 127


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


def benchmark(workspace: Workspace, params: Params, variant: str, board: str) -> BenchmarkRecord:
    """Time the float and int8 models of a variant on real test images; write the board's benchmark record.

    Raises:
        InputError: no such variant or board, the variant is not quantized, or its data set is not prepared.
        ModelError: a model is damaged.
    """
    started = dt.datetime.now(dt.UTC)
    chosen, settings = params.variant(variant), params.benchmark
    device = open_board(board, settings.threads)
    identity = device.identify()
    paths = workspace.variant(chosen.dataset, chosen.network, chosen.resolution)
    preprocessing = Preprocessing.read(paths.quantized / FILE_NAME)
    images = split_pixels(workspace, chosen.dataset, SPLIT, preprocessing)
    pixels = np.asarray(images.pixels[:: max(1, len(images.pixels) // MOST_IMAGES)][:MOST_IMAGES])
    models = []
    with closing(device), progress(f"benchmark on {board}", len(FILES), "models") as advance:
        for kind, name in FILES.items():
            file = paths.quantized / f"{name}.tflite"
            latency = _measure(device, file, inputs_for(file, pixels, preprocessing), settings)
            models.append(HostBenchmark(format=kind, sha256=sha256_file(file), latency=latency))
            advance()
    record = BenchmarkRecord(
        provenance=provenance(workspace.root, {"benchmark": settings.model_dump()}, TOOLS, started, images.manifest_sha256),
        dataset=chosen.dataset,
        network=chosen.network,
        resolution=chosen.resolution,
        board=board,
        device=identity.device,
        runtime=identity.runtime,
        threads=settings.threads,
        models=models,
    )
    record.write(paths.benchmark_record(board))
    return record


def benchmark_model(model: Path, board: str = "host", settings: Benchmark | None = None) -> ModelBenchmark:
    """Time any .tflite image classifier, on random pixels, which the result then says.

    Raises:
        InputError: no such file or board.
        ModelError: the model is damaged or is no image classifier.
    """
    chosen = settings or Benchmark()
    device = open_board(board, chosen.threads)
    identity = device.identify()
    try_model(model)
    side = LiteModel(model).side
    pixels = np.random.default_rng(SEED).integers(0, 256, (MOST_IMAGES, side, side, 3), np.uint8)
    unscaled = Preprocessing(resolution=side, resize="bilinear", input_range=(0.0, 1.0))
    with closing(device):
        latency = _measure(device, model, inputs_for(model, pixels, unscaled), chosen)
    return ModelBenchmark(
        model=str(model),
        sha256=sha256_file(model),
        board=board,
        device=identity.device,
        runtime=identity.runtime,
        threads=chosen.threads,
        pixels=f"uniformly random pixels, seed {SEED}: no photographs",
        latency=latency,
    )


def open_board(name: str, threads: int) -> Board:
    """The board of that name.

    Raises:
        InputError: there is none.
    """
    if name != "host":
        raise InputError(f"There is no board '{name}'{near_match(name, BOARDS)}.", f"There is: {', '.join(BOARDS)}.")
    return HostBoard(threads)


def inputs_for(model: Path, pixels: Pixels, preprocessing: Preprocessing) -> NDArray[Any]:
    """uint8 pixels (n, side, side, 3) in the type that the model's input has.

    Raises:
        InputError: the pixels are of another size.
        ModelError: the model is damaged or is no image classifier.
    """
    loaded = LiteModel(model)
    if loaded.side != pixels.shape[1]:
        raise InputError(f"{model} takes images of side {loaded.side}, not {pixels.shape[1]}.", "Build the variant again: dvc repro.")
    return preprocessing.normalised(pixels) if loaded.input.dtype == "float32" else encode(pixels, loaded.input.dtype)


def _measure(device: Board, model: Path, inputs: NDArray[Any], settings: Benchmark) -> MeasuredLatency:
    device.flash(model)
    order = cycle(range(len(inputs)))
    return measure(lambda count: device.run(inputs[list(islice(order, count))]).latencies_ns, settings, device.identify().clock)
