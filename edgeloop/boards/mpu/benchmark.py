"""The benchmark on a Linux board: verify the outputs, measure, ask for the engines' shares, record. The caller holds the board."""

import datetime as dt
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.compare import compare
from edgeloop.boards.inputs import inputs_for, random_images, test_images
from edgeloop.boards.latency import Watch, measure, named, timed_runs
from edgeloop.boards.mpu.driver import CLOCK, MpuBoard, describe, runtime_text
from edgeloop.boards.mpu.machine import frequencies, has_npu, is_stm32
from edgeloop.boards.mpu.settings import MpuSettings
from edgeloop.boards.mpu.shares import engine_shares
from edgeloop.config import Benchmark, Params
from edgeloop.errors import InputError
from edgeloop.evaluation.evaluate import TOOLS
from edgeloop.files import sha256_file
from edgeloop.progress import progress
from edgeloop.records import Accuracy, CodegenRecord, LinuxMachine, MpuBenchmarkRecord, MpuMeasurement, MpuModelBenchmark, Part, provenance
from edgeloop.tflite.formats import FILES, Format
from edgeloop.tflite.interpreter import RUNTIME, LiteModel, Scores
from edgeloop.workspace import VariantPaths, Workspace

MOST_IMAGES = 64

Target = Literal["stm32mp", "linux"]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Binary:
    """An NPU binary, and the model that it was made of."""

    file: Path
    model: Path
    format: Format


class MpuModelReport(Part):
    """The latency of a model file on a Linux board."""

    kind: Literal["benchmark-mpu-model"] = "benchmark-mpu-model"
    origin: Literal["measured on hardware"] = "measured on hardware"
    model: str
    board: str
    target: Target
    """`linux` is an ordinary Linux machine: no target's figure."""
    device: str
    machine: LinuxMachine
    pixels: str
    """What the model was run on."""
    measured: MpuMeasurement


def benchmark_mpu(workspace: Workspace, params: Params, variant: str, settings: MpuSettings) -> MpuBenchmarkRecord:
    """Verify and time the models of a variant on a Linux board, on real test images; write the board's benchmark record.

    Raises:
        InputError: no such variant, it is not quantized, or its data set is not prepared.
        ModelError: a model is damaged.
        BoardError: the board fails in one of the ways of its kinds; no record is written.
    """
    started = dt.datetime.now(dt.UTC)
    chosen = params.variant(variant)
    paths = workspace.variant(chosen.dataset, chosen.network, chosen.resolution)
    images = test_images(workspace, chosen, MOST_IMAGES)
    board, models = MpuBoard(settings, params.benchmark.threads), []
    with ExitStack() as stack:
        stack.enter_context(closing(board))
        machine = board.machine()
        binary = _binary(paths, machine)
        total = (len(FILES) + (binary is not None)) * timed_runs(params.benchmark)
        advance = stack.enter_context(progress(f"benchmark on {settings.name}", total, "images"))
        for kind, name in FILES.items():
            file = paths.quantized / f"{name}.tflite"
            inputs = inputs_for(file, images.pixels, images.preprocessing)
            found = _measured(board, file, file, inputs, images.labels, params.benchmark, named(kind, advance))
            models.append(MpuModelBenchmark(format=kind, **dict(found)))
        if binary is not None:
            inputs = inputs_for(binary.model, images.pixels, images.preprocessing)
            found = _measured(board, binary.file, binary.model, inputs, images.labels, params.benchmark, named("NPU binary", advance))
            models.append(MpuModelBenchmark(format=binary.format, file="nb", **dict(found)))
    record = MpuBenchmarkRecord(
        provenance=provenance(workspace.root, {"benchmark": params.benchmark.model_dump()}, TOOLS, started, images.manifest_sha256),
        dataset=chosen.dataset,
        network=chosen.network,
        resolution=chosen.resolution,
        board=settings.name,
        board_kind=settings.kind,
        target=target(machine),
        device=describe(machine),
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
    images = random_images(model, MOST_IMAGES)
    with closing(MpuBoard(settings, how.threads)) as board:
        machine = board.machine()
        measured = _measured(board, model, model, inputs_for(model, images.pixels, images.preprocessing), None, how)
    return MpuModelReport(
        model=str(model),
        board=settings.name,
        target=target(machine),
        device=describe(machine),
        machine=machine,
        pixels=images.words,
        measured=measured,
    )


def target(machine: LinuxMachine) -> Target:
    """Whether figures of this machine are figures of a target."""
    return "stm32mp" if is_stm32(machine) else "linux"


def _binary(paths: VariantPaths, machine: LinuxMachine) -> Binary | None:
    """The NPU binary that was generated of the variant; None where there is none, or no NPU."""
    binaries = sorted(paths.generated.glob("*.nb"))
    if not binaries or not has_npu(machine):
        return None
    made_of = CodegenRecord.read(paths.generate_record).model_sha256
    for kind, name in FILES.items():
        model = paths.quantized / f"{name}.tflite"
        if sha256_file(model) == made_of:
            return Binary(binaries[0], model, kind)
    raise InputError(f"{binaries[0]} was generated from another model than there is now.", "Build it again: dvc repro.")


def _measured(
    board: MpuBoard,
    artifact: Path,
    model: Path,
    inputs: NDArray[Any],
    labels: Labels | None,
    how: Benchmark,
    watch: Watch | None = None,
) -> MpuMeasurement:
    """Flash an artifact that was made of `model`, or is it; the host runs the model."""
    board.flash(artifact)
    outputs = board.run(inputs).outputs
    order = cycle(range(len(inputs)))
    before = board.frequencies()
    latency = measure(lambda count: board.run(inputs[list(islice(order, count))]).latencies_ns, how, CLOCK, watch)
    after = board.frequencies()
    shares, no_shares = engine_shares(*board.engine_tool())
    return MpuMeasurement(
        sha256=sha256_file(artifact),
        runtime=runtime_text(board.loaded),
        engine=board.loaded.engine,
        threads=board.loaded.threads,
        latency=latency,
        cpu_frequencies=frequencies(before, after),
        compared=compare(outputs, _reference(model, inputs), f"{RUNTIME} {version(RUNTIME)} on the host"),
        accuracy=None if labels is None else Accuracy.of(int((outputs.argmax(axis=1) == labels).sum()), len(labels)),
        shares=shares,
        no_shares=no_shares,
    )


def _reference(model: Path, inputs: NDArray[Any]) -> Scores:
    """The scores (n, classes) of the host."""
    loaded = LiteModel(model)
    return np.concatenate([loaded.run(one[None]) for one in inputs])
