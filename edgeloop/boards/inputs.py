"""What a benchmark runs a model on: test images of its variant, or random pixels, in the type that its input has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.config import Variant
from edgeloop.datasets.pixels import decoded, split_images
from edgeloop.errors import InputError
from edgeloop.evaluation.evaluate import SPLIT
from edgeloop.preprocessing import FILE_NAME, Pixels, Preprocessing
from edgeloop.tflite.encoding import Encoder
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.tflite.trial import try_model
from edgeloop.workspace import Workspace

SEED = 127


@dataclass(frozen=True)
class Images:
    """Pixels, how a model wants them, and what they are."""

    pixels: Pixels
    """uint8 (n, side, side, 3)."""
    preprocessing: Preprocessing
    words: str
    manifest_sha256: str | None
    labels: NDArray[np.int32] | None = None
    """(n,) class indices, where they are known."""


def test_images(workspace: Workspace, variant: Variant, most: int) -> Images:
    """Up to `most` images of the variant's test split, of every class as many.

    Raises:
        InputError: the variant is not quantized, or its data set is not prepared.
    """
    paths = workspace.variant(variant.dataset, variant.network, variant.resolution)
    preprocessing = Preprocessing.read(paths.quantized / FILE_NAME)
    images = split_images(workspace, variant.dataset, SPLIT)
    chosen = decoded(workspace, images.chosen(stratified(images.labels, most)), preprocessing)
    words = f"images of the split {SPLIT} of {variant.dataset}"
    return Images(chosen.pixels, preprocessing, words, chosen.manifest_sha256, chosen.labels)


def stratified(labels: NDArray[np.int32], most: int) -> NDArray[np.intp]:
    """Places of at most `most` images, ascending: the classes take turns, so that each has as many as any other (or all it has)."""
    rank = np.zeros(len(labels), np.intp)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, rank))[:most])


def random_images(model: Path, count: int) -> Images:
    """Random pixels of the size that any image classifier takes; the model has run once, in a process of its own.

    Raises:
        InputError: no such file.
        ModelError: the model is damaged or is no image classifier.
    """
    try_model(model)
    loaded = LiteModel(model)
    side = loaded.side
    pixels = np.random.default_rng(SEED).integers(0, 256, (count, side, side, 3), np.uint8)
    plain = Preprocessing(resolution=side, resize="bilinear", input_range=(0.0, 1.0) if loaded.input.dtype == "float32" else None)
    return Images(pixels, plain, f"uniformly random pixels, seed {SEED}: no photographs", None)


def inputs_for(model: Path, pixels: Pixels, preprocessing: Preprocessing) -> NDArray[Any]:
    """uint8 pixels (n, side, side, 3) in the type that the model's input has.

    Raises:
        InputError: the pixels are of another size, or of a range that is not the model's.
        ModelError: the model is damaged or is no image classifier.
    """
    loaded = LiteModel(model)
    if loaded.side != pixels.shape[1]:
        raise InputError(f"{model} takes images of side {loaded.side}, not {pixels.shape[1]}.", "Build the variant again: dvc repro.")
    return Encoder(model, loaded.input, preprocessing)(pixels)
