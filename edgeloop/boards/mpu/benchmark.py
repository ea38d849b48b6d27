"""The benchmark on a Linux board: verify the outputs, measure, ask for the engines' shares, record."""

import datetime as dt
from contextlib import closing
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.latency import measure
from edgeloop.boards.mpu.driver import CLOCK, MpuBoard, runtime_text
from edgeloop.boards.mpu.machine import frequencies, is_stm32
from edgeloop.boards.mpu.settings import MpuSettings
from edgeloop.boards.mpu.shares import engine_shares
from edgeloop.boards.sample import compare, stratified
from edgeloop.config import Benchmark, Params
from edgeloop.datasets.pixels import split_pixels
from edgeloop.evaluation.evaluate import SPLIT, TOOLS
from edgeloop.evaluation.metrics import accuracy
from edgeloop.files import sha256_file
from edgeloop.preprocessing import FILE_NAME, Preprocessing
from edgeloop.progress import progress
from edgeloop.records import LinuxMachine, MpuBenchmarkRecord, MpuMeasurement, MpuModelBenchmark, Part, provenance
from edgeloop.tflite.formats import FILES
from edgeloop.tflite.interpreter import RUNTIME, LiteModel, Scores, encode
from edgeloop.tflite.trial import try_model
from edgeloop.workspace import Workspace

MOST_IMAGES = 64
SEED = 127

Target = Literal["stm32mp", "linux"]
Labels = NDArray[np.int32]


class MpuModelReport(Part):
    """The latency of a model file on a Linux board."""

    kind: Literal["benchmark-mpu-model"] = "benchmark-mpu-model"
    origin: Literal["measured on hardware"] = "measured on hardware"
    model: str
    board: str
    target: Target
    """`linux` is an ordinary Linux machine: no target's figure."""
    machine: LinuxMachine
    pixels: str
    """What the model was run on."""
    measured: MpuMeasurement


def benchmark_mpu(workspace: Workspace, params: Params, variant: str, settings: MpuSettings) -> MpuBenchmarkRecord:
    """Verify and time the models of a variant on a Linux board, on real test images; write the board's benchmark record.

    The caller holds the board.

    Raises:
        InputError: no such variant, it is not quantized, or its data set is not prepared.
        ModelError: a model is damaged.
        BoardError: the board fails in one of the ways of its kinds; no record is written.
    """
    started = dt.datetime.now(dt.UTC)
    chosen = params.variant(variant)
    paths = workspace.variant(chosen.dataset, chosen.network, chosen.resolution)
    preprocessing = Preprocessing.read(paths.quantized / FILE_NAME)
    images = split_pixels(workspace, chosen.dataset, SPLIT, preprocessing)
    places = stratified(images.labels, MOST_IMAGES)
    pixels, labels = np.asarray(images.pixels[places]), images.labels[places]
    board, models = MpuBoard(settings, params.benchmark.threads), []
    with closing(board), progress(f"benchmark on {settings.name}", len(FILES), "models") as advance:
        machine = board.machine()
        for kind, name in FILES.items():
            file = paths.quantized / f"{name}.tflite"
            measured = _measured(board, file, _inputs(LiteModel(file), pixels, preprocessing), labels, params.benchmark)
            models.append(MpuModelBenchmark(format=kind, **dict(measured)))
            advance()
    record = MpuBenchmarkRecord(
        provenance=provenance(workspace.root, {"benchmark": params.benchmark.model_dump()}, TOOLS, started, images.manifest_sha256),
        dataset=chosen.dataset,
        network=chosen.network,
        resolution=chosen.resolution,
        board=settings.name,
        board_kind=settings.kind,
        target=target(machine),
        machine=machine,
        models=models,
    )
    record.write(paths.benchmark_record(settings.name))
    return record


def benchmark_model_on_mpu(model: Path, settings: MpuSettings, how: Benchmark) -> MpuModelReport:
    """Verify and time any .tflite image classifier on a Linux board, on random pixels, which the report says.

    Raises:
        InputError: no such file.
        ModelError: the model is damaged or is no image classifier.
        BoardError: the board fails in one of the ways of its kinds.
    """
    try_model(model)
    loaded = LiteModel(model)
    pixels = np.random.default_rng(SEED).integers(0, 256, (MOST_IMAGES, loaded.side, loaded.side, 3), np.uint8)
    unscaled = Preprocessing(resolution=loaded.side, resize="bilinear", input_range=(0.0, 1.0))
    board = MpuBoard(settings, how.threads)
    with closing(board):
        machine = board.machine()
        measured = _measured(board, model, _inputs(loaded, pixels, unscaled), None, how)
    return MpuModelReport(
        model=str(model),
        board=settings.name,
        target=target(machine),
        machine=machine,
        pixels=f"uniformly random pixels, seed {SEED}: no photographs",
        measured=measured,
    )


def target(machine: LinuxMachine) -> Target:
    """Whether figures of this machine are figures of a target."""
    return "stm32mp" if is_stm32(machine) else "linux"


def _measured(board: MpuBoard, model: Path, inputs: NDArray[Any], labels: Labels | None, how: Benchmark) -> MpuMeasurement:
    board.flash(model)
    outputs = board.run(inputs).outputs
    order = cycle(range(len(inputs)))
    before = board.frequencies()
    latency = measure(lambda count: board.run(inputs[list(islice(order, count))]).latencies_ns, how, CLOCK)
    after = board.frequencies()
    shares, no_shares = engine_shares(*board.engine_tool())
    return MpuMeasurement(
        sha256=sha256_file(model),
        runtime=runtime_text(board.loaded),
        engine=board.loaded.engine,
        threads=board.loaded.threads,
        latency=latency,
        cpu_frequencies=frequencies(before, after),
        compared=compare(outputs, _reference(model, inputs), f"{RUNTIME} {version(RUNTIME)} on the host"),
        accuracy=None if labels is None else accuracy(int((outputs.argmax(axis=1) == labels).sum()), len(labels)),
        shares=shares,
        no_shares=no_shares,
    )


def _reference(model: Path, inputs: NDArray[Any]) -> Scores:
    """The scores (n, classes) of the host."""
    loaded = LiteModel(model)
    return np.concatenate([loaded.run(one[None]) for one in inputs])


def _inputs(model: LiteModel, pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[Any]:
    return preprocessing.normalised(pixels) if model.input.dtype == "float32" else encode(pixels, model.input.dtype)
