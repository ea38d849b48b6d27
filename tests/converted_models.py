"""Models that TensorFlow's converter makes: edgeloop's networks with lively random weights, and random small Keras models."""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.quantization.convert import to_int8
from edgeloop.quiet import quiet

if TYPE_CHECKING:
    import keras

CALIBRATION_IMAGES = 12


def network_model(name: str, resolution: int, classes: int = 5, *, per_channel: bool = True) -> bytes:
    """One of edgeloop's networks in full int8 (uint8 in, float32 out), as it would be after a training.

    The statistics of the batch normalisation are drawn, then measured on the images, so that no layer dies out.
    """
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    model = build(network(name), resolution, classes)
    images, preprocessing = (
        smooth_images(rng, CALIBRATION_IMAGES, resolution),
        Preprocessing(resolution=resolution, resize="area", input_range=(-1.0, 1.0)),
    )
    enliven(model, rng, preprocessing.normalised(images))
    return to_int8(model, images, preprocessing, per_channel=per_channel)


def smooth_images(rng: np.random.Generator, count: int, height: int, width: int | None = None) -> Pixels:
    """Coloured blobs and some noise: neighbouring pixels resemble each other, images do not."""
    import cv2

    coarse = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
    images = np.stack([cv2.resize(image, (width or height, height), interpolation=cv2.INTER_LINEAR) for image in coarse])
    noisy: Pixels = np.clip(images.astype(np.int16) + rng.integers(-12, 13, images.shape), 0, 255).astype(np.uint8)
    return noisy


def enliven(model: "keras.Model", rng: np.random.Generator, images: "np.ndarray[Any, Any]") -> None:
    """Random biases and statistics; the statistics are then those of the images."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([rng.uniform(0.5, 1.5, gamma.shape), rng.normal(0, 0.4, beta.shape), mean, variance])
            layer.momentum = 0.0
        elif getattr(layer, "use_bias", False):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * 2, rng.normal(0, 0.2, bias.shape)])
    for _ in range(2):
        model(images, training=True)


def random_converted_model(seed: int, *, open_batch: bool = False) -> bytes:
    """A small network of residual blocks, pads, ReLU6, 5x5 depthwise and dense layers, odd in size and channels, converted.

    With an open batch, the file computes the shape of each reshape from that of a tensor.
    """
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    height, width = (int(size) for size in rng.integers(17, 36, 2))
    model = random_network(rng, height, width)
    images = smooth_images(rng, CALIBRATION_IMAGES, height, width).astype(np.float32) / np.float32(127.5) - 1
    enliven(model, rng, images)
    return converted(model, images, rng, None if open_batch else 1)


def random_network(rng: np.random.Generator, height: int, width: int) -> "keras.Model":
    from keras import Input, Model, layers

    image = Input((height, width, 3))
    padding, stride = str(rng.choice(["same", "valid"])), int(rng.integers(1, 3))
    x = layers.Conv2D(int(rng.integers(3, 12)), int(rng.choice([3, 5])), strides=stride, padding=padding)(image)
    x = _activation(rng)(x)
    for _ in range(int(rng.integers(1, 4))):
        x = _random_block(rng, x)
    if rng.random() < 0.5:
        x = layers.AveragePooling2D(2, padding=str(rng.choice(["same", "valid"])))(x)
    if rng.random() < 0.7:
        x = layers.GlobalAveragePooling2D(keepdims=bool(rng.random() < 0.5))(x)
    x = layers.Flatten()(x)
    if rng.random() < 0.5:
        x = layers.Dense(int(rng.integers(3, 20)), activation="relu")(x)
    x = layers.Dense(int(rng.integers(2, 9)))(x)
    return Model(image, layers.Softmax()(x) if rng.random() < 0.6 else x)


def _random_block(rng: np.random.Generator, x: "keras.KerasTensor") -> "keras.KerasTensor":
    from keras import layers

    channels, stride = int(x.shape[-1]), int(rng.integers(1, 3))
    y = x
    if rng.random() < 0.4:
        y = layers.ZeroPadding2D(((int(rng.integers(0, 2)), 1), (1, int(rng.integers(0, 3)))))(y)
    elif rng.random() < 0.5:
        stride = 1
    y = layers.DepthwiseConv2D(int(rng.choice([3, 5])), strides=stride, padding="same")(y)
    y = _activation(rng)(layers.BatchNormalization()(y))
    y = layers.Conv2D(channels if rng.random() < 0.7 else int(rng.integers(3, 15)), 1)(y)
    if y.shape == x.shape:
        y = layers.Add()([x, y])
    return _activation(rng)(y) if rng.random() < 0.5 else y


def _activation(rng: np.random.Generator) -> Any:
    from keras import layers

    return layers.ReLU(max_value=6.0 if rng.random() < 0.5 else None)


def converted(model: "keras.Model", images: "np.ndarray[Any, Any]", rng: np.random.Generator, batch: int | None) -> bytes:
    import tensorflow as tf

    traced = tf.function(lambda image: model(image, training=False)).get_concrete_function(tf.TensorSpec((batch, *images.shape[1:])))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], model)
    converter.experimental_lower_to_saved_model = False
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    types = [tf.uint8, tf.int8, tf.float32]
    converter.inference_input_type = types[int(rng.integers(0, 2))]
    converter.inference_output_type = types[int(rng.integers(0, 3))]
    converter._experimental_disable_per_channel = bool(rng.random() < 0.4)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = bool(rng.random() < 0.5)
    converter.representative_dataset = lambda: ([image[None]] for image in images)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bytes(converter.convert())
