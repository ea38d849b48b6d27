"""What a model says of test images: as its evaluation wrote it down, or by running it now."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from edgeloop.datasets.pixels import split_pixels
from edgeloop.errors import InputError
from edgeloop.evaluation.evaluate import SPLIT
from edgeloop.evaluation.paired import Answers
from edgeloop.progress import progress
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.formats import FILES, Format
from edgeloop.tflite.image import preprocessing_of
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.tflite.labels import labels_beside
from edgeloop.tflite.trial import try_model
from edgeloop.workspace import Workspace


def written(name: str, predictions: Path | BytesIO, kind: Format) -> Answers:
    """The answers in the `predictions.parquet` of a variant (the file, or what is in it), by one of its formats.

    Raises:
        InputError: it is not there, or is no such file.
    """
    columns = {"path": "path", "label": "label", f"{FILES[kind]}_class": "predicted"}
    try:
        rows = pd.read_parquet(predictions, columns=list(columns))
    except FileNotFoundError:
        raise InputError(f"{name} is not evaluated: {predictions} is not there.", "dvc repro evaluate@VARIANT makes it.") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"What {name} said of each image cannot be read ({predictions}): {error}", "Evaluate the variant again."
        ) from error
    return Answers(name, rows.rename(columns=columns))


def scored(name: str, model: Path, workspace: Workspace, dataset: str) -> Answers:
    """The answers of a model file on the test images that the data set has now.

    Preprocessing and labels lie beside the model; without labels its classes are those of the data set.

    Raises:
        InputError: the model is not there or has other classes than the data set, or the data set is not prepared.
        ModelError: it is damaged or is no image classifier.
    """
    try_model(model)
    preprocessing = preprocessing_of(model, LiteModel(model))
    classifier = Classifier(model, preprocessing)
    images = split_pixels(workspace, dataset, SPLIT, preprocessing)
    names = labels_beside(model, classifier.classes) or _of_dataset(model, images.classes, classifier.classes, dataset)
    with progress(f"score {name}", len(images.rows), "images") as advance:
        places = classifier.score_all(images.pixels, advance=advance).argmax(axis=1)
    return Answers(name, images.rows[["path", "label"]].assign(predicted=np.asarray(names, object)[places]))


def _of_dataset(model: Path, classes: Sequence[str], count: int, dataset: str) -> Sequence[str]:
    if len(classes) != count:
        raise InputError(
            f"{model} tells {count} classes apart, {dataset} has {len(classes)}.", "Put a labels.txt with the model's classes beside it."
        )
    return classes
