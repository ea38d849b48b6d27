"""A float model of a file: `.keras`, or `.h5` of Keras 3 or 2. Foreign files are read in a child only (`edgeloop.child`)."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.errors import InputError, ModelError
from edgeloop.framework import load_tensorflow
from edgeloop.networks.keras2 import read_keras2_model

if TYPE_CHECKING:
    import keras

HALF_SHOWN = 150
"""Characters at either end of Keras' own words: between them it puts whole descriptions of layers."""
TO_TFLITE = "to .tflite (tf.lite.TFLiteConverter.from_keras_model): edgeloop evaluate, generate and benchmark take MODEL.tflite"


def read_model(path: Path) -> "keras.Model":
    """Read a Keras model in this process, by its content, whatever its name.

    Raises:
        InputError: there is no such file.
        ModelError: it is not one, or one that Keras 3 cannot read.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist.", "Give the path of a .keras or .h5 model.")
    try:
        form, made_by = _form(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path} is not a Keras model: {_short(error)}.", "It is damaged, or something else: fetch or save it again."
        ) from error
    load_tensorflow()
    import keras

    is_keras2 = not (made_by or "").startswith("3")
    try:
        return read_keras2_model(path) if form == ".h5" and is_keras2 else _load(path, form)
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        found = f"{path} is not a model that Keras {keras.__version__} reads: {_short(error)}"
        raise ModelError(found, _remedy(form, made_by)) from error


def _remedy(form: str, made_by: str | None) -> str:
    if (made_by or "").startswith("3"):
        return f"Convert it in the program that made it {TO_TFLITE}"
    instead = ", or save it as .h5 there" if form == ".keras" else ""
    return f"It is of Keras {made_by or '2 or before'}: convert it with TensorFlow 2.15 {TO_TFLITE}{instead}"


def _form(path: Path) -> tuple[str, str | None]:
    """The suffix that belongs to a file's content, and the version of the Keras that wrote it, where it says that."""
    import h5py

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return ".keras", str(json.loads(archive.read("metadata.json"))["keras_version"])
    if not h5py.is_hdf5(path):
        raise ValueError("it is neither a zip archive nor an HDF5 file")
    with h5py.File(path) as file:
        version = file.attrs.get("keras_version")
    return ".h5", version.decode() if isinstance(version, bytes) else version


def _load(path: Path, form: str) -> "keras.Model":
    import keras

    with tempfile.TemporaryDirectory(prefix="edgeloop-keras-") as folder:
        named = Path(folder) / f"model{form}"
        named.symlink_to(path.absolute())
        return keras.models.load_model(named, compile=False)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 2 * HALF_SHOWN else f"{text[:HALF_SHOWN]} ... {text[-HALF_SHOWN:]}"
