"""Biases that share a buffer get one each, and the model computes the same."""

import numpy as np
from hardened import PREPROCESSING, SIDE, pictures

from edgeloop.framework import load_tensorflow
from edgeloop.quantization.choose import score
from edgeloop.quantization.convert import to_int8
from edgeloop.tflite.buffers import apart
from edgeloop.tflite.graph import graph_of


def constants(content: bytes) -> list[int]:
    graph = graph_of(content)
    return [tensor.buffer for tensor in graph.tensors if tensor.constant_bytes and tensor.dtype == "INT32"]


def test_equal_biases_share_until_they_are_set_apart() -> None:
    load_tensorflow()
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, activation="relu")(layers.Conv2D(8, 3, activation="relu")(image))
    model = keras.Model(image, layers.Softmax()(layers.Dense(4)(layers.GlobalAveragePooling2D()(x))))
    content = to_int8(model, pictures(8), PREPROCESSING, per_channel=True)
    assert len(constants(content)) > len(set(constants(content))), "the biases of both convolutions are zero"
    single = apart(content)
    assert len(constants(single)) == len(set(constants(single))) == len(constants(content))
    assert apart(single) == single
    assert np.array_equal(score(single, PREPROCESSING, pictures(8)), score(content, PREPROCESSING, pictures(8)))
