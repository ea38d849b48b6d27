"""How long a run takes that sends every layer's data, on a virtual board, beside a plain one: both with their transfer.

    python benchmarks/layers.py [--network fdmobilenet_0.25] [--resolution 96 224] [--board virtual-h7] [--runs 5]

One process, runs taken in turns; medians. Their ratio does not depend on how fast the machine is, and says how often the network
is run: the data alone, which are several times the input, take about as long as they do in any mode that would send them.
Weights are random. The second table is what travels.
"""

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
from portable import random_model

from edgeloop.boards.lab.config import Lab
from edgeloop.boards.lab.use import in_use
from edgeloop.boards.stm32msg.run import Mode
from edgeloop.boards.virtual.driver import VirtualBoard
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.console import program

CLASSES = 5
MODES = (Mode.IO_ONLY, Mode.PER_LAYER, Mode.PER_LAYER_WITH_DATA)


def main() -> None:
    """Print a line for each resolution."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="fdmobilenet_0.25")
    parser.add_argument("--resolution", nargs="+", type=int, default=[96, 224])
    parser.add_argument("--board", choices=("virtual-h7", "virtual-f4"), default="virtual-h7")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"{'seconds, median':<24}" + "".join(f"{mode.name:>22}" for mode in MODES) + f"{'ratio to IO_ONLY':>20}{'layers, bytes':>16}")
    for resolution in options.resolution:
        spent, sent = measured(options.network, resolution, options.board, options.runs)
        cells = "".join(f"{spent[mode]:>22.3f}" for mode in MODES)
        title = f"{options.network} @{resolution}"
        print(f"{title:<24}{cells}{spent[Mode.PER_LAYER_WITH_DATA] / spent[Mode.IO_ONLY]:>20.1f}{sent:>16,}")


def measured(network: str, resolution: int, name: str, runs: int) -> tuple[dict[Mode, float], int]:
    """Median seconds of an inference in each mode, and how many bytes of layers' outputs were sent."""
    image = np.random.default_rng(3).integers(0, 256, (resolution, resolution, 3), np.uint8)
    spent: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    lab_board = Lab(boards={}).board(name)
    with (
        tempfile.TemporaryDirectory(prefix="edgeloop-benchmark-") as folder,
        in_use(lab_board, Path(folder), "benchmarks/layers.py", 0) as used,
        closing(VirtualBoard(used)) as board,
    ):
        model, generated = Path(folder) / "model.tflite", Path(folder) / "generated"
        model.write_bytes(random_model(network, resolution, CLASSES))
        generate_file(model, generated, Options(target=lab_board.kind.target or "", backend="portable"))
        board.load(generated)
        for _ in range(runs):
            for mode in MODES:
                begun = time.monotonic()
                run = board.run_one(image, mode)
                spent[mode].append(time.monotonic() - begun)
        sent = sum(tensor.nbytes for layer in run.layers for tensor in layer.tensors)
    return {mode: median(seconds) for mode, seconds in spent.items()}, sent


if __name__ == "__main__":
    raise SystemExit(program(main))
