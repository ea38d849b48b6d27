"""Speed of training, and the share of a step's time that goes into its input.

    python benchmarks/training.py [--network fdmobilenet_0.25] [--resolution 128] [--rounds 20] [--compute exact]

Trains with the settings of `flowers` in params.yaml (batch size, weight average, all its augmentations) on images drawn
at random. The baseline, in the same run, is the same compiled step fed with batches that lie ready in memory; epochs of
both take turns and are compared in pairs, so that what else the machine does hits both. Exit status 1 when the input's
share of a step is above the goal.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, get_args

import numpy as np

from edgeloop.config import Compute, Phase, load_params
from edgeloop.console import program
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import Preprocessing
from edgeloop.training.augment import Augmenter, one_thread
from edgeloop.training.batches import Batch, Examples, ahead
from edgeloop.training.compute import computing
from edgeloop.training.loop import Trainer
from edgeloop.training.phases import on_pixels
from edgeloop.training.recipe import Recipe, choose
from edgeloop.workspace import find_workspace

if TYPE_CHECKING:
    import keras

GOAL = 0.10
IMAGES = 2642
"""As many as the training part of flowers."""
CLASSES = 5
Cost = tuple[float, float]
"""Wall and CPU seconds of an epoch."""
PHASE = Phase(mode="full", epochs=1000, learning_rate=1e-4, decay="constant")


def main() -> int:
    options = _options()
    recipe = chosen(options.network, options.resolution, options.compute)
    load_tensorflow(recipe.threads)
    learner, drawn = trainer(options.network, options.resolution, recipe), examples(options.resolution, recipe)
    steps = drawn.steps(recipe.batch_size)
    ready = list(islice(drawn.epoch((1, 0, 0), recipe.batch_size), 8))

    def constant() -> Iterator[Batch]:
        return (ready[number % len(ready)] for number in range(steps))

    def augmented() -> Iterator[Batch]:
        return ahead(drawn.epoch((1, 0, learner.steps_done), recipe.batch_size))

    learner.epoch(constant(), PHASE, 0, steps)  # compiles
    fed: list[Cost] = []
    whole: list[Cost] = []
    with one_thread():
        for number in range(options.rounds):
            turns = [(fed, constant), (whole, augmented)]
            for costs, batches in turns if number % 2 else reversed(turns):
                costs.append(_cost(learner, batches, steps))
        alone = _alone(drawn, recipe.batch_size)
    return _report(options, recipe.batch_size * steps, fed, whole, alone)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="fdmobilenet_0.25")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--compute", choices=get_args(Compute), default="exact")
    return parser.parse_args()


def chosen(name: str, resolution: int, compute: Compute = "exact") -> Recipe:
    """What flowers' training would be of such a network."""
    settings = load_params(find_workspace()).dataset("flowers").train.settings(name, resolution).model_copy(update={"compute": compute})
    return choose(settings, images=IMAGES, resolution=resolution, fresh=False, start_range=(-1.0, 1.0))


def trainer(name: str, resolution: int, recipe: Recipe) -> Trainer:
    """One that goes by the recipe, from fresh weights."""
    preprocessing = Preprocessing(resolution=resolution, resize=recipe.resize, input_range=recipe.input_range)

    def new_model() -> "keras.Model":
        return on_pixels(build(network(name), resolution, CLASSES, for_training=True), preprocessing)

    averaged = new_model()
    with computing(recipe.compute, recipe.batch_size):
        return Trainer(new_model(), averaged, recipe, np.ones(CLASSES, np.float32), mixes=False)


def examples(resolution: int, recipe: Recipe) -> Examples:
    """Images drawn at random, of the size at which the recipe keeps them."""
    stored, rng = round(resolution * recipe.stored_scale), np.random.default_rng(1)
    pixels = rng.integers(0, 256, (IMAGES, stored, stored, 3), np.uint8)
    return Examples(pixels, rng.integers(0, CLASSES, IMAGES).astype(np.int32), Augmenter(recipe.augmentation, resolution))


def _cost(learner: Trainer, batches: Callable[[], Iterator[Batch]], steps: int) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    learner.epoch(batches(), PHASE, 0, steps)
    return time.perf_counter() - wall, time.process_time() - cpu


def _alone(drawn: Examples, batch_size: int) -> float:
    """CPU seconds of an epoch's batches without any training."""
    cpu = time.process_time()
    for _ in drawn.epoch((1, 0, 0), batch_size):
        pass
    return time.process_time() - cpu


def _report(options: argparse.Namespace, images: int, fed: list[Cost], whole: list[Cost], alone: float) -> int:
    print(f"{options.network} @{options.resolution}, {images} images an epoch, {options.rounds} epochs of each in turns")
    for name, found in (("batches ready in memory", fed), ("augmented, as in training", whole)):
        wall, cpu = (median(values) for values in zip(*found, strict=True))
        print(f"  {name:<26} {images / wall:6.0f} images/s, {cpu / images * 1e3:6.3f} CPU-ms an image")
    print(f"  {'augmentation alone':<26} {'':15} {alone / images * 1e3:7.3f} CPU-ms an image")
    share = median(1 - ready[0] / all_of_it[0] for ready, all_of_it in zip(fed, whole, strict=True))
    print(f"goal: the input takes at most {GOAL:.0%} of a step: {'met' if share <= GOAL else 'missed'} ({share:.1%})")
    return 0 if share <= GOAL else 1


if __name__ == "__main__":
    sys.exit(program(main))
