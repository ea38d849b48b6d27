"""Generated code on a virtual board: executed instructions, and whether its outputs equal the host's reference results."""

import datetime as dt
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.base import EmulatedRun
from edgeloop.boards.inputs import Images, inputs_for, random_images, test_images
from edgeloop.boards.stm32msg.exchange import V31
from edgeloop.boards.stm32msg.results import Disturbances, NetworkInformation, Operation
from edgeloop.boards.stm32msg.run import Mode
from edgeloop.boards.virtual_board import KINDS, VirtualBoard
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.config import Params, Variant
from edgeloop.errors import BoardError, InputError, WrongOutputs
from edgeloop.files import sha256_file
from edgeloop.progress import progress
from edgeloop.records import CodegenRecord, EmulatedBenchmarkRecord, EmulatedLayer, ExecutedInstructions, Provenance, provenance
from edgeloop.tflite.formats import FILES
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.workspace import VariantPaths, Workspace

TOOLS = ["ai-edge-litert", "numpy", "pyserial", "unicorn"]
BACKEND = "portable"
"""Whose code a virtual board runs: that of other generators needs libraries of their own."""


def emulate_variant(workspace: Workspace, params: Params, variant: str, board: str, count: int) -> EmulatedBenchmarkRecord:
    """Run a variant's generated code on `count` test images; write the board's benchmark record.

    Raises:
        InputError: no such variant, or no code was generated of its present model.
        ModelError: the code does not fit into the board's part.
        ToolchainError: there is no compiler.
        WrongOutputs: an output differs from the reference; no record is written.
        BoardError: the board does not do what it should.
    """
    started = dt.datetime.now(dt.UTC)
    chosen = params.variant(variant)
    paths = workspace.variant(chosen.dataset, chosen.network, chosen.resolution)
    codegen = CodegenRecord.read(paths.generate_record)
    model = _generated_from(codegen, paths, variant)
    images = test_images(workspace, chosen, count)
    task = _Task(board, model, paths.generated, codegen, images)
    made = task.run()
    used = provenance(workspace.root, {"benchmark": {"images": count}}, TOOLS, started, images.manifest_sha256)
    record = task.record(made, used, chosen)
    record.write(paths.benchmark_record(board))
    return record


def _generated_from(codegen: CodegenRecord, paths: VariantPaths, variant: str) -> Path:
    """The variant's model that its code was generated from."""
    if codegen.backend.name != BACKEND:
        raise InputError(
            f"{paths.generated} holds code of {codegen.backend.name}; a virtual board runs that of the portable generator.",
            "Set generate.backend to portable in params.yaml.",
        )
    for name in FILES.values():
        model = paths.quantized / f"{name}.tflite"
        if model.is_file() and sha256_file(model) == codegen.model_sha256:
            return model
    raise InputError(
        f"{paths.generated} was generated from another model than {paths.quantized} holds.", f"Run: dvc repro generate@{variant}"
    )


def emulate_model(model: Path, board: str, count: int) -> EmulatedBenchmarkRecord:
    """Generate code of any int8 .tflite image classifier and run it on `count` images of random pixels.

    Raises:
        InputError: no such file.
        ModelError: the model is damaged, no code can be generated of it, or it does not fit into the board's part.
        ToolchainError: there is no compiler.
        WrongOutputs: an output differs from the reference; no record is written.
        BoardError: the board does not do what it should.
    """
    started = dt.datetime.now(dt.UTC)
    images = random_images(model, count)
    with tempfile.TemporaryDirectory(prefix="edgeloop-generated-") as name:
        generated = Path(name) / "generated"
        codegen = generate_file(model, generated, Options(target=KINDS[board].target, backend=BACKEND))
        task = _Task(board, model, generated, codegen, images)
        made = task.run()
    return task.record(made, provenance(Path.cwd(), {"benchmark": {"images": count}}, TOOLS, started), None)


@dataclass(frozen=True)
class Comparison:
    """A board's outputs beside the host's."""

    equal: int
    """Images on which all bits are the same."""
    max_difference: float


def compare(board: NDArray[Any], host: NDArray[Any]) -> Comparison:
    """Outputs (n, classes) of one type, bit by bit and by their largest difference.

    Raises:
        BoardError: they are of another type or shape than the host's.
    """
    if board.dtype != host.dtype or board.shape != host.shape:
        raise BoardError(
            f"The board gives {board.dtype} {list(board.shape)} where the host gives {host.dtype} {list(host.shape)}.",
            "The firmware holds another model: build it again.",
        )
    equal = sum(one.tobytes() == other.tobytes() for one, other in zip(board, host, strict=True))
    return Comparison(equal, float(np.abs(board.astype(np.float64) - host.astype(np.float64)).max()))


