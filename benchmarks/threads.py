"""How many threads a training should have: one training alone, and two side by side, as `edgeloop run` starts them on two cores.

    python benchmarks/threads.py [NETWORK@RESOLUTION ...] [--rounds 3] [--seconds 15]

Each round runs, in turns, one process with two threads an operation, one with one thread, and two at once with one thread each. All train
with the settings and augmentations of `flowers` on images drawn at random, for as many seconds. Printed are augmented images/s of all
processes together, the median of the rounds, and what each is of the first. Other work does not hit all alike: see that there is none.
"""

import argparse
import multiprocessing
import sys
import time
from itertools import islice
from statistics import median
from typing import Any

from training import PHASE, chosen, examples, trainer

from edgeloop.console import program
from edgeloop.framework import load_tensorflow
from edgeloop.training.augment import one_thread
from edgeloop.training.batches import ahead

WAYS = {"one training, 2 threads": (1, 2), "one training, 1 thread": (1, 1), "two trainings, 1 thread each": (2, 1)}
"""How many processes, and how many threads each has."""
PATIENCE_S = 300
"""For the slowest process to be ready, or to end."""


def main() -> int:
    options = _options()
    for variant in options.variants:
        network, resolution = variant.split("@")
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way, (processes, threads) in WAYS.items():
                found[way].append(_together(processes, (network, int(resolution), threads, options.seconds)))
        first = median(next(iter(found.values())))
        print(variant)
        for way, rates in found.items():
            each = ", ".join(f"{rate:.0f}" for rate in rates)
            print(f"  {way:<30} {median(rates):6.0f} images/s, {median(rates) / first:.2f} of the first ({each})")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="*", metavar="NETWORK@RESOLUTION", default=["fdmobilenet_0.25@128", "st_fdmobilenet_v1@224"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    return parser.parse_args()


def _together(processes: int, what: tuple[str, int, int, float]) -> float:
    """Images/s of so many processes at once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    with context.Pool(processes, _remember, (barrier,)) as pool:
        return sum(pool.starmap_async(_images_per_s, [what] * processes, chunksize=1).get(PATIENCE_S))


def _remember(barrier: Any) -> None:
    globals()["ready"] = barrier


def _images_per_s(network: str, resolution: int, threads: int, seconds: float) -> float:
    load_tensorflow(threads)
    recipe = chosen(network, resolution)
    training, images = trainer(network, resolution, recipe), examples(resolution, recipe)
    steps, done = images.steps(recipe.batch_size), 0
    training.epoch(islice(images.epoch((1, 0, 0), recipe.batch_size), 1), PHASE, 0, steps)  # compiles
    with one_thread():
        globals()["ready"].wait(PATIENCE_S)
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds:
            training.epoch(ahead(images.epoch((1, 0, training.steps_done), recipe.batch_size)), PHASE, 0, steps)
            done += steps * recipe.batch_size
        return done / (time.perf_counter() - begun)


if __name__ == "__main__":
    sys.exit(program(main))
