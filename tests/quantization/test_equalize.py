"""Cross-layer equalization: the float function stays to the last bit, and channels come near to each other."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from converted_models import enliven, random_network, smooth_images
from hardened import PREPROCESSING, classifier, harden, pictures

from edgeloop.framework import load_tensorflow
from edgeloop.preprocessing import Pixels
from edgeloop.quantization.convert import to_float
from edgeloop.quantization.equalize import channel_ranges, equalized
from edgeloop.tflite.graph import graph_of
from edgeloop.tflite.interpreter import ObservedModel


def outputs(content: bytes, images: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    model, graph = ObservedModel(content), graph_of(content)
    found = []
    for image in images:
        model.run(image[None])
        found.append(model.values(graph.outputs[0])[0])
    return np.stack(found)


def spread(content: bytes, images: Pixels) -> float:
    """How many times the largest channel of a tensor the smallest one is, in the worst tensor of those with weights."""
    ranges, graph = channel_ranges(content, images, PREPROCESSING), graph_of(content)
    worst = 1.0
    for operator in graph.operators[:7]:
        alive = ranges[operator.outputs[0]]
        alive = alive[alive > 0]
        worst = max(worst, float(alive.max() / alive.min()))
    return worst


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("relu6", [True, False])
def test_a_hardened_network_is_evened_out_and_computes_the_same(relu6: bool, per_channel: bool) -> None:
    model, images = classifier(relu6=relu6), pictures(24)
    if not relu6:  # which ends channels at 6, so that they cannot be multiplied at will
        harden(model)
    content = to_float(model, PREPROCESSING.resolution)
    even = equalized(content, channel_ranges(content, images, PREPROCESSING), per_channel=per_channel)
    assert even != content and len(even) == len(content)
    seen, unseen = (PREPROCESSING.normalised(some) for some in (images, pictures(24, 77)))
    assert np.array_equal(outputs(even, seen), outputs(content, seen))
    if not relu6:
        assert np.array_equal(outputs(even, unseen), outputs(content, unseen))
        assert spread(content, images) > 1000
        assert spread(even, images) < 100


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(6))
def test_networks_of_all_kinds_compute_the_same(seed: int) -> None:
    """Residual blocks, pads, ReLU6, depthwise and dense layers behind a flattening, odd in size and channels."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = random_network(rng, 32, 32)
    images = smooth_images(rng, 8, 32)
    enliven(model, rng, PREPROCESSING.normalised(images))
    content = to_float(model, 32)
    for per_channel in (True, False):
        even = equalized(content, channel_ranges(content, images, PREPROCESSING), per_channel=per_channel)
        assert np.array_equal(outputs(even, PREPROCESSING.normalised(images)), outputs(content, PREPROCESSING.normalised(images)))


def _concatenated(x: Any) -> Any:
    from keras import layers

    return layers.Concatenate()([layers.Conv2D(4, 3)(x), layers.Conv2D(4, 3)(x)])


def _shared(x: Any) -> Any:
    from keras import layers

    shared = layers.Conv2D(3, 3, padding="same", activation="relu")
    return shared(shared(x))


def _multiplied(x: Any) -> Any:
    from keras import layers

    return layers.Conv2D(5, 3)(layers.DepthwiseConv2D(3, depth_multiplier=2)(layers.Conv2D(4, 3, activation="relu")(x)))


def _curved(x: Any) -> Any:
    from keras import layers

    return layers.Conv2D(5, 3)(layers.Activation("sigmoid")(layers.Conv2D(4, 3, activation="tanh")(x)))


@pytest.mark.parametrize("body", [_concatenated, _shared, _multiplied, _curved])
def test_what_mixes_or_bends_channels_stays_as_it_is(body: Callable[[Any], Any]) -> None:
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(2)
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, activation="relu")(body(image))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(keras.layers.GlobalAveragePooling2D()(x)))
    content, images = to_float(model, 32), pictures(6)
    even = equalized(content, channel_ranges(content, images, PREPROCESSING), per_channel=False)
    assert np.array_equal(outputs(even, PREPROCESSING.normalised(images)), outputs(content, PREPROCESSING.normalised(images)))


def unevenness(content: bytes) -> float:
    """How many times as large as the median one an output channel's weights are, in the worst convolution."""
    graph = graph_of(content)
    kernels = (graph.operand(operator, 1) for operator in graph.operators if operator.name == "CONV_2D")
    channels = [np.abs(kernel.stored.view(np.float32)).reshape(kernel.shape[0], -1).max(axis=1) for kernel in kernels if kernel is not None]
    return max(float(largest.max() / np.median(largest)) for largest in channels)


@pytest.mark.thorough
@pytest.mark.parametrize("per_channel", [True, False])
def test_a_channel_that_no_picture_wakes_is_not_scaled_without_end(per_channel: bool) -> None:
    """LiteRT refuses an int8 convolution whose output is more than 256 times as fine as the product of its inputs."""
    model, images = classifier(), pictures(24)
    gamma, beta, mean, variance = model.get_layer("pw_2_bn").get_weights()
    beta[:2] = -100
    model.get_layer("pw_2_bn").set_weights([gamma, beta, mean, variance])
    content = to_float(model, PREPROCESSING.resolution)
    even = equalized(content, channel_ranges(content, images, PREPROCESSING), per_channel=per_channel)
    assert unevenness(even) < 64
