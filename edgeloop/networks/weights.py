"""Weights of a network by layer name: how trained ones are read from a Keras 2 `.h5` and set in a built network."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import ModelError
from edgeloop.networks.separable import Shape, build
from edgeloop.networks.table import NETWORKS

if TYPE_CHECKING:
    import h5py
    import keras

Weights = dict[str, dict[str, NDArray[np.float32]]]
"""Arrays by layer name, then by the name that Keras 3 gives them (`kernel`, `bias`, `gamma`, ...)."""
CLASSIFIER = "conv_preds"


def read_weights(network: "keras.Model") -> Weights:
    """The weights of every layer that has some."""
    return {layer.name: {weight.name: np.asarray(weight) for weight in layer.weights} for layer in network.layers if layer.weights}


def load_layer(layer: "keras.Layer", weights: Weights) -> bool:
    """Set a layer's weights from those of its name; False, and nothing set, where one is missing or has another shape."""
    found = weights.get(layer.name, {})
    fits = all(weight.name in found and found[weight.name].shape == tuple(weight.shape) for weight in layer.weights)
    if fits:
        layer.set_weights([found[weight.name] for weight in layer.weights])
    return fits


def read_keras2(path: Path) -> Weights:
    """Layer weights of a Keras 2 `.h5`; its model description is not used.

    Raises:
        ModelError: it is not such a file.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            weights = {name: arrays for name, group in root.items() if (arrays := _arrays(group))}
    except (OSError, KeyError, AttributeError) as error:
        raise ModelError(f"{path} is not a Keras 2 weights file: {error}") from error
    if not weights:
        raise ModelError(f"{path} is not a Keras 2 weights file: it holds no weights of layers.")
    return weights


def rebuild_keras2(path: Path) -> "keras.Model":
    """The network of `NETWORKS` that a Keras 2 `.h5` holds, found by the widths of its layers, with its weights.

    Raises:
        ModelError: it is not such a file, or it holds none of these networks.
    """
    weights = read_keras2(path)
    shape, side = _shape_of(weights), _input_side(path)
    if shape is None or side is None or "kernel" not in weights.get(CLASSIFIER, {}):
        raise ModelError(f"{path} holds none of the networks {', '.join(NETWORKS)}.")
    network = build(shape, side, weights[CLASSIFIER]["kernel"].shape[-1])
    for layer in network.layers:
        if not load_layer(layer, weights):
            raise ModelError(f"{path} does not fit the network that its widths are of, at layer {layer.name}.")
    return network


def _shape_of(weights: Weights) -> Shape | None:
    def width(name: str) -> int:
        kernel = weights.get(name, {}).get("kernel")
        return 0 if kernel is None else int(kernel.shape[-1])

    for shape in NETWORKS.values():
        names = ["conv1", *(f"conv_pw_{number}" for number in range(1, len(shape.blocks) + 1))]
        if [width(name) for name in names] == [shape.stem, *(block.channels for block in shape.blocks)]:
            return shape
    return None


def _input_side(path: Path) -> int | None:
    """The input's height in the model description of a Keras 2 `.h5`; weights alone do not tell it."""
    import h5py

    with h5py.File(path) as file:
        try:
            first = json.loads(file.attrs["model_config"])["config"]["layers"][0]
            return int(first["config"]["batch_input_shape"][1])
        except (KeyError, IndexError, TypeError, ValueError):
            return None


def _arrays(group: "h5py.Group") -> dict[str, NDArray[np.float32]]:
    """The data sets below an HDF5 group, by their Keras 3 names."""
    import h5py

    found: dict[str, NDArray[np.float32]] = {}

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            plain = name.rsplit("/", 1)[-1].split(":")[0]
            found["kernel" if plain == "depthwise_kernel" else plain] = np.asarray(item, np.float32)

    if isinstance(group, h5py.Group):
        group.visititems(collect)
    return found
