"""What a board is to run: a model with its images and preprocessing, and perhaps the variant that it belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.config import Params
from edgeloop.datasets.pixels import decoded, split_images
from edgeloop.errors import InputError
from edgeloop.evaluation.evaluate import SPLIT
from edgeloop.preprocessing import FILE_NAME, Pixels, Preprocessing
from edgeloop.tflite.encoding import Encoder
from edgeloop.tflite.formats import FILES, Format
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.tflite.trial import try_model
from edgeloop.workspace import VariantPaths, Workspace

SEED = 127


@dataclass(frozen=True)
class Subject:
    """A variant has a file in every format, photographs and labels; a model file has itself and random pixels, which records say."""

    name: str
    """The variant, or the model's file."""
    files: Mapping[Format | None, Path]
    """The .tflite files by format; None stands for that of a model file of its own."""
    pixels: Pixels
    """uint8 (n, height, width, channels)."""
    preprocessing: Preprocessing
    words: str
    """What the pixels are."""
    manifest_sha256: str | None = None
    threads: int = 1
    """That run it, on boards that let one choose."""
    labels: NDArray[np.int32] | None = None
    """(n,) class indices, where they are known."""
    variant: Mapping[str, Any] | None = None
    """Its `dataset`, `network` and `resolution`."""
    paths: VariantPaths | None = None
    """The variant's files."""

    def model(self, form: Format) -> tuple[Format | None, Path]:
        """The model for a board that runs this format best; a model file is taken as it is.

        Raises:
            InputError: the variant has no file of that format.
        """
        found: Format | None = form if form in self.files else None
        file = self.files[found]
        if not file.is_file():
            raise not_quantized(self.name) if self.paths else InputError(f"{file} does not exist.", "Name another file.")
        return found, file

    def models(self) -> list[tuple[Format | None, Path]]:
        """All of its models.

        Raises:
            InputError: one of them is not there.
        """
        return [self.model(form) for form in FILES] if self.paths else [self.model("float")]

    def inputs(self, model: Path) -> NDArray[Any]:
        """The pixels in the type that the input of one of its models has.

        Raises:
            InputError, ModelError: as for `inputs_for`.
        """
        return inputs_for(model, self.pixels, self.preprocessing)


def not_quantized(variant: str) -> InputError:
    """The error for a variant without models."""
    return InputError(f"{variant} is not quantized.", f"Run: dvc repro quantize@{variant}")


def variant_subject(workspace: Workspace, params: Params, name: str, most: int) -> Subject:
    """A variant with up to `most` images of its test split, of every class as many.

    Raises:
        InputError: there is no such variant, it is not quantized, or its data set is not prepared.
    """
    variant = params.variant(name)
    paths = variant.paths(workspace)
    if not (paths.quantized / FILE_NAME).is_file():
        raise not_quantized(name)
    preprocessing = Preprocessing.read(paths.quantized / FILE_NAME)
    images = split_images(workspace, variant.dataset, SPLIT)
    chosen = decoded(workspace, images.chosen(stratified(images.labels, most)), preprocessing)
    return Subject(
        name=name,
        files={form: paths.quantized / f"{stem}.tflite" for form, stem in FILES.items()},
        pixels=chosen.pixels,
        preprocessing=preprocessing,
        words=f"images of the split {SPLIT} of {variant.dataset}",
        manifest_sha256=chosen.manifest_sha256,
        threads=params.benchmark.threads,
        labels=chosen.labels,
        variant=variant.model_dump(include={"dataset", "network", "resolution"}),
        paths=paths,
    )


def stratified(labels: NDArray[np.int32], most: int) -> NDArray[np.intp]:
    """Places of at most `most` images, ascending: the classes take turns, so that each has as many as any other (or all it has)."""
    rank = np.zeros(len(labels), np.intp)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, rank))[:most])


def file_subject(model: Path, count: int, threads: int = 1) -> Subject:
    """Any image classifier with random pixels of its size; the model has run once, in a process of its own.

    Raises:
        InputError: no such file.
        ModelError: the model is damaged or is no image classifier.
    """
    try_model(model)
    loaded = LiteModel(model)
    return Subject(
        name=model.name,
        files={None: model},
        pixels=np.random.default_rng(SEED).integers(0, 256, (count, *loaded.image_shape), np.uint8),
        preprocessing=Preprocessing(
            resolution=loaded.resolution,
            resize="bilinear",
            input_range=(0.0, 1.0) if loaded.input.dtype == "float32" else None,
            color=loaded.color,
        ),
        words=f"uniformly random pixels, seed {SEED}: no photographs",
        threads=threads,
    )


def inputs_for(model: Path, pixels: Pixels, preprocessing: Preprocessing) -> NDArray[Any]:
    """uint8 pixels (n, height, width, channels) in the type that the model's input has.

    Raises:
        InputError: the pixels are of another size, or of a range that is not the model's.
        ModelError: the model is damaged or is no image classifier.
    """
    loaded = LiteModel(model)
    if loaded.image_shape != pixels.shape[1:]:
        taken, given = ("x".join(map(str, shape)) for shape in (loaded.image_shape, pixels.shape[1:]))
        raise InputError(
            f"{model} takes images of {taken}, not {given} (height x width x channels).", "Build the variant again: dvc repro."
        )
    return Encoder(model, loaded.input, preprocessing)(pixels)
