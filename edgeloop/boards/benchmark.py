"""Step 7: a variant's model, or any model file, on a board. One way for all of them: hold, prepare, compare, measure, record."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median, median_low
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.compare import check, compare, reference_scores
from edgeloop.boards.driver import Driver, EmulatedRun, Identity, Loaded, MeasuredRun, Observe, Outcome, Run
from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.config import LabBoard, board_at, is_address, load_lab
from edgeloop.boards.lab.use import in_use
from edgeloop.boards.lab.waiting import tell
from edgeloop.boards.latency import NS_PER_MS, measure, timed_runs
from edgeloop.boards.subject import Subject, file_subject, variant_subject
from edgeloop.config import Benchmark, Params
from edgeloop.errors import InputError
from edgeloop.evaluation.evaluate import TOOLS
from edgeloop.files import disk_explained, sha256_file
from edgeloop.progress import Advance, progress
from edgeloop.records import (
    Accuracy,
    BenchmarkRecord,
    ComparedOutputs,
    EmulatedBenchmark,
    Emulation,
    ExecutedInstructions,
    FarmBenchmark,
    FarmMeasurement,
    MeasuredBenchmark,
    Measurement,
    provenance,
)
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.workspace import Workspace, find_workspace

MOST_IMAGES = 64
"""Compared on a board of the lab: a picture takes seconds over a serial line."""
WAIT_S = 3600.0
"""Others may measure for long; the queue is fair."""


def benchmark(workspace: Workspace, params: Params, variant: str, board: str, images: int | None = None) -> BenchmarkRecord:
    """Run a variant on a board, compare up to `images` of its outputs, and write the board's benchmark record.

    Raises:
        InputError: no such variant or board, or what the board runs was not built.
        ModelError, StedgeaiError, ToolchainError: a model is damaged, cannot be generated, or does not fit into the board's part.
        BoardError: the board does not do what it should; WrongOutputs: it computes something else. No record is written.
        DiskError: a disk is full, or may not be written to.
    """
    if is_address(board):
        raise InputError(f"A record is named after its board, and {board} has no name.", "Give it one in lab.yaml.")
    chosen = load_lab(workspace).board(board)
    named, how = params.variant(variant), params.benchmark
    path = named.paths(workspace).benchmark_record(board)
    with disk_explained():
        # Whatever happens from here on, an older record is not the result of this run.
        path.unlink(missing_ok=True)
        started = dt.datetime.now(dt.UTC)
        subject = variant_subject(workspace, params, variant, _count(images, chosen, how))
        record = _benchmark(subject, chosen, workspace.root, how, started)
        record.write(path)
    return record


def benchmark_model(model: Path, board: str = "host", settings: Benchmark | None = None, images: int | None = None) -> BenchmarkRecord:
    """Run any .tflite image classifier on random pixels, which the result then says. `board` may be an SSH address.

    Raises:
        InputError: no such file or board.
        ModelError, StedgeaiError, ToolchainError, BoardError, DiskError: as for `benchmark`.
    """
    how = settings or Benchmark()
    chosen, root = (board_at(board), Path.cwd()) if is_address(board) else _outside(board)
    with disk_explained():
        started = dt.datetime.now(dt.UTC)
        return _benchmark(file_subject(model, _count(images, chosen, how), how.threads), chosen, root, how, started)


def _outside(name: str) -> tuple[LabBoard, Path]:
    """A board by its name, and the project's folder; boards that need no lab.yaml are there without a project, too."""
    try:
        workspace = find_workspace()
    except InputError:
        workspace = Workspace(Path.cwd())
    return load_lab(workspace).board(name), workspace.root


def _count(images: int | None, board: LabBoard, how: Benchmark) -> int:
    if images is not None and images < 1:
        raise InputError(f"--images {images}: at least one is run.", "Give a number, or leave it out.")
    registered = DRIVERS[board.kind.driver]
    if images is not None and not registered.runs_images:
        raise InputError(f"--images {images}: {board.name} runs no images of ours.", "Leave it away.")
    if not registered.runs_images:
        return 1
    return images or (MOST_IMAGES if registered.found_by else how.images)


def _benchmark(subject: Subject, board: LabBoard, root: Path, how: Benchmark, started: dt.datetime) -> BenchmarkRecord:
    registered = DRIVERS[board.kind.driver]
    with in_use(board, root, f"edgeloop benchmark {subject.name}", WAIT_S, tell(board.name)) as used:
        driver = registered.load()(used)
        with closing(driver):
            made = list(driver.outcomes(subject, lambda ours, loaded: _Task(ours, board.name, loaded, subject, how).run()))
            identity = driver.identify()
    used_params = {"benchmark": how.model_dump(), "images": len(subject.pixels)} if registered.runs_images else {}
    common = {
        "provenance": provenance(root, used_params, [*TOOLS, *registered.tools], started, subject.manifest_sha256),
        **(subject.variant or dict.fromkeys(("dataset", "network", "resolution"))),
        "board": board.name,
        "pixels": subject.words,
    }
    return _RECORDS[type(made[0])](common, board, identity, made)


def _emulated(common: dict[str, Any], _board: LabBoard, _identity: Identity, made: list[Any]) -> BenchmarkRecord:
    return EmulatedBenchmark(**common, **dict(made[0]))


