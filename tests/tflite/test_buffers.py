"""Biases that share a buffer get one each, and the model computes the same."""

import numpy as np
import pytest
from hardened import PREPROCESSING, SIDE, pictures

from edgeloop.framework import load_tensorflow
from edgeloop.quantization.choose import score
from edgeloop.quantization.convert import to_float, to_int8
from edgeloop.quantization.replica import obstacle
from edgeloop.tflite.buffers import BIAS, BIASED, apart
from edgeloop.tflite.graph import graph_of


def biases(content: bytes) -> list[int]:
    graph = graph_of(content)
    return [bias.buffer for one in graph.operators if one.name in BIASED and (bias := graph.operand(one, BIAS)) is not None]


@pytest.mark.parametrize("rounded", [True, False])
def test_equal_biases_share_until_they_are_set_apart(rounded: bool) -> None:
    load_tensorflow()
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, activation="relu")(layers.Conv2D(8, 3, activation="relu")(image))
    x = layers.Conv2D(8, 1)(layers.DepthwiseConv2D(3)(layers.DepthwiseConv2D(3)(x)))
    model = keras.Model(image, layers.Softmax()(layers.Dense(4, bias_initializer="ones")(layers.GlobalAveragePooling2D()(x))))
    floating = to_float(model, SIDE)
    content = to_int8(model, pictures(8), PREPROCESSING, per_channel=True) if rounded else floating
    assert len(biases(content)) > len(set(biases(content))), "the biases of the convolutions are zero"
    single = apart(content)
    assert len(biases(single)) == len(set(biases(single))) == len(biases(content))
    assert apart(single) == single
    assert np.array_equal(score(single, PREPROCESSING, pictures(8)), score(content, PREPROCESSING, pictures(8)))
    if rounded:
        assert "of its own" in obstacle(floating, content), "fine-tuning would change all at once"
        assert "of its own" not in obstacle(apart(floating), single)
