"""A whole model of a Keras 2 `.h5` in Keras 3: its description is rewritten where Keras 3 no longer takes it.

What Keras 2 wrote (Teachable Machine's files are of that form) and Keras 3 refuses: `groups: 1` of layers that have no groups,
an axis in a list, initializers that a layer never used, `Model` for a functional model, names of modules, `/` in names.
"""

import inspect
import json
import shutil
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeloop.errors import ModelError

if TYPE_CHECKING:
    import h5py
    import keras

RENAMED_CLASSES = {"Model": "Functional"}
RENAMED_WEIGHTS = {"depthwise_kernel": "kernel"}
"""Renamed in `DepthwiseConv2D`; a `SeparableConv2D` has kept the name, so both sides are renamed."""
NAMES_OF_MODULES = ("module", "registered_name", "build_config", "compile_config")
GRAPH = ("name", "inbound_nodes", "input_layers", "output_layers")
BASE = ("name", "trainable", "dtype", "batch_shape", "batch_input_shape", "input_shape")
"""Settings that every layer takes which passes on what it does not know itself."""
SAYS_NOTHING = {"groups": 1, "ragged": False, "time_major": False, "noise_shape": None}
"""Settings with the value at which a layer computes the same without them."""
TRAINS_ONLY = ("trainable", "_initializer", "_regularizer", "_constraint")
"""Ends of settings that a trained layer does not need."""


def read_keras2_model(path: Path) -> "keras.Model":
    """The model that a Keras 2 `.h5` describes, with its weights.

    Raises:
        ModelError: it holds no description, or its weights do not stand in the order of the layers'.
        ValueError, TypeError, KeyError, AttributeError: Keras refuses the description even so.
        OSError: it is no HDF5 file.
    """
    import h5py
    import keras

    with tempfile.TemporaryDirectory(prefix="edgeloop-keras2-") as folder:
        copy = Path(folder) / "model.h5"
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            description = file.attrs.get("model_config")
            if description is None:
                raise ModelError(f"{path} holds weights only.", "Save the whole model: model.save, not model.save_weights.")
            file.attrs["model_config"] = json.dumps(rewritten(json.loads(description)))
        model = keras.models.load_model(copy, compile=False)
        with h5py.File(copy) as file:
            _check_order(path, model, file.get("model_weights", file))
    return model


def rewritten(part: Any) -> Any:
    """A description, or a part of one, as Keras 3 takes it."""
    if isinstance(part, list):
        return [rewritten(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    if not {"class_name", "config"} <= set(part):
        return {key: rewritten(value) for key, value in part.items()}
    name = RENAMED_CLASSES.get(str(part["class_name"]), str(part["class_name"]))
    kept = {key: rewritten(value) for key, value in part.items() if key not in NAMES_OF_MODULES}
    return _with_plain_names(kept | {"class_name": name, "config": _settings(name, kept["config"])})


def _settings(name: str, settings: Any) -> Any:
    """The settings of a layer without those that its class no longer knows and does not need."""
    import keras

    if not isinstance(settings, dict):
        return settings
    kept = settings
    if (layer := getattr(keras.layers, name, None)) is not None:
        takes = inspect.signature(layer.__init__).parameters
        known = {*takes, *(BASE if "kwargs" in takes else ())}
        kept = {key: value for key, value in settings.items() if key in known or not _says_nothing(key, value)}
    # A single end of a graph in a list would make the model give a list.
    single = {
        key: kept[key][0] for key in ("axis", "input_layers", "output_layers") if isinstance(kept.get(key), list) and len(kept[key]) == 1
    }
    return _with_plain_names(kept | single)


def _says_nothing(key: str, value: object) -> bool:
    return key.endswith(TRAINS_ONLY) or (key in SAYS_NOTHING and value == SAYS_NOTHING[key])


def _with_plain_names(part: dict[str, Any]) -> dict[str, Any]:
    """With layers named without `/`, wherever their names stand in the graph."""
    return part | {key: _plain(part[key]) for key in GRAPH if key in part}


def _plain(part: Any) -> Any:
    if isinstance(part, list):
        return [_plain(entry) for entry in part]
    return part.replace("/", "_") if isinstance(part, str) else part


def _check_order(path: Path, model: "keras.Model", stored: "h5py.Group") -> None:
    """Keras sets weights by their places and looks at shapes only, which all four arrays of a normalisation share."""
    groups = [names for name in _names(stored, "layer_names") if (names := _last_parts(_names(stored[name], "weight_names")))]
    layers = [names for layer in model.layers if (names := _last_parts([weight.name for weight in _in_order(layer)]))]
    if groups != layers:
        found, expected = next(pair for pair in zip_longest(groups, layers, fillvalue=["no more"]) if pair[0] != pair[1])
        raise ModelError(
            f"{path} stores its weights in another order ({', '.join(found)}) than Keras 3 ({', '.join(expected)}).",
            "Convert it to .tflite with the TensorFlow that made it.",
        )


def _in_order(layer: "keras.Layer") -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _last_parts(names: list[str]) -> list[str]:
    """`kernel` of `conv1/kernel:0`."""
    plain = [name.rsplit("/", 1)[-1].split(":")[0] for name in names]
    return [RENAMED_WEIGHTS.get(name, name) for name in plain]


def _names(group: "h5py.Group", attribute: str) -> list[str]:
    """A list of names, which Keras cuts into several attributes (`layer_names0`, ...) where it is long."""
    parts = [attribute] if attribute in group.attrs else [f"{attribute}{number}" for number in range(len(group.attrs))]
    return [name.decode() if isinstance(name, bytes) else str(name) for part in parts if part in group.attrs for name in group.attrs[part]]