def check_equal(board: str, comparison: Comparison, images: int) -> None:
    """Generated code gives the reference's bits everywhere; the instructions of code that does not are no figure of the model.

    Raises:
        WrongOutputs: an output differs.
    """
    if comparison.equal < images:
        raise WrongOutputs(
            f"{board} gives other outputs than LiteRT's reference kernels on {images - comparison.equal} of {images} images, "
            f"by {comparison.max_difference:g} at most; the generated code gives the same bits everywhere.",
            "Its code was changed by hand, or a kernel or the compiler is wrong: generate it anew; if it stays, report it.",
        )


def reference_outputs(model: Path, inputs: NDArray[Any]) -> NDArray[Any]:
    """What LiteRT's reference kernels give on this host: (n, classes) in the output's own type.

    Raises:
        InputError: there is no such file.
        ModelError: it does not run.
    """
    loaded = LiteModel(model, reference=True)
    outputs = []
    for image in inputs:
        loaded.set_input(image[None])
        loaded.invoke()
        outputs.append(loaded.stored().copy())
    return np.concatenate(outputs)


@dataclass(frozen=True)
class _Outcome:
    """What a virtual board did with all images."""

    run: EmulatedRun
    layers: tuple[Operation, ...]
    comparison: Comparison
    device: VirtualBoard
    network: NetworkInformation
    disturbances: Disturbances


@dataclass(frozen=True)
class _Task:
    """Code that was generated from a model, to be run on images on a board."""

    board: str
    model: Path
    generated: Path
    codegen: CodegenRecord
    images: Images

    def run(self) -> _Outcome:
        inputs = inputs_for(self.model, self.images.pixels, self.images.preprocessing)
        expected = reference_outputs(self.model, inputs)
        device = VirtualBoard(self.board)
        with closing(device), progress(f"benchmark on {self.board}", len(inputs), "images") as advance:
            device.flash(self.generated)
            runs = []
            for image in inputs:
                runs.append(device.run(image[None]))
                advance(1, f"{runs[-1].instructions[0]:,} instructions, emulated")
            layers = device.run_one(inputs[0], Mode.PER_LAYER).layers
            run = EmulatedRun(
                np.concatenate([one.outputs for one in runs]),
                np.concatenate([one.stored for one in runs]),
                [count for one in runs for count in one.instructions],
            )
            comparison = compare(run.stored, expected)
            check_equal(self.board, comparison, len(inputs))
            return _Outcome(run, layers, comparison, device, device.network, device.disturbances)

    def record(self, made: _Outcome, used: Provenance, variant: Variant | None) -> EmulatedBenchmarkRecord:
        counts, device, footprint = made.run.instructions, made.device, made.device.footprint
        assert footprint is not None
        macs = {layer.position: layer.macs for layer in self.codegen.layers or []}
        return EmulatedBenchmarkRecord(
            provenance=used,
            dataset=variant.dataset if variant else None,
            network=variant.network if variant else None,
            resolution=variant.resolution if variant else None,
            board=self.board,
            part=device.part.title,
            model_sha256=sha256_file(self.model),
            pixels=self.images.words,
            images=len(counts),
            equal_outputs=made.comparison.equal,
            max_difference=made.comparison.max_difference,
            output_type=made.run.stored.dtype.name,
            instructions=ExecutedInstructions(min=min(counts), median=median_low(counts), max=max(counts)),
            assumption=f"{1e3 * median_low(counts) / device.part.clock_hz:.1f} ms {device.assumption}",
            layers=[_layer(one, macs) for one in made.layers],
            macs=self.codegen.macs,
            activation_ram_bytes=made.network.activation_bytes,
            weight_bytes=made.network.weight_bytes,
            code_flash_bytes=self.codegen.code_flash_bytes,
            firmware_flash_bytes=footprint.flash_bytes,
            firmware_ram_bytes=footprint.ram_bytes,
            compiler=str(device.compiler),
            emulator=device.emulator,
            runtime=made.network.runtime_description,
            protocol=V31.name,
            protocol_errors=made.disturbances.protocol_errors,
            retries=made.disturbances.retries,
        )


def _layer(layer: Operation, macs: dict[int | None, int | None]) -> EmulatedLayer:
    return EmulatedLayer(
        name=layer.name, type=f"{layer.type:#x}", position=layer.id, instructions=layer.counters[0] or None, macs=macs.get(layer.id)
    )