def _at_the_farm(common: dict[str, Any], board: LabBoard, identity: Identity, made: list[Any]) -> BenchmarkRecord:
    own: dict[str, Any] = {"farm": identity.says["farm"], "farm_board": board.entry.board, "target": identity.target, "models": made}
    return FarmBenchmark(**common | {"pixels": "random data of ST's `validate`: no images of ours"}, **own)


def _measured(common: dict[str, Any], board: LabBoard, identity: Identity, made: list[Any]) -> BenchmarkRecord:
    return MeasuredBenchmark(
        **common,
        board_kind=board.entry.kind,
        target=identity.target,
        device=identity.device,
        microcontroller=identity.microcontroller,
        machine=identity.machine,
        models=made,
    )


_RECORDS: dict[type[Outcome], Callable[[dict[str, Any], LabBoard, Identity, list[Any]], BenchmarkRecord]] = {
    Measurement: _measured,
    Emulation: _emulated,
    FarmMeasurement: _at_the_farm,
}
"""The record of what was found, by its type."""


@dataclass(frozen=True)
class _Task:
    """One model that is on the board, to be compared and measured."""

    driver: Driver
    board: str
    loaded: Loaded
    subject: Subject
    how: Benchmark

    def run(self) -> Measurement | Emulation:
        inputs = self.subject.inputs(self.loaded.model)
        runs = self._on_images(inputs)
        outputs = np.concatenate([run.outputs for run in runs])
        compared = compare(outputs, reference_scores(self.loaded.model, inputs))
        check(self.board, self.loaded, compared)
        if isinstance(runs[0], EmulatedRun):
            return self._emulated([count for run in runs if isinstance(run, EmulatedRun) for count in run.instructions], compared, inputs)
        labels, latencies_ns = self.subject.labels, [one for run in runs if isinstance(run, MeasuredRun) for one in run.latencies_ns]
        accuracy = None if labels is None else Accuracy.of(int((outputs.argmax(axis=1) == labels).sum()), len(labels))
        return self._measured(latencies_ns, compared, accuracy, inputs)

    @property
    def _title(self) -> str:
        return f"benchmark on {self.board}"

    def _parts(self, places: Sequence[int]) -> Iterator[list[int]]:
        """As many at once as the board takes."""
        most = self.driver.at_once
        yield from (list(places[begin : begin + most]) for begin in range(0, len(places), most))

    def _on_images(self, inputs: NDArray[Any]) -> list[Run]:
        with progress(self._title, len(inputs), "images") as advance:
            runs = []
            for part in self._parts(range(len(inputs))):
                runs.append(self.driver.run(inputs[part], Observe.OUTPUTS))
                advance(len(part), _note(runs[-1]))
            return runs

    def _measured(self, images_ns: list[int], compared: ComparedOutputs, accuracy: Accuracy | None, inputs: NDArray[Any]) -> Measurement:
        loaded, order = self.loaded, cycle(range(len(inputs)))

        def time_runs(count: int, advance: Advance) -> Iterator[int]:
            for part in self._parts(list(islice(order, count))):
                run = self.driver.run(inputs[part], Observe.TIME)
                assert isinstance(run, MeasuredRun), "a board does not change what it is"
                yield from run.latencies_ns
                advance(len(part), f"{loaded.format or loaded.model.name} {_note(run)}")

        with progress(self._title, timed_runs(self.how), "inferences") as advance:
            latency = measure(lambda count: list(time_runs(count, advance)), self.how, self.driver.identify().clock)
        told = self.driver.run(inputs[:1], Observe.DETAILS)
        assert isinstance(told, MeasuredRun), "a board does not change what it is"
        return Measurement(
            **dict(told.details),
            format=loaded.format,
            model_sha256=sha256_file(loaded.model),
            file=loaded.file,
            file_sha256=loaded.file_sha256,
            runtime=loaded.runtime,
            engine=loaded.engine,
            threads=loaded.threads,
            latency=latency,
            images_median_ms=median(images_ns) / NS_PER_MS,
            compared=compared,
            accuracy=accuracy,
        )

    def _emulated(self, counts: list[int], compared: ComparedOutputs, inputs: NDArray[Any]) -> Emulation:
        told, clock_hz = self.driver.run(inputs[:1], Observe.DETAILS), self.driver.identify().clock_hz
        assert isinstance(told, EmulatedRun) and told.details and clock_hz, "an emulated board says what it emulates"
        middle = median_low(counts)
        return Emulation(
            **dict(told.details),
            model_sha256=sha256_file(self.loaded.model),
            runtime=self.loaded.runtime,
            images=compared.images,
            equal_outputs=compared.equal_outputs,
            max_difference=compared.max_difference,
            output_type=LiteModel(self.loaded.model).output.dtype,
            instructions=ExecutedInstructions(min=min(counts), median=middle, max=max(counts)),
            assumption=f"{1e3 * middle / clock_hz:.1f} ms at {clock_hz // 1_000_000} MHz, assumed 1 instruction per cycle",
        )


def _note(run: Run) -> str:
    if isinstance(run, EmulatedRun):
        return f"{median_low(run.instructions):,} instructions, emulated"
    return f"median {median(run.latencies_ns) / NS_PER_MS:.3f} ms"
