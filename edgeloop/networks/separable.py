"""Networks of depthwise separable blocks: Fd-MobileNet as the published STM32 models are built, and MobileNet V1."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

    from edgeloop.networks.layers import Layers


@dataclass(frozen=True)
class Block:
    """A depthwise 3x3 convolution of that stride, then a pointwise one to `channels`."""

    channels: int
    stride: int


@dataclass(frozen=True)
class Shape:
    """A network: channels of the first 3x3 convolution (stride 2), then the blocks.

    Each pointwise convolution is followed by batch normalisation and ReLU. Layers are named as in the published models (`conv1`,
    `conv_dw_1`, `conv_pw_1`, `conv_pw_1_bn`, ...), so that weights are exchanged by name.
    """

    stem: int
    blocks: tuple[Block, ...]
    activates_depthwise: bool = False
    """Whether a depthwise convolution is followed by normalisation and activation, too, as in MobileNet V1; else it has a bias only."""
    largest: float | None = None
    """Where activations end: 6 in MobileNet V1, None for a plain ReLU."""

    @property
    def features(self) -> int:
        """Length of the pooled feature vector."""
        return self.blocks[-1].channels

    def body(self, x: "keras.KerasTensor", layers: "Layers") -> "keras.KerasTensor":
        """From (n, height, width, channels) to the feature map, (n, rows, columns, features)."""
        x = layers.activated(layers.convolution(x, self.stem, 3, "conv1", stride=2), "conv1", self.largest)
        for number, block in enumerate(self.blocks, 1):
            depthwise, pointwise = f"conv_dw_{number}", f"conv_pw_{number}"
            x = layers.depthwise(x, depthwise, stride=block.stride, biased=not self.activates_depthwise)
            if self.activates_depthwise:
                x = layers.activated(x, depthwise, self.largest)
            x = layers.activated(layers.convolution(x, block.channels, 1, pointwise), pointwise, self.largest)
        return x
