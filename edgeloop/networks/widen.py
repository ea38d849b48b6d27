"""Weights of a network for one that is a whole number of times as wide, which then computes the same.

T. Chen, I. Goodfellow, J. Shlens, Net2Net: Accelerating Learning via Knowledge Transfer, ICLR 2016 (arXiv 1511.05641), section 2:
every channel is repeated, and what takes the copies shares the channel's weight out among them. The shares are drawn at
random and differ, so that the copies learn different things.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeloop.networks.weights import CLASSIFIER, Weights

if TYPE_CHECKING:
    import keras

STEM = "conv1"
DEPTHWISE = "_dw_"
Array = NDArray[np.float32]


def width_factor(weights: Weights, network: "keras.Model") -> int:
    """How many times as wide as `weights` the network is; 1 where it is no whole number, or another one in some layer."""
    stems = [layer for layer in network.layers if layer.name == STEM]
    narrow = weights.get(STEM, {}).get("kernel")
    if not stems or narrow is None:
        return 1
    wide = stems[0].get_weights()[0]
    if narrow.ndim != wide.ndim or wide.shape[-1] % narrow.shape[-1]:
        return 1
    factor = wide.shape[-1] // narrow.shape[-1]
    layers = [layer for layer in network.layers if layer.weights and layer.name != CLASSIFIER]
    fits = all(_shapes(layer.name, weights, factor) == {weight.name: tuple(weight.shape) for weight in layer.weights} for layer in layers)
    return factor if fits else 1


def widened(weights: Weights, factor: int, seed: int) -> Weights:
    """The weights of the network `factor` times as wide, the classes of its last layer being the same."""
    rng = np.random.default_rng(seed)
    return {layer: {name: _wider(layer, name, array, factor, rng) for name, array in arrays.items()} for layer, arrays in weights.items()}


def _wider(layer: str, name: str, array: Array, factor: int, rng: np.random.Generator) -> Array:
    if DEPTHWISE in layer:
        return np.tile(array, (1, 1, factor, 1)) if name == "kernel" else np.tile(array, factor)
    if name != "kernel":
        return array if layer == CLASSIFIER else np.tile(array, factor)
    outputs = array if layer == CLASSIFIER else np.tile(array, factor)
    if layer == STEM:
        return outputs
    # (height, width, copies, channels, outputs): the shares of a channel's copies add up to 1 for every output.
    shares = rng.uniform(0.5, 1.5, (1, 1, factor, *outputs.shape[2:]))
    shared = outputs[:, :, None] * (shares / shares.sum(2, keepdims=True))
    return np.asarray(shared.reshape(*outputs.shape[:2], -1, outputs.shape[-1]), np.float32)


def _shapes(layer: str, weights: Weights, factor: int) -> dict[str, tuple[int, ...]]:
    found = weights.get(layer, {})
    shapes = {}
    for name, array in found.items():
        shape = list(array.shape)
        if DEPTHWISE in layer and name == "kernel":
            shape[2] *= factor
        else:
            shape[-1] *= factor
            if name == "kernel" and layer != STEM:
                shape[2] *= factor
        shapes[name] = tuple(shape)
    return shapes
