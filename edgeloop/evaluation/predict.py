"""The classes of single pictures: by a model file, or by the C code that was generated from it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeloop.config import Resize
from edgeloop.errors import DataError, InputError, PictureError
from edgeloop.files import write_text
from edgeloop.preprocessing import Pixels, Preprocessing, Range, as_picture, decode
from edgeloop.tflite.encoding import Encoder
from edgeloop.tflite.image import preprocessing_of
from edgeloop.tflite.interpreter import LiteModel, Scores
from edgeloop.tflite.labels import labels_beside
from edgeloop.tflite.trial import try_model

SHOWN = 5


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture."""

    image: Path
    frame: Pixels
    """(height, width, 3) uint8 RGB, upright, as it was decoded."""
    pixels: Pixels
    """(height, width, channels) uint8, as the model saw it."""
    best: list[tuple[str, float]]
    """Classes and scores, the best first."""

    def in_words(self) -> str:
        """The picture, and a line for each class, as the generated example prints them."""
        return "\n".join([str(self.image), *(f"  {score:.4f}  {label}" for label, score in self.best)])


@dataclass(frozen=True)
class Predictions:
    """What `edgeloop predict` finds, and how the pictures became the model's input."""

    preprocessing: Preprocessing
    pictures: list[Prediction]

    def in_words(self) -> str:
        """A block of lines for each picture."""
        return "\n".join(one.in_words() for one in self.pictures)

    def write_json(self, path: Path) -> None:
        """Pictures, classes and scores."""
        found = [{"image": str(one.image), "best": [{"class": name, "score": score} for name, score in one.best]} for one in self.pictures]
        write_text(path, json.dumps(found, indent=2, ensure_ascii=False) + "\n")

    def write_pixels(self, folder: Path) -> None:
        """A PNG for each picture of what the model saw."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, one in enumerate(self.pictures):
            as_picture(one.pixels).save(folder / f"{number:03d}-{one.image.stem}.png")


def predict(model: Path, images: Sequence[Path], *, resize: Resize | None = None, input_range: Range | None = None) -> Predictions:
    """Classify pictures with a .tflite model, by LiteRT's reference kernels: generated code gives the same to the bit.

    Preprocessing and the names of the classes lie beside the model; what is given here counts more.

    Raises:
        InputError: there is no such model or picture, or what lies beside the model belongs to another one.
        ModelError: it is damaged or is no image classifier.
        DataError: a picture does not decode.
    """
    try_model(model)
    loaded = LiteModel(model, reference=True)
    preprocessing = preprocessing_of(model, loaded, resize=resize, input_range=input_range)
    names = labels_beside(model, loaded.classes) or tuple(f"class {place}" for place in range(loaded.classes))
    encode = Encoder(model, loaded.input, preprocessing)

    def classified(image: Path) -> Prediction:
        frame = _decoded(image)
        pixels = preprocessing.of_frame(frame)
        return Prediction(image, frame, pixels, best(loaded.run(encode(pixels[np.newaxis]))[0], names))

    return Predictions(preprocessing, [classified(image) for image in images])


def best(scores: Scores, names: Sequence[str]) -> list[tuple[str, float]]:
    """The best classes of (classes,) scores; of equal ones the first."""
    return [(names[place], float(scores[place])) for place in np.argsort(-scores, kind="stable")[:SHOWN]]


def _decoded(image: Path) -> Pixels:
    try:
        return decode(image.read_bytes())
    except OSError as error:
        raise InputError(f"{image} cannot be read: {error.strerror}.", "Give the path of a picture.") from error
    except PictureError as error:
        raise DataError(f"{image}: {error.what}", "Give another picture.") from error
