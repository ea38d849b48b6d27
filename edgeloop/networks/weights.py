"""Weights of a network by layer name: read from a Keras file, in a child process, and set in a built network."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.child import Limits, Tell, in_child
from edgeloop.errors import ModelError
from edgeloop.networks.files import read_model

if TYPE_CHECKING:
    import h5py
    import keras

Weights = dict[str, dict[str, NDArray[np.float32]]]
"""Arrays by layer name, then by the name that Keras 3 gives them (`kernel`, `bias`, `gamma`, ...)."""
CLASSIFIER = "conv_preds"
LIMITS = Limits(deadline_s=300.0, memory_bytes=16 << 30)


def read_weights_file(path: Path) -> Weights:
    """The weights in a `.keras`, or in a Keras 2 `.h5`, whose model description is not used; it is read in a child process.

    Raises:
        ModelError: it is not such a file, or one that crashes the libraries that read it.
    """

    def died(how: str) -> ModelError:
        return ModelError(f"Keras {how} while it read {path}.", "It is damaged: fetch or save it again.")

    with tempfile.TemporaryDirectory(prefix="edgeloop-weights-") as folder:
        stored = Path(folder) / "weights.npz"
        in_child(store_weights, path, stored, limits=LIMITS, died=died)
        weights: Weights = {}
        with np.load(stored) as arrays:
            for key in arrays.files:
                layer, name = key.rsplit("/", 1)
                weights.setdefault(layer, {})[name] = arrays[key]
    return weights


def store_weights(_: Tell, path: Path, target: Path) -> None:
    """The child's function of `read_weights_file`."""
    import h5py

    weights = read_keras2(path) if h5py.is_hdf5(path) else read_weights(read_model(path))
    named: dict[str, Any] = {f"{layer}/{name}": array for layer, arrays in weights.items() for name, array in arrays.items()}
    np.savez(target, **named)


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
