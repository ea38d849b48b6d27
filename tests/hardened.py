"""Networks whose channels differ widely in range though they compute the same: what plain conversion to int8 loses."""

from typing import TYPE_CHECKING, Any

import numpy as np
from converted_models import enliven, smooth_images
from numpy.typing import NDArray

from edgeloop.framework import load_tensorflow
from edgeloop.preprocessing import Pixels, Preprocessing

if TYPE_CHECKING:
    import keras

SIDE, CLASSES = 32, 6
PREPROCESSING = Preprocessing(resolution=SIDE, resize="area", input_range=(-1.0, 1.0))


def pictures(count: int, seed: int = 4) -> Pixels:
    return smooth_images(np.random.default_rng(seed), count, SIDE)


def classifier(*, relu6: bool = False) -> "keras.Model":
    """A residual network of separable blocks whose answers differ from picture to picture."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(5)
    model = _network(6.0 if relu6 else None)
    images = PREPROCESSING.normalised(pictures(64, 9))
    enliven(model, np.random.default_rng(5), images)
    _spread_answers(model, images)
    return model


def _network(most: float | None) -> "keras.Model":
    from keras import Input, Model, layers

    def normalised(x: Any, name: str) -> Any:
        return layers.ReLU(max_value=most)(layers.BatchNormalization(name=f"{name}_bn")(x))

    image = Input((SIDE, SIDE, 3))
    x = normalised(layers.Conv2D(12, 3, 2, "same", use_bias=False, name="stem")(image), "stem")
    for number in (1, 2, 3):
        x = layers.DepthwiseConv2D(3, strides=2, name=f"dw_{number}")(layers.ZeroPadding2D(1)(x))
        x = normalised(layers.Conv2D(24, 1, use_bias=False, name=f"pw_{number}")(x), f"pw_{number}")
    y = layers.Conv2D(24, 1, name="branch")(x)
    x = layers.Dropout(0.1)(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    return Model(image, layers.Softmax()(layers.Dense(CLASSES, name="head")(x)))


def _spread_answers(model: "keras.Model", images: NDArray[np.float32]) -> None:
    """A head along the directions in which these images' features differ most."""
    import keras

    features = keras.Model(model.inputs, model.get_layer("head").input)(images, training=False).numpy()
    mean = features.mean(axis=0)
    _, sizes, directions = np.linalg.svd(features - mean, full_matrices=False)
    kernel = 8 * directions[:CLASSES].T / sizes[:CLASSES] * np.sqrt(len(images))
    model.get_layer("head").set_weights([kernel, -mean @ kernel])


def harden(model: "keras.Model", spread: float = 100.0) -> None:
    """Multiply channels by factors up to `spread`, either way, and divide the weights that take them."""
    rng = np.random.default_rng(7)
    for maker, taker in (("stem_bn", "dw_1"), ("pw_1_bn", "dw_2"), ("pw_2_bn", "dw_3")):
        gamma, beta, mean, variance = model.get_layer(maker).get_weights()
        factors = np.exp(rng.uniform(-np.log(spread), np.log(spread), gamma.shape))
        model.get_layer(maker).set_weights([gamma * factors, beta * factors, mean, variance])
        kernel, bias = model.get_layer(taker).get_weights()
        model.get_layer(taker).set_weights([kernel / factors[:, None], bias])
    for maker, taker in (("dw_1", "pw_1"), ("dw_2", "pw_2"), ("dw_3", "pw_3")):
        kernel, bias = model.get_layer(maker).get_weights()
        factors = np.exp(rng.uniform(-np.log(spread), np.log(spread), bias.shape))
        model.get_layer(maker).set_weights([kernel * factors[:, None], bias * factors])
        (kernel,) = model.get_layer(taker).get_weights()
        model.get_layer(taker).set_weights([kernel / factors[:, None]])
