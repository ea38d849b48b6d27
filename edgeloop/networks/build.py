"""A network with fresh weights, and what it takes: parameters and multiply-accumulates."""

from typing import TYPE_CHECKING, Protocol

from edgeloop.errors import InputError
from edgeloop.networks.count import layer_macs, layer_parameters_folded
from edgeloop.networks.layers import Layers
from edgeloop.resolution import CHANNELS, Color, Size

if TYPE_CHECKING:
    import keras


class Body(Protocol):
    """A network up to its feature map."""

    @property
    def features(self) -> int:
        """Length of the pooled feature vector."""

    def body(self, x: "keras.KerasTensor", layers: Layers) -> "keras.KerasTensor":
        """From (n, height, width, channels) to the feature map, (n, rows, columns, features)."""


def build(
    network: Body,
    resolution: int | str | None,
    classes: int,
    *,
    color: Color = "rgb",
    dropout: float = 0.0,
    batch_norm_momentum: float = 0.9,
    for_training: bool = False,
) -> "keras.Model":
    """The network with fresh weights: (n, height, width, channels) float32 to (n, classes) probabilities.

    Without a resolution it takes images of any size: the weights are the same. The layers behind the feature map have the same
    names in every network: `features`, `dropout`, `conv_preds`, `logits`, `probabilities`.

    `for_training` gives the same function and list of weights at half the cost of a step (`Layers`). In whichever precision
    Keras is set to, its last layers work in float32.

    Raises:
        InputError: there are fewer than two classes.
    """
    if classes < 2:
        raise InputError(f"A classifier needs at least two classes, not {classes}.")
    from keras import Input, Model, layers

    size = (None, None) if resolution is None else Size.of(resolution)[::-1]
    image = Input((*size, CHANNELS[color]), name="image")
    x = network.body(image, Layers(batch_norm_momentum, for_training))
    dtype = "float32" if for_training else None
    x = layers.GlobalAveragePooling2D(keepdims=True, name="features", dtype=dtype)(x)
    x = layers.Dropout(dropout, name="dropout", dtype=dtype)(x)
    x = layers.Conv2D(classes, 1, name="conv_preds", dtype=dtype)(x)
    x = layers.Reshape((classes,), name="logits", dtype=dtype)(x)
    return Model(image, layers.Softmax(name="probabilities", dtype=dtype)(x), name="network")


def parameters_folded(network: Body, classes: int, color: Color = "rgb") -> int:
    """Weights and biases with batch normalisation folded into the convolutions before it."""
    return sum(layer_parameters_folded(layer) for layer in build(network, None, classes, color=color).layers)


def multiply_accumulates(network: Body, resolution: int | str, classes: int, color: Color = "rgb") -> int:
    """Multiply-accumulate operations of the convolutions, for one image."""
    layers = build(network, resolution, classes, color=color).layers
    return sum(layer_macs(layer, list(layer.output.shape)) or 0 for layer in layers)
