"""Runs in a process of its own: the same steps on one device and divided between two; the weights of both, as .npz files."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from two_devices import divide_processor

from edgeloop.config import Phase, TrainSettings
from edgeloop.training.batches import Batch
from edgeloop.training.compute import computing
from edgeloop.training.loop import Trainer
from edgeloop.training.recipe import choose

if TYPE_CHECKING:
    import keras

BATCH, IMAGE, CLASSES, STEPS = 7, (2, 2, 3), 3, 6
PHASE = Phase(mode="full", epochs=1, learning_rate=0.05)


def batches() -> Iterator[Batch]:
    """Of an odd number of images, blended with images that the other device may hold."""
    rng = np.random.default_rng(3)
    for _ in range(STEPS):
        inputs = rng.normal(size=(BATCH, *IMAGE)).astype(np.float32)
        labels, partner = rng.integers(0, CLASSES, BATCH).astype(np.int32), rng.permutation(BATCH).astype(np.int32)
        yield Batch(inputs, labels, partner, rng.uniform(0.5, 1, BATCH).astype(np.float32))


def model() -> "keras.Model":
    import keras

    inputs = keras.Input(IMAGE)
    values = keras.layers.Flatten(dtype="float32")(inputs)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, kernel_initializer="ones", dtype="float32")(values))


def trained(devices: int, folder: Path) -> None:
    import tensorflow as tf

    recipe = choose(TrainSettings(compute="gpus"), images=100, resolution=96, fresh=True, start_range=None)
    averaged = model()
    with computing("gpus", devices):
        assert tf.distribute.get_strategy().num_replicas_in_sync == devices
        trainer = Trainer(model(), averaged, recipe, np.asarray([1, 2, 0.5], np.float32), mixes=True)
    score = trainer.epoch(batches(), PHASE, 0, STEPS)
    np.savez(folder / f"{devices}.npz", np.asarray([score.loss, score.accuracy]), *trainer.state())


if __name__ == "__main__":
    divide_processor()
    for count in (1, 2):
        trained(count, Path(sys.argv[1]))
