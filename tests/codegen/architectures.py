"""Published image classifiers as Keras models with random weights, each a table of its blocks; narrow where the real one is slow."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from converted_models import converted, enliven, smooth_images

from edgeloop.framework import load_tensorflow

if TYPE_CHECKING:
    import keras

CALIBRATION_IMAGES = 12
EFFICIENTNET_LITE0 = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
]
"""Expansion, window, stride, channels, repeats (Tan and Le 2019, table 1); without squeeze and excite, and with ReLU6."""
MCUNET = [
    (1, 3, 1, 8),
    (3, 7, 2, 16),
    (4, 3, 1, 16),
    (5, 5, 2, 24),
    (5, 7, 1, 24),
    (5, 5, 2, 40),
    (5, 7, 1, 40),
    (4, 5, 1, 48),
    (6, 7, 2, 96),
    (5, 3, 1, 96),
    (6, 7, 1, 160),
]
"""Expansion, window, stride, channels: in the manner of MCUNet (Lin et al. 2020), whose windows have 3 to 7 columns; not its very table."""
SQUEEZENET = [(16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256)]
"""Squeezed and expanded channels of each fire module, None for a max pool (Iandola et al. 2016, version 1.1)."""


def convolved(x: Any, channels: int, window: int | tuple[int, int] = 3, stride: int = 1, activation: str | None = "relu6") -> Any:
    from keras import layers

    x = layers.Conv2D(channels, window, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def depthwise(x: Any, window: int | tuple[int, int] = 3, stride: int = 1, activation: str = "relu6") -> Any:
    from keras import layers

    x = layers.DepthwiseConv2D(window, strides=stride, padding="same", use_bias=False)(x)
    return layers.Activation(activation)(layers.BatchNormalization()(x))


def inverted(x: Any, expansion: int, window: int, stride: int, channels: int) -> Any:
    """An inverted residual block (Sandler et al. 2018)."""
    from keras import layers

    y = convolved(x, expansion * x.shape[-1], 1) if expansion > 1 else x
    y = convolved(depthwise(y, window, stride), channels, 1, activation=None)
    return layers.Add()([x, y]) if x.shape == y.shape else y


def headed(image: Any, x: Any, classes: int, activation: str | None = "softmax") -> "keras.Model":
    """The mean of each channel, and a dense layer."""
    from keras import Model, layers

    return Model(image, layers.Dense(classes, activation=activation)(layers.GlobalAveragePooling2D()(x)))


def mobilenet_v1() -> "keras.Model":
    import keras

    return keras.applications.MobileNet(input_shape=(96, 96, 3), alpha=0.25, weights=None, classes=7)


def mobilenet_v2() -> "keras.Model":
    import keras

    return keras.applications.MobileNetV2(input_shape=(96, 96, 3), alpha=0.35, weights=None, classes=7)


def mobilenet_v3_small() -> "keras.Model":
    """With hard swish and squeeze and excite."""
    import keras

    return keras.applications.MobileNetV3Small(
        input_shape=(96, 96, 3), alpha=0.75, weights=None, classes=7, include_preprocessing=False, dropout_rate=0.0
    )


def efficientnet_lite0(width: float = 0.25) -> "keras.Model":
    from keras import Input

    image = Input((96, 96, 3))
    x = convolved(image, 16, stride=2)
    for expansion, window, stride, channels, repeats in EFFICIENTNET_LITE0:
        for repeat in range(repeats):
            x = inverted(x, expansion, window, 1 if repeat else stride, max(8, int(channels * width)))
    return headed(image, convolved(x, 320, 1), 7)


def mcunet() -> "keras.Model":
    from keras import Input

    image = Input((96, 96, 3))
    x = convolved(image, 16, stride=2)
    for block in MCUNET:
        x = inverted(x, *block)
    return headed(image, x, 7)


def resnet8() -> "keras.Model":
    """MLPerf Tiny's image classification."""
    from keras import Input, layers

    image = Input((32, 32, 3))
    x = convolved(image, 16, activation="relu")
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = convolved(convolved(x, channels, 3, stride, "relu"), channels, activation=None)
        x = layers.ReLU()(layers.Add()([convolved(x, channels, 1, stride, None) if stride > 1 else x, y]))
    return headed(image, x, 10)


