"""Networks of inverted residuals with linear bottlenecks: MobileNet V2 (M. Sandler et al., CVPR 2018, arXiv 1801.04381)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from edgeloop.networks.layers import Layers

LARGEST = 6.0
"""Where activations end."""


@dataclass(frozen=True)
class Bottleneck:
    """A pointwise convolution to `expansion` times the channels (none where that is 1), a depthwise 3x3 one, a pointwise one."""

    expansion: int
    channels: int
    stride: int


@dataclass(frozen=True)
class Residual:
    """A network: channels of the first 3x3 convolution (stride 2), the blocks, and the pointwise convolution after them.

    A block that keeps its input's size and channels adds its input. Layers are named as in Keras' MobileNetV2 (`Conv1`, `bn_Conv1`,
    `expanded_conv_depthwise`, `block_1_expand`, `block_1_expand_BN`, ..., `Conv_1`), so that its weights are taken by name.
    """

    stem: int
    blocks: tuple[Bottleneck, ...]
    features: int
    """Length of the pooled feature vector."""

    def body(self, x: "keras.KerasTensor", layers: "Layers") -> "keras.KerasTensor":
        """From (n, height, width, channels) to the feature map, (n, rows, columns, features)."""
        x = layers.normalised(layers.convolution(x, self.stem, 3, "Conv1", stride=2), "bn_Conv1")
        x = layers.rectified(x, "Conv1_relu", LARGEST)
        for number, block in enumerate(self.blocks):
            x = _block(x, block, f"block_{number}" if number else "expanded_conv", layers)
        x = layers.normalised(layers.convolution(x, self.features, 1, "Conv_1"), "Conv_1_bn")
        return layers.rectified(x, "out_relu", LARGEST)


def _block(x: "keras.KerasTensor", block: Bottleneck, name: str, layers: "Layers") -> "keras.KerasTensor":
    source, channels = x, int(x.shape[-1])
    if block.expansion > 1:
        x = layers.normalised(layers.convolution(x, block.expansion * channels, 1, f"{name}_expand"), f"{name}_expand_BN")
        x = layers.rectified(x, f"{name}_expand_relu", LARGEST)
    x = layers.normalised(layers.depthwise(x, f"{name}_depthwise", stride=block.stride), f"{name}_depthwise_BN")
    x = layers.rectified(x, f"{name}_depthwise_relu", LARGEST)
    x = layers.normalised(layers.convolution(x, block.channels, 1, f"{name}_project"), f"{name}_project_BN")
    return layers.sum(source, x, f"{name}_add") if block.stride == 1 and block.channels == channels else x
