"""The benchmark on a microcontroller board: generate, build, flash, verify, compare outputs, measure, record; all under its lock."""

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.compare import compare
from edgeloop.boards.inputs import Images, inputs_for, random_images, test_images
from edgeloop.boards.lab.config import Lab, LabBoard
from edgeloop.boards.lab.use import BoardInUse, in_use
from edgeloop.boards.lab.waiting import tell
from edgeloop.boards.latency import NS_PER_MS, STABLE_VARIATION, drift, measure
from edgeloop.boards.mcu.driver import McuBoard, McuRun, latencies_ns
from edgeloop.boards.mcu.firmware import PORTABLE, form_for
from edgeloop.boards.mcu.verify import check_outputs
from edgeloop.boards.stm32msg.link import RATE
from edgeloop.boards.stm32msg.results import Disturbances, NetworkRun
from edgeloop.config import Benchmark, Params, Variant
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.progress import progress
from edgeloop.records import (
    Accuracy,
    CodegenRecord,
    ComparedOutputs,
    McuBenchmarkRecord,
    McuCode,
    McuDevice,
    McuFirmware,
    MeasuredLatency,
    Provenance,
    provenance,
)
from edgeloop.tflite.formats import FILES
from edgeloop.tflite.interpreter import LiteModel, Scores
from edgeloop.workspace import Workspace

DRIVER = "stm32msg"
MOST_IMAGES = 64
"""A picture takes seconds over a serial line; every inference is run on the board itself."""
TOOLS = ["ai-edge-litert", "numpy", "pyserial"]
REFERENCE = "LiteRT's reference kernels on the host"
WAIT_S = 3600.0
"""Others may measure for long; the queue is fair."""


def mcu_boards(lab: Lab) -> dict[str, LabBoard]:
    """The boards of lab.yaml that this driver runs, by name."""
    return {board.name: board for board in lab.all() if board.kind.driver == DRIVER}


def benchmark_mcu(workspace: Workspace, params: Params, variant: str, board: LabBoard, count: int = MOST_IMAGES) -> McuBenchmarkRecord:
    """Put a variant's int8 model onto a board, verify it on `count` test images, time it; write the board's benchmark record.

    Raises:
        InputError: no such variant, it is not quantized, or its data set is not prepared.
        ModelError: the model is damaged, cannot be generated, or does not fit.
        StedgeaiError, ToolchainError: no code can be generated.
        BoardError: the board is not there, busy, or fails in one of the ways of its kinds; no record is written.
    """
    started = dt.datetime.now(dt.UTC)
    chosen = params.variant(variant)
    paths = workspace.variant(chosen.dataset, chosen.network, chosen.resolution)
    model = paths.quantized / f"{FILES[form_for(board)]}.tflite"
    if not model.is_file():
        raise InputError(f"{variant} is not quantized.", f"Run: dvc repro quantize@{variant}")
    images = test_images(workspace, chosen, count)
    with _held(workspace, board, f"edgeloop benchmark {variant}") as used:
        made = _Task(used, workspace.board(board.name), model, images, params.benchmark).run()
    used_params = {"benchmark": params.benchmark.model_dump(), "images": count}
    record = made.record(provenance(workspace.root, used_params, TOOLS, started, images.manifest_sha256), chosen)
    record.write(paths.benchmark_record(board.name))
    return record


def benchmark_model_on_mcu(
    workspace: Workspace, model: Path, board: LabBoard, how: Benchmark, count: int = MOST_IMAGES
) -> McuBenchmarkRecord:
    """The same with any int8 .tflite image classifier, on random pixels, which the result says.

    Raises:
        InputError: no such file.
        ModelError, StedgeaiError, ToolchainError, BoardError: as for `benchmark_mcu`.
    """
    started = dt.datetime.now(dt.UTC)
    images = random_images(model, count)
    with _held(workspace, board, f"edgeloop benchmark {model.name}") as used:
        made = _Task(used, workspace.board(board.name), model, images, how).run()
    return made.record(provenance(Path.cwd(), {"benchmark": how.model_dump(), "images": count}, TOOLS, started), None)


def unstable(latency: MeasuredLatency) -> list[str]:
    """Why a latency is not stable."""
    moved = drift(latency.window_medians_ms)
    reasons = []
    if latency.coefficient_of_variation > STABLE_VARIATION:
        reasons.append(f"the windows' medians vary by {latency.coefficient_of_variation:.1%}")
    if abs(moved) > STABLE_VARIATION:
        reasons.append(f"they drift by {moved:+.1%} from the first to the last")
    return reasons


def _held(workspace: Workspace, board: LabBoard, run: str) -> AbstractContextManager[BoardInUse]:
    return in_use(board, workspace.root, run, WAIT_S, tell(board.name))


