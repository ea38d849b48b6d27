"""A .tflite file as bytes, refused where it cannot be one."""

from pathlib import Path

from edgeloop.errors import InputError, ModelError

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every TensorFlow Lite flatbuffer (schema.fbs: file_identifier)."""
MOST_BYTES = 1 << 30


def read_model(path: Path) -> bytes:
    """The bytes of a TensorFlow Lite file.

    Raises:
        InputError: there is no such regular file, or it cannot be read.
        ModelError: it is no TensorFlow Lite file, or is larger than 1 GiB.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file.", "Give the path of a .tflite model.")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ModelError(f"{path} holds {size} bytes: too large for a model of an image classifier here.", "The limit is 1 GiB.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if content[4:8] != IDENTIFIER:
        raise ModelError(f"{path} is not a TensorFlow Lite model: {_guess(content)}.", "Give a .tflite file.")
    return content


def _guess(content: bytes) -> str:
    """What a file is that is no TensorFlow Lite model."""
    if len(content) < 8:
        return f"it holds {len(content)} bytes"
    if content.startswith(b"\x89HDF"):
        return "it is an HDF5 file, such as a Keras 2 model"
    if content.startswith(b"PK"):
        return "it is a zip archive, such as a .keras model"
    if content.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer (git lfs pull fetches the model)"
    return "it does not carry the identifier TFL3"
