"""CPU time of `head` epochs over features computed once against computing them anew in every epoch.

    python benchmarks/head.py [--network fdmobilenet_0.25] [--resolution 128] [--images 1500] [--epochs 20]

Both sides train the last layer on the same images drawn at random and are evaluated on a tenth as many after each epoch. The baseline
computes the features of every image it meets in every epoch; ours computes them once, which is counted, and then only trains.
Exit status 1 when an epoch over cached features is not at least 20 times cheaper.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edgeloop.config import Phase, load_params
from edgeloop.console import program
from edgeloop.datasets.pixels import SplitPixels
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import Preprocessing
from edgeloop.training.batches import Examples, ahead
from edgeloop.training.features import cached_features, compute_features
from edgeloop.training.loop import Trainer
from edgeloop.training.recipe import Recipe, choose
from edgeloop.workspace import Workspace, find_workspace

GOAL = 20.0
CLASSES = 5
PHASE = Phase(mode="head", epochs=1000, learning_rate=0.01, decay="constant")
Features = NDArray[np.float32]


def main() -> int:
    options = _options()
    settings = load_params(find_workspace()).dataset("flowers").train.settings(options.network, options.resolution)
    recipe = choose(settings, images=options.images, resolution=options.resolution, fresh=False, start_range=(-1.0, 1.0))
    load_tensorflow()
    preprocessing = Preprocessing(resolution=options.resolution, resize=recipe.resize, input_range=recipe.input_range)
    backbone = build(network(options.network), options.resolution, CLASSES)
    train, val = _images("train", options.images, options.resolution), _images("val", options.images // 10, options.resolution)
    compute_features(backbone, val, preprocessing)  # compiles
    trainer = _head(network(options.network).features, recipe)

    def recomputed() -> tuple[Features, Features]:
        return compute_features(backbone, train, preprocessing), compute_features(backbone, val, preprocessing)

    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(Path(scratch))

        def cached() -> tuple[Features, Features]:
            return cached_features(workspace, backbone, train, preprocessing), cached_features(workspace, backbone, val, preprocessing)

        first = _cpu_s(cached)
        features = cached()
        _epoch(trainer, features, train, val, recipe)  # compiles
        baseline = [_cpu_s(lambda: _epoch(trainer, recomputed(), train, val, recipe)) for _ in range(3)]
        ours = [_cpu_s(lambda: _epoch(trainer, features, train, val, recipe)) for _ in range(options.epochs)]
    return _report(options, first, median(baseline), median(ours))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="fdmobilenet_0.25")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=20)
    return parser.parse_args()


def _images(split: str, count: int, side: int) -> SplitPixels:
    rng = np.random.default_rng(count)
    pixels = rng.integers(0, 256, (count, side, side, 3), np.uint8)
    labels = rng.integers(0, CLASSES, count).astype(np.int32)
    rows, classes = pd.DataFrame({"split": [split] * count}), [str(index) for index in range(CLASSES)]
    return SplitPixels("drawn", split, rows, labels, classes, "drawn", pixels=pixels)


def _head(features: int, recipe: Recipe) -> Trainer:
    import keras

    heads = [keras.Sequential([keras.Input((features,)), keras.layers.Dense(CLASSES)]) for _ in range(2)]
    return Trainer(heads[0], heads[1], recipe, np.ones(CLASSES, np.float32), mixes=False)


def _epoch(trainer: Trainer, features: tuple[Features, Features], train: SplitPixels, val: SplitPixels, recipe: Recipe) -> None:
    examples = Examples(features[0], train.labels)
    items = ahead(examples.epoch((1, 0, trainer.steps_done), recipe.batch_size))
    trainer.epoch(items, PHASE, 0, examples.steps(recipe.batch_size))
    trainer.evaluate(features[1], val.labels)


def _cpu_s(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _report(options: argparse.Namespace, first_s: float, baseline_s: float, ours_s: float) -> int:
    print(f"{options.network} @{options.resolution}, {options.images} images and {options.images // 10} to evaluate on")
    print(f"  features computed in every epoch  {baseline_s:7.3f} CPU-s an epoch")
    print(f"  features computed once            {ours_s:7.3f} CPU-s an epoch, and {first_s:.2f} CPU-s once")
    epochs = options.epochs
    print(f"  {epochs} epochs altogether: {epochs * baseline_s:.1f} against {first_s + epochs * ours_s:.1f} CPU-s")
    ratio = baseline_s / ours_s
    print(f"goal: an epoch at least {GOAL:.0f} times cheaper: {'met' if ratio >= GOAL else 'missed'} ({ratio:.0f})")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(program(main))
