"""Weights of a network for RGB, for the same one that takes grey.

The first convolution's kernel is summed over red, green and blue: for an image that is grey in all three, where each kernel
element meets the same value three times, the network computes what it did before. Padding with zeros changes nothing in that.
"""

from typing import TYPE_CHECKING

from edgeloop.networks.weights import Weights
from edgeloop.resolution import CHANNELS

if TYPE_CHECKING:
    import keras

COLOR_AXIS = 2
"""Of a kernel (height, width, input channels, output channels)."""


def summed_over_colors(weights: Weights, network: "keras.Model") -> Weights:
    """The weights for a grey network where they are of one for RGB, else the same object."""
    first = next(layer for layer in network.layers if layer.weights)
    kernel = weights.get(first.name, {}).get("kernel")
    if (
        kernel is None
        or kernel.ndim <= COLOR_AXIS
        or kernel.shape[COLOR_AXIS] != CHANNELS["rgb"]
        or network.input.shape[-1] != CHANNELS["grey"]
    ):
        return weights
    return weights | {first.name: weights[first.name] | {"kernel": kernel.sum(COLOR_AXIS, keepdims=True)}}
