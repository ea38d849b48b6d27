"""Networks of depthwise separable blocks, built layer by layer as the published STM32 models are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeloop.errors import InputError
from edgeloop.networks.fused import fused_batch_normalization

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Block:
    """A depthwise 3x3 convolution of that stride, then a pointwise one to `channels`."""

    channels: int
    stride: int


@dataclass(frozen=True)
class Shape:
    """A network: channels of the first 3x3 convolution (stride 2), then the blocks."""

    stem: int
    blocks: tuple[Block, ...]

    @property
    def features(self) -> int:
        """Length of the pooled feature vector."""
        return self.blocks[-1].channels


def build(
    shape: Shape,
    resolution: int | None,
    classes: int,
    *,
    dropout: float = 0.0,
    batch_norm_momentum: float = 0.9,
    for_training: bool = False,
) -> "keras.Model":
    """The network with fresh weights: (n, resolution, resolution, 3) float32 to (n, classes) probabilities.

    Without a resolution it takes images of any size: the weights are the same.

    Depthwise convolutions have a bias and neither normalisation nor activation; each pointwise one is followed by
    batch normalisation and ReLU. Layers are named as in the published models (`conv1`, `conv_dw_1`, `conv_pw_1`,
    `conv_pw_1_bn`, ..., `conv_preds`), so that weights are exchanged by name.

    `for_training` gives the same function and list of weights at half the cost of a step: fused batch normalisation, and
    depthwise biases that stay as they are, since the normalisation after them takes any constant away. In whichever precision
    Keras is set to, its last layers work in float32.

    Raises:
        InputError: `resolution` is not a multiple of 32 from 96 to 256, or there are fewer than two classes.
    """
    _check(resolution, classes)
    from keras import Input, Model, layers

    normalization = fused_batch_normalization() if for_training else layers.BatchNormalization

    def normalised(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        x = normalization(momentum=batch_norm_momentum, name=f"{name}_bn")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    image = Input((resolution, resolution, 3), name="image")
    x = layers.Conv2D(shape.stem, 3, strides=2, padding="same", use_bias=False, name="conv1")(image)
    x = normalised(x, "conv1")
    for number, block in enumerate(shape.blocks, 1):
        depthwise = layers.DepthwiseConv2D(3, strides=block.stride, padding="same", name=f"conv_dw_{number}")
        x = depthwise(x)
        depthwise.bias.trainable = not for_training
        x = layers.Conv2D(block.channels, 1, use_bias=False, name=f"conv_pw_{number}")(x)
        x = normalised(x, f"conv_pw_{number}")
    dtype = "float32" if for_training else None
    x = layers.GlobalAveragePooling2D(keepdims=True, name="features", dtype=dtype)(x)
    x = layers.Dropout(dropout, name="dropout", dtype=dtype)(x)
    x = layers.Conv2D(classes, 1, name="conv_preds", dtype=dtype)(x)
    x = layers.Reshape((classes,), name="logits", dtype=dtype)(x)
    return Model(image, layers.Softmax(name="probabilities", dtype=dtype)(x), name="network")


def parameters_folded(shape: Shape, classes: int) -> int:
    """Weights and biases with batch normalisation folded into the convolutions before it."""
    count, channels = 3 * 3 * 3 * shape.stem + shape.stem, shape.stem
    for block in shape.blocks:
        count += 10 * channels + channels * block.channels + block.channels
        channels = block.channels
    return count + channels * classes + classes


def multiply_accumulates(shape: Shape, resolution: int, classes: int) -> int:
    """Multiply-accumulate operations of the convolutions, for one image."""
    side, channels = resolution // 2, shape.stem
    count = side * side * 27 * channels
    for block in shape.blocks:
        side //= block.stride
        count += side * side * channels * (9 + block.channels)
        channels = block.channels
    return count + channels * classes


def _check(resolution: int | None, classes: int) -> None:
    if resolution is not None and (resolution % 32 or not 96 <= resolution <= 256):
        raise InputError(f"The resolution {resolution} is not a multiple of 32 from 96 to 256.")
    if classes < 2:
        raise InputError(f"A classifier needs at least two classes, not {classes}.")
