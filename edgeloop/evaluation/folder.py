"""The accuracy of any .tflite classifier on a folder of class folders."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeloop.config import Resize
from edgeloop.datasets.filenames import is_picture
from edgeloop.datasets.folder import Walked, read_picture, walk_folder
from edgeloop.errors import DataError, InputError, PictureError
from edgeloop.evaluation.metrics import Labels, class_results, confusion_matrix, top_k
from edgeloop.files import read_text, sha256_file
from edgeloop.preprocessing import Pixels, Preprocessing, Range
from edgeloop.progress import progress
from edgeloop.records import Accuracy, ClassResult, Part
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.image import preprocessing_of
from edgeloop.tflite.interpreter import LiteModel, Scores
from edgeloop.tflite.trial import try_model

CHUNK = 32
"""Images that one core decodes and scores at a time; so much is in memory for each core."""
IN_NO_CLASS_FOLDER = "it lies in no class folder"
TOP5_FROM_CLASSES = 11


class Skipped(Part):
    """A file that could not be evaluated."""

    path: str
    reason: str


class FolderReport(Part):
    """What `edgeloop evaluate MODEL.tflite` finds."""

    model: str
    model_sha256: str
    images: str
    resize: Resize
    input_range: Range | None
    """What 0..255 was mapped to; null where an integer model was given the raw pixel, as nothing stated a range."""
    n: int
    top1: float
    """A fraction."""
    ci95: tuple[float, float]
    """95 % Wilson interval of `top1`."""
    top5: float | None
    classes: list[str]
    per_class: list[ClassResult]
    confusion: list[list[int]]
    """Rows are true classes, columns predicted ones, both in the order of `classes`."""
    skipped: list[Skipped]


@dataclass(frozen=True)
class _Item:
    path: Path
    label: int


@dataclass(frozen=True)
class _Scored:
    """The outcome of one chunk."""

    scores: Scores
    labels: Labels
    skipped: list[Skipped]


def evaluate_folder(
    model: Path,
    images: Path,
    *,
    resize: Resize | None = None,
    input_range: Range | None = None,
    classes: Path | None = None,
    batch: int = 8,
) -> FolderReport:
    """Evaluate a model file on a folder that holds one folder of images for each class.

    The class order is that of the sorted folder names, as Keras has it, or that of the file `classes` (a name a line),
    with which the folder may hold some of the classes only. `resize` and `input_range` are taken from the
    `preprocessing.json` beside the model where they are not given; without one, `resize` is bilinear, and an integer model
    takes the raw pixel.

    Raises:
        InputError: a path, a list of classes or an option is missing or does not fit the model.
        ModelError: the model is damaged or is no image classifier.
        DataError: not one image decodes.
    """
    try_model(model)
    loaded = LiteModel(model)
    preprocessing = preprocessing_of(model, loaded, resize=resize, input_range=input_range)
    walked = walk_folder(images)
    names = _class_names(images, walked, classes, loaded.classes)
    items = _items(images, walked, names)
    if not items:
        raise InputError(f"The class folders of {images} hold no files.", "Give a folder of class folders with images.")
    scores, labels, skipped = _score(Classifier(model, preprocessing, batch=batch), items, images)
    confusion = confusion_matrix(labels, scores.argmax(axis=1).astype(np.int32), len(names))
    top1 = Accuracy.of(int(np.trace(confusion)), len(labels))
    return FolderReport(
        model=str(model),
        model_sha256=sha256_file(model),
        images=str(images),
        resize=preprocessing.resize,
        input_range=preprocessing.input_range,
        n=top1.n,
        top1=top1.value,
        ci95=top1.ci95,
        top5=top_k(scores, labels, 5).value if len(names) >= TOP5_FROM_CLASSES else None,
        classes=names,
        per_class=class_results(confusion, names),
        confusion=confusion.tolist(),
        skipped=[*_outside(walked), *skipped],
    )


def _class_names(images: Path, walked: Walked, listed: Path | None, outputs: int) -> list[str]:
    """The model's classes in the order of its outputs."""
    folders = sorted({path.split("/")[0] for path in walked.files if "/" in path} | {path.split("/")[0] for path in walked.bare})
    names = folders if listed is None else _read_names(listed)
    if len(names) != outputs:
        source = f"{images} holds {len(names)} class folders" if listed is None else f"{listed} lists {len(names)} classes"
        raise InputError(f"The model tells {outputs} classes apart, but {source}.", _advice(images, folders, listed))
    if unknown := sorted(set(folders) - set(names)):
        raise InputError(f"{images} holds folders that {listed} does not list: {', '.join(unknown)}.", "Names must be equal to the letter.")
    return names


def _advice(images: Path, folders: list[str], listed: Path | None) -> str:
    if listed is None and len(folders) == 1:
        return f"The class folders may be one level deeper: try {images / folders[0]}."
    return "Give a file with the names of all the model's classes, one a line, in the order of its outputs."


def _read_names(path: Path) -> list[str]:
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a list of classes: {error}", "Write one class name a line, in UTF-8.") from error
    names = [line.strip() for line in lines if line.strip()]
    if len(set(names)) != len(names):
        raise InputError(f"{path} lists a class twice.", "Each class stands on one line.")
    return names


def _items(images: Path, walked: Walked, names: list[str]) -> list[_Item]:
    """Every file of the class folders; sub-folders included."""
    labels = {name: label for label, name in enumerate(names)}
    return [_Item(images / path, labels[path.split("/")[0]]) for path in walked.files if "/" in path]


def _outside(walked: Walked) -> list[Skipped]:
    return [Skipped(path=path, reason=IN_NO_CLASS_FOLDER) for path in walked.files if "/" not in path and is_picture(path)]


def _score(classifier: Classifier, items: list[_Item], images: Path) -> tuple[Scores, Labels, list[Skipped]]:
    """Decode and score all items on all cores, with one chunk of pixels in memory for each."""
    chunks = iter([items[start : start + CHUNK] for start in range(0, len(items), CHUNK)])
    done: list[_Scored] = []
    with progress("evaluate", len(items), "images") as advance, ThreadPoolExecutor(classifier.workers) as pool:
        for scored in pool.map(lambda chunk: _score_chunk(classifier, chunk, images), chunks):
            done.append(scored)
            advance(len(scored.labels) + len(scored.skipped))
    skipped = [entry for scored in done for entry in scored.skipped]
    if len(skipped) == len(items):
        raise DataError(f"Not one file of {images} can be evaluated; the first: {skipped[0].path}: {skipped[0].reason}")
    return np.concatenate([scored.scores for scored in done]), np.concatenate([scored.labels for scored in done]), skipped


def _score_chunk(classifier: Classifier, chunk: list[_Item], images: Path) -> _Scored:
    pixels: list[Pixels] = []
    labels: list[int] = []
    skipped: list[Skipped] = []
    for item in chunk:
        try:
            pixels.append(_read(item.path, classifier.preprocessing))
            labels.append(item.label)
        except PictureError as error:
            skipped.append(Skipped(path=str(item.path.relative_to(images)), reason=str(error)))
    scores = classifier.score(np.stack(pixels)) if pixels else np.empty((0, classifier.classes), np.float32)
    return _Scored(scores, np.asarray(labels, np.int32), skipped)


def _read(path: Path, preprocessing: Preprocessing) -> Pixels:
    return preprocessing.pixels(read_picture(path))
