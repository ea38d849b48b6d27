"""Step 7: a variant's model, or any model file, on a board: time on real ones and on the host, instructions on a virtual board."""

from pathlib import Path

from edgeloop.boards import emulated, measured
from edgeloop.boards.lab.config import LabBoard, load_lab
from edgeloop.boards.mcu.benchmark import MOST_IMAGES, benchmark_mcu, benchmark_model_on_mcu, mcu_boards
from edgeloop.boards.mpu.benchmark import MpuModelReport, benchmark_model_on_mpu, benchmark_mpu
from edgeloop.boards.mpu.lab import board_at, held, is_address, linux_boards
from edgeloop.boards.virtual_board import KINDS
from edgeloop.config import Benchmark, Params
from edgeloop.errors import ConfigError, InputError
from edgeloop.files import disk_explained
from edgeloop.records import BenchmarkRecord, EmulatedBenchmarkRecord, McuBenchmarkRecord, MpuBenchmarkRecord
from edgeloop.workspace import Workspace, find_workspace
from edgeloop.yamlfile import near_match

BOARDS = (measured.BOARD, *KINDS)
"""Those that need no lab.yaml."""


def benchmark(
    workspace: Workspace, params: Params, variant: str, board: str, images: int | None = None
) -> BenchmarkRecord | EmulatedBenchmarkRecord | McuBenchmarkRecord | MpuBenchmarkRecord:
    """Run a variant on a board and write the board's benchmark record. `images` is for boards that run generated code.

    Raises:
        InputError: no such variant or board, or what the board runs was not built.
        ConfigError: params.yaml says that the board runs something else than it does.
        ModelError: a model is damaged, or does not fit into the board's part.
        BoardError: the board does not do what it should.
        DiskError: a disk is full, or may not be written to.
    """
    if is_address(board):
        raise InputError(f"A record is named after its board, and {board} has no name.", "Give it one in lab.yaml.")
    chosen = None if board in BOARDS else _lab_board(workspace, board)
    _check_runs(params, variant, board)
    with disk_explained():
        # Whatever happens from here on, an older record is not the result of this run.
        _record(workspace, params, variant, board).unlink(missing_ok=True)
        return _benchmark(workspace, params, variant, chosen or board, images)


def _benchmark(
    workspace: Workspace, params: Params, variant: str, board: LabBoard | str, images: int | None
) -> BenchmarkRecord | EmulatedBenchmarkRecord | McuBenchmarkRecord | MpuBenchmarkRecord:
    if isinstance(board, str) and board in KINDS:
        return emulated.emulate_variant(workspace, params, variant, board, _count(images, params.benchmark.images))
    if isinstance(board, str):
        _refuse_images(board, images)
        return measured.measure_variant(workspace, params, variant)
    if board.kind.driver == "stm32msg":
        return benchmark_mcu(workspace, params, variant, board, _count(images, MOST_IMAGES))
    _refuse_images(board.name, images)
    with held(board, workspace.root, f"edgeloop benchmark {variant}") as settings:
        return benchmark_mpu(workspace, params, variant, settings)


def benchmark_model(
    model: Path, board: str = measured.BOARD, settings: Benchmark | None = None, images: int | None = None
) -> measured.ModelBenchmark | EmulatedBenchmarkRecord | McuBenchmarkRecord | MpuModelReport:
    """Run any .tflite image classifier on random pixels, which the result then says. `board` may be an SSH address.

    Raises:
        InputError: no such file or board.
        ModelError: the model is damaged, is no image classifier, or does not fit into the board's part.
        BoardError: the board does not do what it should.
        DiskError: a disk is full, or may not be written to.
    """
    with disk_explained():
        return _benchmark_model(model, board, settings or Benchmark(), images)


def _benchmark_model(
    model: Path, board: str, how: Benchmark, images: int | None
) -> measured.ModelBenchmark | EmulatedBenchmarkRecord | McuBenchmarkRecord | MpuModelReport:
    if board in KINDS:
        return emulated.emulate_model(model, board, _count(images, how.images))
    if board == measured.BOARD:
        _refuse_images(board, images)
        return measured.measure_model(model, how)
    chosen = board_at(board) if is_address(board) else _lab_board(find_workspace(), board)
    if chosen.kind.driver == "stm32msg":
        return benchmark_model_on_mcu(find_workspace(), model, chosen, how, _count(images, MOST_IMAGES))
    _refuse_images(board, images)
    with held(chosen, Path.cwd(), f"edgeloop benchmark {model.name}") as reached:
        return benchmark_model_on_mpu(model, reached, how)


def _check_runs(params: Params, variant: str, board: str) -> None:
    """By `runs` of params.yaml the stage depends on the folder that the board runs, so it must name that one."""
    declared = params.benchmarks.get(f"{variant}-{board}")
    wanted = {measured.BOARD: "quantized"} | dict.fromkeys(KINDS, "generated")
    if declared is not None and declared.runs != wanted.get(board, declared.runs):
        raise ConfigError(
            f"params.yaml: benchmarks.{declared.id}: runs: {declared.runs}, but the board {board} runs what is {wanted[board]}.",
            f"Write runs: {wanted[board]}.",
        )


def _record(workspace: Workspace, params: Params, variant: str, board: str) -> Path:
    chosen = params.variant(variant)
    return workspace.variant(chosen.dataset, chosen.network, chosen.resolution).benchmark_record(board)


def _lab_board(workspace: Workspace, name: str) -> LabBoard:
    """The physical board of lab.yaml with that name."""
    lab = load_lab(workspace)
    boards = mcu_boards(lab) | linux_boards(lab)
    if name not in boards:
        known = (*BOARDS, *boards)
        raise InputError(f"There is no board '{name}'{near_match(name, known)}.", "Boards are in lab.yaml: edgeloop boards")
    return boards[name]


def _count(images: int | None, default: int) -> int:
    if images is not None and images < 1:
        raise InputError(f"--images {images}: at least one is run.", "Give a number, or leave it out.")
    return images or default


def _refuse_images(board: str, images: int | None) -> None:
    if images is not None:
        raise InputError("--images is the number of images that boards with generated code run.", f"Leave it out on '{board}'.")
