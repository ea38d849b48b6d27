"""Real components in miniature: a classifier of colours converted by TensorFlow, and a prepared data set of coloured squares.

The classifier is no trained network but one whose weights are written down, so that a test knows what it must answer.
"""

import io
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from edgeloop.datasets.manifest import SCHEMA, write_manifest
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.workspace import Workspace

CLASSES = ["blue", "green", "red"]
SIDE = 96
WORDS = (0, 1, 2, 255, 4096, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
"""What damages an offset or a count most."""
PREPROCESSING = Preprocessing(resolution=SIDE, resize="area", input_range=(-1.0, 1.0))


def coloured(colour: str, seed: int, size: tuple[int, int] = (SIDE, SIDE)) -> Pixels:
    """A noisy picture (height, width, 3) that is brightest in one colour."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(40, 120, (*size, 3), np.uint8)
    picture[..., ["red", "green", "blue"].index(colour)] += np.uint8(90)
    return picture


def png(pixels: Pixels) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def class_folders(folder: Path, count: int = 4) -> Path:
    """A folder of class folders: `count` pictures for each colour."""
    for label in CLASSES:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            (folder / label / f"{label} {number}.png").write_bytes(png(coloured(label, number)))
    return folder


def prepare(workspace: Workspace, dataset: str, pictures: list[tuple[str, str, Pixels]]) -> None:
    """A prepared data set of (label, split, pixels): one shard and a manifest."""
    folder = workspace.dataset(dataset).images
    folder.mkdir(parents=True)
    rows = []
    with tarfile.open(folder / "shards-0000.tar", "w") as shard:
        for number, (label, split, pixels) in enumerate(pictures):
            stored, member = png(pixels), tarfile.TarInfo(f"{label}/{number:03}.png")
            member.size = len(stored)
            rows.append(_row(member.name, label, split, shard.offset + 512, len(stored)))
            shard.addfile(member, io.BytesIO(stored))
    write_manifest(pd.DataFrame(rows), workspace.dataset(dataset).manifest)


def _row(path: str, label: str, split: str, offset: int, length: int) -> dict[str, Any]:
    known = {"path": path, "label": label, "split": split, "shard": "shards-0000.tar", "offset": offset, "length": length}
    return dict.fromkeys(SCHEMA.names) | known


def convert_models(folder: Path) -> Path:
    """Convert the classifier of colours to every form that the tests need:

    float, per_channel, per_tensor (fixed batch 1, uint8 in, float32 out), open_batch and open_float (open batch size),
    int8 (int8 in and out), and blind (as per_channel, but it never says green).
    """
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        for name, content in _conversions():
            (folder / f"{name}.tflite").write_bytes(content)
    PREPROCESSING.write(folder / "preprocessing.json")
    return folder


def _conversions() -> Iterator[tuple[str, bytes]]:
    import tensorflow as tf

    yield "float", _converter(1).convert()
    yield "open_float", _converter(None).convert()
    yield "per_channel", _quantizer(1, tf.uint8, tf.float32).convert()
    yield "blind", _quantizer(1, tf.uint8, tf.float32, green=-6.0).convert()
    yield "open_batch", _quantizer(None, tf.uint8, tf.float32).convert()
    yield "int8", _quantizer(1, tf.int8, tf.int8).convert()
    per_tensor = _quantizer(1, tf.uint8, tf.float32)
    per_tensor._experimental_disable_per_channel = True
    yield "per_tensor", per_tensor.convert()


def _quantizer(batch: int | None, taken: Any, given: Any, green: float = 6.0) -> Any:
    import tensorflow as tf

    converter = _converter(batch, green)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in _calibration())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = taken, given
    return converter


def _calibration() -> Iterator[NDArray[np.float32]]:
    yield PREPROCESSING.normalised(np.zeros((1, SIDE, SIDE, 3), np.uint8))
    yield PREPROCESSING.normalised(np.full((1, SIDE, SIDE, 3), 255, np.uint8))
    for seed in range(8):
        yield PREPROCESSING.normalised(coloured(CLASSES[seed % 3], seed)[None])


def _converter(batch: int | None, green: float = 6.0) -> Any:
    import keras
    import tensorflow as tf

    pixels = keras.Input(batch_shape=(batch, SIDE, SIDE, 3))
    values = keras.layers.Conv2D(4, 3, 2, "same", activation="relu", name="colours")(pixels)
    values = keras.layers.DepthwiseConv2D(3, 2, "same", name="smooth")(values)
    values = keras.layers.GlobalAveragePooling2D(keepdims=True)(values)
    values = keras.layers.Flatten()(keras.layers.Conv2D(3, 1, name="classes")(values))
    model = keras.Model(pixels, keras.layers.Softmax()(values))
    _write_weights(model, green)
    return tf.lite.TFLiteConverter.from_keras_model(model)


def _write_weights(model: Any, green: float) -> None:
    """Each colour is averaged into a channel of its own, brightened above 0, and stands for its class."""
    rng = np.random.default_rng(5)
    colours = rng.normal(0, 0.002, (3, 3, 3, 4))
    for channel, gain in enumerate((1.0, 0.3, 0.6)):
        colours[:, :, channel, channel] += gain / 9
    model.get_layer("colours").set_weights([colours, np.asarray([1.0, 0.3, 0.6, 0.1])])
    model.get_layer("smooth").set_weights([np.full((3, 3, 4, 1), 1 / 9), np.zeros(4)])
    classes = np.zeros((1, 1, 4, 3))
    for channel, weight in enumerate((6.0, green / 0.3, 6 / 0.6)):
        classes[0, 0, channel, 2 - channel] = weight
    model.get_layer("classes").set_weights([classes, np.zeros(3)])


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy of a file that is cut off, or has some bytes or some aligned words overwritten."""
    copy = bytearray(content)
    kind = rng.integers(3)
    if kind == 0:
        return bytes(copy[: rng.integers(len(copy))])
    for _ in range(rng.integers(1, 9)):
        if kind == 1:
            copy[rng.integers(8, len(copy))] = rng.integers(256)
        else:
            place = int(rng.integers(8, len(copy) - 4)) & ~3
            copy[place : place + 4] = int(rng.choice(WORDS)).to_bytes(4, "little")
    return bytes(copy)
