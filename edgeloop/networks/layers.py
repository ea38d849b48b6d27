"""The layers that networks are made of, each with its name: plain Keras ones, or those that train faster to the same function."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeloop.networks.fused import fused_batch_normalization

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Layers:
    """Applies one layer after another to a tensor (n, height, width, channels); all are padded to the size of their input over the stride.

    `for_training` gives the same function and list of weights at half the cost of a step: fused batch normalisation, and
    depthwise biases that stay as they are, since the normalisation after them takes any constant away.
    """

    batch_norm_momentum: float
    for_training: bool

    def convolution(self, x: "keras.KerasTensor", channels: int, side: int, name: str, *, stride: int = 1) -> "keras.KerasTensor":
        """A convolution without a bias: normalisation follows."""
        from keras import layers

        # A pointwise one has nothing to pad, and says so, as the files of before do.
        padding = "same" if side > 1 else "valid"
        return layers.Conv2D(channels, side, strides=stride, padding=padding, use_bias=False, name=name)(x)

    def depthwise(self, x: "keras.KerasTensor", name: str, *, stride: int, biased: bool = False) -> "keras.KerasTensor":
        """A depthwise 3x3 convolution."""
        from keras import layers

        layer = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=biased, name=name)
        x = layer(x)
        if biased:
            layer.bias.trainable = not self.for_training
        return x

    def normalised(self, x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        """Batch normalisation."""
        from keras import layers

        kind = fused_batch_normalization() if self.for_training else layers.BatchNormalization
        return kind(momentum=self.batch_norm_momentum, name=name)(x)

    def rectified(self, x: "keras.KerasTensor", name: str, largest: float | None) -> "keras.KerasTensor":
        """ReLU, cut off at `largest` where that is not None."""
        from keras import layers

        return layers.ReLU(largest, name=name)(x)

    def activated(self, x: "keras.KerasTensor", name: str, largest: float | None) -> "keras.KerasTensor":
        """Normalised and rectified, in layers named after the convolution before them."""
        return self.rectified(self.normalised(x, f"{name}_bn"), f"{name}_relu", largest)

    def sum(self, one: "keras.KerasTensor", other: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        """Both, added."""
        from keras import layers

        return layers.Add(name=name)([one, other])
