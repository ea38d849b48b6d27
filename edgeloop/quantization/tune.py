"""Fine-tuning of an int8 file: it learns to give the scores of its float file (quantization-aware training by self-distillation).

Weights, biases and ranges are learned together on the calibration images, mirrored and moved; the loss is the Kullback-Leibler
divergence from the float file's scores, which needs no labels (G. Hinton et al. 2015, arXiv 1503.02531). Adam with a rate in steps of
each weight's own scale, so that one rate fits all layers. Equal files and images give equal bytes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from edgeloop.errors import ModelError
from edgeloop.framework import load_tensorflow
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.quantization.replica import Replica, obstacle

STEPS, BATCH = 120, 32
"""The bound of its cost. Most is gained in the first 60 steps; five times as many gave half a decibel more."""
KERNEL_RATE, BIAS_RATE = 0.01, 0.01
"""In steps of the scale that a weight, or the output of a bias, has in the file."""
ACTIVATION_RATE, SCALE_RATE = 0.01, 0.001
"""Learning rates of the logarithms of the scales of activations, which outliers may have made far too wide, and of weights."""
MOMENTUM, SQUARES, TINY = 0.9, 0.99, 1e-12
MOVED_SHARE = 8
"""An image is moved by at most this part of its side, mirrored at its edges."""
SEED = 1


def fine_tuned(quantized: bytes, floating: bytes, pixels: Pixels, preprocessing: Preprocessing) -> bytes:
    """An int8 file that agrees better with its float file, learned on (n, height, width, channels) uint8 pixels.

    Raises:
        ModelError: it has what no replica covers.
    """
    if reason := obstacle(floating, quantized):
        raise ModelError(reason, "Quantize a model of plain convolutional layers.")
    load_tensorflow()
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    replica, rng = Replica(floating, quantized), np.random.default_rng(SEED)
    step = _step(replica)
    for number in range(STEPS):
        rate = 0.5 * (1 + np.cos(np.pi * number / STEPS))
        shown = varied(pixels, rng)
        images = tf.constant(preprocessing.normalised(shown)), tf.constant(shown.astype(np.float32))
        step(*images, tf.constant(rate, tf.float32), tf.constant(number + 1, tf.float32))
    return replica.written()


def varied(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A batch of the images: half of them mirrored, each moved a little."""
    chosen = pixels[rng.integers(len(pixels), size=BATCH)]
    mirrored = rng.random(BATCH) < 0.5
    chosen[mirrored] = chosen[mirrored, :, ::-1]
    height, width = chosen.shape[1:3]
    down, aside = height // MOVED_SHARE, width // MOVED_SHARE
    wide = np.pad(chosen, ((0, 0), (down, down), (aside, aside), (0, 0)), "reflect")
    corners = rng.integers((2 * down + 1, 2 * aside + 1), size=(BATCH, 2))
    return np.stack([image[top : top + height, left : left + width] for image, (top, left) in zip(wide, corners, strict=True)])


def _step(replica: Replica) -> Callable[..., Any]:
    """One step of Adam (D. Kingma, J. Ba, ICLR 2015) over a batch; takes the images in the stated range and as pixels, the share of
    the rates and the step's number.
    """
    import tensorflow as tf

    rates = (
        (replica.kernels, KERNEL_RATE),
        (replica.biases, BIAS_RATE),
        (replica.activation_stretches, ACTIVATION_RATE),
        (replica.kernel_stretches, SCALE_RATE),
    )
    learned = [(variable, rate) for variables, rate in rates for variable in variables]
    means, squares = ([tf.Variable(tf.zeros_like(variable)) for variable, _ in learned] for _ in range(2))

    def step(images: Any, pixels: Any, share: Any, number: Any) -> None:
        expected = tf.nn.softmax(replica.exact_logits(images))
        with tf.GradientTape() as tape:
            answered = tf.nn.log_softmax(replica.rounded_logits(pixels))
            # The divergence but for the entropy of what is expected, which has no gradient.
            loss = -tf.reduce_mean(tf.reduce_sum(expected * answered, axis=1))
        gradients = tape.gradient(loss, [variable for variable, _ in learned])
        for (variable, rate), gradient, mean, square in zip(learned, gradients, means, squares, strict=True):
            mean.assign(MOMENTUM * mean + (1 - MOMENTUM) * gradient)
            square.assign(SQUARES * square + (1 - SQUARES) * gradient**2)
            direction = mean / (1 - MOMENTUM**number) / (tf.sqrt(square / (1 - SQUARES**number)) + TINY)
            variable.assign_sub(share * rate * direction)

    compiled: Callable[..., Any] = tf.function(step, jit_compile=False)
    return compiled
