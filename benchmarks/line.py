"""How long an input takes to a board, by the bytes on the line: computed for a real one, and measured on a virtual one.

    python benchmarks/line.py [--resolution 224] [--round-trip-ms 1 2] [--board virtual-h7] [--runs 5]

The first table is COMPUTED, never measured on hardware: the bytes that the host really makes of the input, at ten bits each, and for
each packet but the last a round trip that is assumed (a USB adapter polls once a millisecond). The second is the whole inference of
FdMobileNet 0.25 on a virtual board with and without the extension (docs/firmware.md), in one process, in turns; medians.
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
from edgeloop.boards.stm32msg.agreement import PACKET_BYTES, RATES
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.exchange import V31
from edgeloop.boards.stm32msg.framing import CheckedFraming, Framing
from edgeloop.boards.stm32msg.link import RATE
from edgeloop.boards.virtual.driver import PATIENCE, VirtualBoard
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.console import program
from edgeloop.firmware.protocol.messages import Data
from edgeloop.firmware.protocol.wire import delimited, encode

BITS_PER_BYTE = 10
"""Eight, a start bit and a stop bit."""
CLASSES = 5


def upload_s(framing: Framing, rate: int, size: int, round_trip_s: float) -> float:
    """Seconds for an input of `size` bytes at `rate` baud: computed."""
    packets = list(framing.packets(delimited(encode(Data(type=0, size=size, addr=0, datas=bytes(size))))))
    asks = len(packets) - 1
    return (sum(map(len, packets)) + asks) * BITS_PER_BYTE / rate + asks * round_trip_s


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=224)
    parser.add_argument("--round-trip-ms", nargs="+", type=float, default=[1.0, 2.0])
    parser.add_argument("--board", choices=("virtual-h7", "virtual-f4"), default="virtual-h7")
    parser.add_argument("--runs", type=int, default=5, help="0: the computed table alone")
    options = parser.parse_args()
    computed(options.resolution, options.round_trip_ms)
    if options.runs:
        for name, seconds in measured(options.resolution, options.board, options.runs).items():
            print(f"{name:<24}{seconds:>12.3f} s, one inference on {options.board} with its transfer, median of {options.runs}")


def computed(resolution: int, round_trips_ms: list[float]) -> None:
    """A line for each rate."""
    lines = [("protocol 3.1", V31.framing, RATE)]
    lines += [("with the extension", CheckedFraming(packet_size=PACKET_BYTES), rate) for rate in (RATE, *reversed(RATES))]
    columns = "".join(f"{f'{ms:g} ms a round trip':>22}" for ms in round_trips_ms)
    print(f"{f'computed, {resolution} pixels':<24}{'baud':>10}{columns}")
    for name, framing, rate in lines:
        cells = "".join(f"{upload_s(framing, rate, resolution**2 * 3, ms / 1000):>20.2f} s" for ms in round_trips_ms)
        print(f"{name:<24}{rate:>10}{cells}")


def measured(resolution: int, name: str, runs: int) -> dict[str, float]:
    """Median seconds of an inference, transfer included."""
    image = np.random.default_rng(3).integers(0, 256, (resolution, resolution, 3), np.uint8)
    spent: dict[str, list[float]] = {"protocol 3.1": [], "with the extension": []}
    lab_board = Lab(boards={}).board(name)
    with (
        tempfile.TemporaryDirectory(prefix="edgeloop-benchmark-") as folder,
        in_use(lab_board, Path(folder), "benchmarks/line.py", 0) as used,
        closing(VirtualBoard(used)) as board,
    ):
        model, generated = Path(folder) / "model.tflite", Path(folder) / "generated"
        model.write_bytes(random_model("fdmobilenet_0.25", resolution, CLASSES))
        generate_file(model, generated, Options(target=lab_board.kind.target or "", backend="portable"))
        board.load(generated)
        terminal, network = board.running.process.terminal, board.running.network
        board.running.client.close()
        for _ in range(runs):
            for how, agrees in (("protocol 3.1", False), ("with the extension", True)):
                with BoardClient(terminal, patience=PATIENCE, agrees=agrees) as client:
                    begun = time.monotonic()
                    client.run(network, [image])
                    spent[how].append(time.monotonic() - begun)
    return {how: median(seconds) for how, seconds in spent.items()}


if __name__ == "__main__":
    raise SystemExit(program(main))
