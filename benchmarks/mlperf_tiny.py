"""The reference architectures of MLPerf Tiny's image tasks, restated in Keras (github.com/mlcommons/tiny, benchmark/training).

Weights are random: these are for memory and instructions, not for accuracy.
"""

from typing import TYPE_CHECKING

from edgeloop.framework import load_tensorflow

if TYPE_CHECKING:
    import keras

RESOLUTIONS = {"mlperf_vww": 96, "mlperf_resnet8": 32}
"""The side of the input that each one is defined for."""
_MOBILENET = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels at width 1 and stride of each block of MobileNetV1 (arXiv 1704.04861, table 1)."""
_ALPHA = 0.25


def build_mlperf(name: str, resolution: int, batch_norm_momentum: float) -> "keras.Model":
    """One of RESOLUTIONS; visual wake words is fully convolutional, and may have another resolution."""
    load_tensorflow()
    import keras

    image = keras.Input((resolution, resolution, 3))
    features = (_visual_wake_words if name == "mlperf_vww" else _resnet8)(image, batch_norm_momentum)
    return keras.Model(image, features)


def _visual_wake_words(x: "keras.KerasTensor", momentum: float) -> "keras.KerasTensor":
    """MobileNetV1 of width 0.25 (visual_wake_words/vww_model.py)."""
    from keras import layers

    x = layers.Conv2D(int(32 * _ALPHA), 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum)(x))
    for channels, stride in _MOBILENET:
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=momentum)(x))
        x = layers.Conv2D(int(channels * _ALPHA), 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=momentum)(x))
    x = layers.Flatten()(layers.AveragePooling2D(x.shape[1:3])(x))
    return layers.Dense(2, activation="softmax")(x)


def _resnet8(x: "keras.KerasTensor", momentum: float) -> "keras.KerasTensor":
    """Three residual blocks (image_classification/keras_model.py, resnet_v1_eembc)."""
    from keras import layers

    def convolved(x: "keras.KerasTensor", channels: int, stride: int) -> "keras.KerasTensor":
        return layers.BatchNormalization(momentum=momentum)(layers.Conv2D(channels, 3, strides=stride, padding="same")(x))

    x = layers.ReLU()(convolved(x, 16, 1))
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        y = convolved(layers.ReLU()(convolved(x, channels, stride)), channels, 1)
        if stride != 1:
            x = layers.Conv2D(channels, 1, strides=stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(x.shape[1:3])(x))
    return layers.Dense(10, activation="softmax")(x)
