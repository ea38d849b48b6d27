"""A network that is begun with the weights of a narrower one computes the same, and its copies of a channel learn apart."""

from typing import Any

import numpy as np
import pytest

from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.networks.weights import Weights, read_weights
from edgeloop.networks.widen import widened, width_factor
from edgeloop.training.start import Start


@pytest.fixture(scope="module")
def narrow() -> Any:
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(4)
    model = build(network("fdmobilenet_0.25"), 96, 5)
    rng = np.random.default_rng(4)
    # Normalisation that does something.
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
    return model


def start(weights: Weights) -> Start:
    return Start("keras", "narrow.keras", None, None, weights)


@pytest.mark.parametrize(("name", "factor"), [("fdmobilenet_0.5", 2), ("fdmobilenet_0.75", 3), ("fdmobilenet_1.0", 4)])
def test_the_wider_network_computes_the_same(narrow: Any, name: str, factor: int) -> None:
    wide = build(network(name), 96, 5)
    loaded = start(read_weights(narrow)).load_into(wide)
    assert (loaded.widened, loaded.layers_loaded) == (factor, 36)
    images = np.random.default_rng(5).uniform(-1, 1, (4, 96, 96, 3)).astype(np.float32)
    assert np.allclose(narrow(images).numpy(), wide(images).numpy(), atol=1e-5)


def test_copies_of_a_channel_are_taken_with_different_shares(narrow: Any) -> None:
    kernel = widened(read_weights(narrow), 2, seed=1)["conv_pw_3"]["kernel"]
    half = kernel.shape[2] // 2
    first, second = kernel[:, :, :half], kernel[:, :, half:]
    assert not np.isclose(first, second).all(axis=-1).any()
    assert np.array_equal(kernel, widened(read_weights(narrow), 2, seed=1)["conv_pw_3"]["kernel"])


def test_other_classes_leave_the_last_layer_fresh(narrow: Any) -> None:
    wide = build(network("fdmobilenet_0.5"), 96, 3)
    assert start(read_weights(narrow)).load_into(wide).layers_loaded == 35


@pytest.mark.parametrize("name", ["fdmobilenet_0.25", "st_fdmobilenet_v1"])
def test_what_is_not_wider_in_every_layer_is_not_widened(narrow: Any, name: str) -> None:
    assert width_factor(read_weights(narrow), build(network(name), 96, 5)) == 1