@dataclass(frozen=True)
class _Task:
    """A model to be run on images on a board."""

    used: BoardInUse
    folder: Path
    model: Path
    images: Images
    how: Benchmark

    def run(self) -> "_Outcome":
        inputs = inputs_for(self.model, self.images.pixels, self.images.preprocessing)
        expected = _reference(self.model, inputs)
        device, name = McuBoard(self.used, self.folder), self.used.board.name
        with closing(device):
            device.flash(self.model)
            run = _on_images(device, name, inputs)
            compared = compare(run.outputs, expected, REFERENCE)
            check_outputs(self.used.board, compared, exact=device.flashed.firmware.codegen.backend.name == PORTABLE)
            timed: list[NetworkRun] = []
            latency = self._timed(device, inputs[0], timed)
            return _Outcome(
                self.model,
                self.images.words,
                _board(self.used, device),
                _code(device.flashed.firmware.codegen),
                _firmware(device),
                run,
                tuple(timed),
                compared,
                latency,
                self._accuracy(run),
                device.flashed.client.disturbances,
                device.power_cycles,
            )

    def _timed(self, device: McuBoard, image: NDArray[Any], timed: list[NetworkRun]) -> MeasuredLatency:
        how = self.how
        runs = how.warmup_runs + how.windows * how.runs_per_window
        with progress(f"benchmark on {self.used.board.name}", runs, "inferences") as advance:

            def time_runs(count: int) -> list[int]:
                made: list[NetworkRun] = []
                for _ in range(count):
                    made += device.time(image, 1)
                    advance()
                timed.extend(made)
                return latencies_ns(made)

            return measure(time_runs, how, device.identify().clock)

    def _accuracy(self, run: McuRun) -> Accuracy | None:
        labels = self.images.labels
        return None if labels is None else Accuracy.of(int((run.outputs.argmax(axis=1) == labels).sum()), len(labels))


@dataclass(frozen=True)
class _Outcome:
    """What a board did, as told while it was connected."""

    model: Path
    pixels: str
    board: McuDevice
    code: McuCode
    firmware: McuFirmware
    run: McuRun
    timed: tuple[NetworkRun, ...]
    compared: ComparedOutputs
    latency: MeasuredLatency
    accuracy: Accuracy | None
    disturbances: Disturbances
    power_cycles: int

    def record(self, used: Provenance, variant: Variant | None) -> McuBenchmarkRecord:
        runs = [*self.run.totals, *self.timed]
        return McuBenchmarkRecord(
            provenance=used,
            dataset=variant.dataset if variant else None,
            network=variant.network if variant else None,
            resolution=variant.resolution if variant else None,
            board=self.board,
            model_sha256=sha256_file(self.model),
            code=self.code,
            firmware=self.firmware,
            latency=self.latency,
            unstable=unstable(self.latency),
            images_median_ms=median(self.run.latencies_ns) / NS_PER_MS,
            cycles=_median_run(self.timed),
            stack_bytes=most([run.total.stack_bytes for run in runs]),
            heap_bytes=most([run.total.heap_bytes for run in runs]),
            pixels=self.pixels,
            compared=self.compared,
            accuracy=self.accuracy,
            protocol_errors=self.disturbances.protocol_errors,
            retries=self.disturbances.retries,
            power_cycles=self.power_cycles,
        )


def _on_images(device: McuBoard, name: str, inputs: NDArray[Any]) -> McuRun:
    with progress(f"benchmark on {name}", len(inputs), "images") as advance:
        runs = []
        for image in inputs:
            runs.append(device.run(image[None]))
            advance()
    return McuRun(
        np.concatenate([run.outputs for run in runs]),
        [latency for run in runs for latency in run.latencies_ns],
        tuple(total for run in runs for total in run.totals),
    )


def _reference(model: Path, inputs: NDArray[Any]) -> Scores:
    loaded = LiteModel(model, reference=True)
    return np.concatenate([loaded.run(one[None]) for one in inputs])


def _median_run(timed: Sequence[NetworkRun]) -> list[int]:
    ordered = sorted(timed, key=lambda run: run.total.duration_ms)
    return list(ordered[len(ordered) // 2].total.counters)


def most(values: Sequence[int]) -> int | None:
    """The largest; firmware says -1 where it does not measure."""
    known = [value for value in values if value >= 0]
    return max(known) if known else None


def _board(used: BoardInUse, device: McuBoard) -> McuDevice:
    board, flashed = used.board, device.flashed
    return McuDevice(
        name=board.name,
        kind=board.entry.kind,
        title=board.kind.title,
        serial=used.found.probe,
        address=used.found.address,
        baud=board.baud or RATE,
        device_id=flashed.system.device_id,
        clock_hz=flashed.system.clock_hz,
        bus_clock_hz=flashed.system.bus_clock_hz,
        protocol=flashed.client.version,
    )


def _firmware(device: McuBoard) -> McuFirmware:
    made, network = device.flashed.firmware, device.flashed.network
    return McuFirmware(
        sha256=made.sha256,
        build=made.build,
        flash=made.flash,
        runtime=network.runtime_description,
        runtime_version=network.runtime_version,
        tool_version=network.tool_version,
        compiled=network.compiled,
        signature=network.signature,
        signature_checked=bool(made.signatures),
        activation_ram_bytes=network.activation_bytes,
        weight_bytes=network.weight_bytes,
    )


def _code(codegen: CodegenRecord) -> McuCode:
    assert codegen.target is not None, "it was generated for a target"
    same = {name: getattr(codegen, name) for name in McuCode.model_fields if name in CodegenRecord.model_fields}
    return McuCode(
        **same
        | {
            "backend": codegen.backend.name,
            "backend_version": codegen.backend.version,
            "components": codegen.run.components if codegen.run else {},
            "profile": codegen.run.profile if codegen.run else None,
        }
    )
