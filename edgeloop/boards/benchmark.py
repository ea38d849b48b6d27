"""Step 7: a variant's model, or any model file, on a board: time on a Linux board or on the host, instructions on a virtual board."""

from pathlib import Path

from edgeloop.boards import emulated, measured
from edgeloop.boards.lab.config import LabBoard, load_lab
from edgeloop.boards.mpu.benchmark import MpuModelReport, benchmark_model_on_mpu, benchmark_mpu
from edgeloop.boards.mpu.lab import board_at, held, is_address, linux_boards
from edgeloop.boards.virtual_board import KINDS
from edgeloop.config import Benchmark, Params
from edgeloop.errors import InputError
from edgeloop.records import BenchmarkRecord, EmulatedBenchmarkRecord, MpuBenchmarkRecord
from edgeloop.workspace import Workspace, find_workspace
from edgeloop.yamlfile import near_match

BOARDS = (measured.BOARD, *KINDS)
"""Those that need no lab.yaml."""


def benchmark(
    workspace: Workspace, params: Params, variant: str, board: str, images: int | None = None
) -> BenchmarkRecord | EmulatedBenchmarkRecord | MpuBenchmarkRecord:
    """Run a variant on a board and write the board's benchmark record. `images` is for virtual boards.

    Raises:
        InputError: no such variant or board, or what the board runs was not built.
        ModelError: a model is damaged, or does not fit into the board's part.
        BoardError: the board does not do what it should.
    """
    _check_images(board, images)
    if is_address(board):
        raise InputError(f"A record is named after its board, and {board} has no name.", "Give it one in lab.yaml.")
    if board == measured.BOARD:
        return measured.measure_variant(workspace, params, variant)
    if board in KINDS:
        return emulated.emulate_variant(workspace, params, variant, board, images or params.benchmark.images)
    with held(_linux_board(workspace, board), workspace.root, f"edgeloop benchmark {variant}") as settings:
        return benchmark_mpu(workspace, params, variant, settings)


def benchmark_model(
    model: Path, board: str = measured.BOARD, settings: Benchmark | None = None, images: int | None = None
) -> measured.ModelBenchmark | EmulatedBenchmarkRecord | MpuModelReport:
    """Run any .tflite image classifier on random pixels, which the result then says. `board` may be an SSH address.

    Raises:
        InputError: no such file or board.
        ModelError: the model is damaged, is no image classifier, or does not fit into the board's part.
        BoardError: the board does not do what it should.
    """
    _check_images(board, images)
    chosen = settings or Benchmark()
    if board == measured.BOARD:
        return measured.measure_model(model, chosen)
    if board in KINDS:
        return emulated.emulate_model(model, board, images or chosen.images)
    linux = board_at(board) if is_address(board) else _linux_board(find_workspace(), board)
    with held(linux, Path.cwd(), f"edgeloop benchmark {model.name}") as reached:
        return benchmark_model_on_mpu(model, reached, chosen)


def _linux_board(workspace: Workspace, name: str) -> LabBoard:
    """The Linux board of lab.yaml with that name."""
    boards = linux_boards(load_lab(workspace))
    if name not in boards:
        known = (*BOARDS, *boards)
        raise InputError(f"There is no board '{name}'{near_match(name, known)}.", f"There are: {', '.join(known)}.")
    return boards[name]


def _check_images(board: str, images: int | None) -> None:
    if images is not None and (board not in KINDS or images < 1):
        raise InputError("--images is the number (1 or more) of images that a virtual board runs.", f"Leave it out on '{board}'.")
