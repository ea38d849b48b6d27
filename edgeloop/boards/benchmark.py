"""Step 7: a variant's model, or any model file, on a board: time on the host, exact instruction counts on a virtual board."""

from pathlib import Path

from edgeloop.boards import emulated, measured
from edgeloop.boards.virtual_board import KINDS
from edgeloop.config import Benchmark, Params
from edgeloop.errors import InputError
from edgeloop.records import BenchmarkRecord, EmulatedBenchmarkRecord
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import near_match

BOARDS = (measured.BOARD, *KINDS)


def benchmark(
    workspace: Workspace, params: Params, variant: str, board: str, images: int | None = None
) -> BenchmarkRecord | EmulatedBenchmarkRecord:
    """Run a variant on a board and write the board's benchmark record. `images` is for virtual boards.

    Raises:
        InputError: no such variant or board, or what the board runs was not built.
        ModelError: a model is damaged, or does not fit into the board's part.
        BoardError: the board does not do what it should.
    """
    _check(board, images)
    if board == measured.BOARD:
        return measured.measure_variant(workspace, params, variant)
    return emulated.emulate_variant(workspace, params, variant, board, images or params.benchmark.images)


def benchmark_model(
    model: Path, board: str = measured.BOARD, settings: Benchmark | None = None, images: int | None = None
) -> measured.ModelBenchmark | EmulatedBenchmarkRecord:
    """Run any .tflite image classifier on random pixels, which the result then says.

    Raises:
        InputError: no such file or board.
        ModelError: the model is damaged, is no image classifier, or does not fit into the board's part.
        BoardError: the board does not do what it should.
    """
    _check(board, images)
    chosen = settings or Benchmark()
    if board == measured.BOARD:
        return measured.measure_model(model, chosen)
    return emulated.emulate_model(model, board, images or chosen.images)


def _check(board: str, images: int | None) -> None:
    if board not in BOARDS:
        raise InputError(f"There is no board '{board}'{near_match(board, BOARDS)}.", f"There are: {', '.join(BOARDS)}.")
    if images is not None and (board == measured.BOARD or images < 1):
        raise InputError("--images is the number (1 or more) of images that a virtual board runs.", f"Leave it out on '{measured.BOARD}'.")
