"""The form of a network that is trained: the same function, weights and gradients as that of plain Keras layers."""

from typing import Any

import numpy as np
import pytest

from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network

SIDE = 96


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    """Plain and for training, with equal weights that are none of the initial ones."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    plain, fast = (build(network("fdmobilenet_0.25"), None, 3, for_training=how) for how in (False, True))
    plain.set_weights([np.abs(array + rng.normal(0, 0.05, array.shape)) if array.ndim == 1 else array for array in plain.get_weights()])
    fast.set_weights(plain.get_weights())
    return plain, fast


def images() -> Any:
    return np.random.default_rng(4).random((16, SIDE, SIDE, 3), np.float32)


def test_the_weights_are_listed_alike(pair: tuple[Any, Any]) -> None:
    plain, fast = ([(weight.path, tuple(weight.shape)) for weight in model.weights] for model in pair)
    assert plain == fast


@pytest.mark.parametrize("training", [False, True])
def test_the_outputs_agree(pair: tuple[Any, Any], training: bool) -> None:
    plain, fast = (model(images(), training=training).numpy() for model in pair)
    assert np.allclose(plain, fast, atol=1e-5)


def test_the_gradients_agree_and_a_depthwise_bias_has_none(pair: tuple[Any, Any]) -> None:
    import tensorflow as tf

    def gradients(model: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(images(), training=True)[:, 0] - 1))
        trained = model.trainable_variables
        values = tape.gradient(loss, [variable.value for variable in trained])
        return {variable.path: value.numpy() for variable, value in zip(trained, values, strict=True)}

    plain, fast = (gradients(model) for model in pair)
    constant = {name for name in plain if name.endswith("/bias") and "conv_dw" in name}
    assert set(fast) == set(plain) - constant
    largest = max(np.abs(value).max() for value in plain.values())
    assert max(np.abs(plain[name]).max() for name in constant) < 1e-4 * largest, "a constant that normalisation takes away"
    for name, value in fast.items():
        # Rounding alone moves some ReLU over zero: against float64 either form is up to 1 % off.
        assert np.linalg.norm(value - plain[name]) < 0.03 * np.linalg.norm(plain[name]), name


def test_the_statistics_move_alike(pair: tuple[Any, Any]) -> None:
    def statistics(model: Any) -> dict[str, Any]:
        return {weight.path: np.asarray(weight) for weight in model.weights if "moving" in weight.path}

    before = statistics(pair[0])
    for model in pair:
        model(images(), training=True)
    plain, fast = (statistics(model) for model in pair)
    for name in plain:
        assert not np.allclose(plain[name], before[name], atol=1e-6)
        assert np.allclose(plain[name], fast[name], rtol=0.02, atol=1e-6), name  # The unbiased variance of 144 values or more.
