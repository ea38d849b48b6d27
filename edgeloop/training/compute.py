"""Where and in which precision weights are trained: as always, to the bit, or in bfloat16 on all GPUs."""

from collections.abc import Iterator
from contextlib import contextmanager

from edgeloop.config import Compute

PRECISION = {"exact": "float32", "gpus": "mixed_bfloat16"}
"""Keras' names. Weights are float32 in both. Not float16: its gradients vanish unless the loss is scaled up."""


@contextmanager
def computing(compute: Compute, most: int) -> Iterator[None]:
    """Networks, optimizers and `Trainer`s that are made inside are trained that way.

    `exact`: in float32 on one device. `gpus`: products in bfloat16, batches divided among all GPUs, without one among the
    processors that TensorFlow sees (it sees one, unless it is told to divide it); among `most` at the most, as each needs an image.
    """
    import keras
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")][:most]
    several = compute == "gpus" and len(devices) > 1
    strategy = tf.distribute.MirroredStrategy(devices) if several else tf.distribute.get_strategy()
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISION[compute])
    try:
        with strategy.scope():
            yield
    finally:
        keras.config.set_dtype_policy(before)