def squeezenet(width: float = 0.5) -> "keras.Model":
    """Its classifier is a convolution whose mean is taken; without the last ReLU and the softmax, which leave nothing of random weights."""
    from keras import Input, Model, layers

    image = Input((96, 96, 3))
    x = layers.Conv2D(32, 3, strides=2, activation="relu")(image)
    x = layers.MaxPooling2D(3, 2)(x)
    for block in SQUEEZENET:
        if block is None:
            x = layers.MaxPooling2D(3, 2)(x)
            continue
        squeezed, expanded = (int(channels * width) for channels in block)
        x = layers.Conv2D(squeezed, 1, activation="relu")(x)
        x = layers.Concatenate()([layers.Conv2D(expanded, size, padding="same", activation="relu")(x) for size in (1, 3)])
    return Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(7, 1)(x)))


def ds_cnn() -> "keras.Model":
    """MLPerf Tiny's keyword spotting: 49 frames of 10 features, a first window of 10x4."""
    from keras import Input, layers

    image = Input((49, 10, 1))
    x = convolved(image, 64, (10, 4), 2, "relu")
    for _ in range(4):
        x = convolved(depthwise(x, activation="relu"), 64, 1, activation="relu")
    return headed(image, layers.AveragePooling2D((x.shape[1], x.shape[2]))(x), 12)


def person_detection() -> "keras.Model":
    """TensorFlow Lite Micro's: a grey MobileNet of two classes, which come as one sigmoid here."""
    from keras import Input

    image = Input((96, 96, 1))
    x = convolved(image, 8, stride=2)
    for channels, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1)):
        x = convolved(depthwise(x, stride=stride), channels, 1)
    return headed(image, x, 1, "sigmoid")


def mnist() -> "keras.Model":
    """Ends in logits."""
    from keras import Input, Model, layers

    x = image = Input((28, 28, 1))
    for channels in (8, 16):
        x = layers.MaxPooling2D(2)(layers.Conv2D(channels, 3, activation="relu")(x))
    return Model(image, layers.Dense(10)(layers.Dense(32, activation="tanh")(layers.Flatten()(x))))


def camera() -> "keras.Model":
    """160x120 pixels, resized in the model, then what networks rarely have: groups, dilation, leaky and parametric ReLU, a gate."""
    from keras import Input, Model, layers

    image = Input((120, 160, 3))
    x = layers.Resizing(60, 80, interpolation="bilinear")(image)
    x = layers.LeakyReLU(negative_slope=0.1)(layers.Conv2D(12, 3, strides=3, padding="same")(x))
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(16, 3, dilation_rate=2, padding="same")(x))
    x = layers.ReLU()(layers.Conv2D(16, 2, groups=4, padding="same")(x))
    gate = layers.Dense(16, activation="sigmoid")(layers.Dense(4, activation="relu")(layers.GlobalAveragePooling2D()(x)))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 16))(gate)])
    x = layers.Subtract()([x, layers.DepthwiseConv2D((1, 5), depth_multiplier=1, padding="same", activation="tanh")(x)])
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same")(x)
    x = layers.Resizing(20, 36, interpolation="nearest")(x)
    return Model(image, layers.Softmax()(layers.Dense(5)(layers.GlobalAveragePooling2D()(x[:, 1:-1, ::2, 2:30]))))


ARCHITECTURES: dict[str, Callable[[], Any]] = {
    "ds_cnn": ds_cnn,
    "camera": camera,
    "mnist": mnist,
    "resnet8": resnet8,
    "person_detection": person_detection,
    "squeezenet": squeezenet,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3_small,
    "mcunet": mcunet,
    "efficientnet_lite0": efficientnet_lite0,
}


def architecture_model(name: str) -> bytes:
    """The network in full int8, with lively random weights; input and output types differ from one to the next."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    model = ARCHITECTURES[name]()
    _, height, width, channels = model.input_shape
    images = smooth_images(rng, CALIBRATION_IMAGES, height, width)[..., :channels].astype(np.float32) / np.float32(127.5) - 1
    enliven(model, rng, images)
    return converted(model, images, rng, 1)
