"""The step `quantize`: a trained float model to TFLite files, and the same for a float model made elsewhere."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeloop.config import Params, Quantize
from edgeloop.datasets.folder import read_picture, walk_folder
from edgeloop.datasets.pixels import SplitPixels, decoded, split_images
from edgeloop.errors import DataError, InputError, ModelError, PictureError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.preprocessing import FILE_NAME, Pixels, Preprocessing
from edgeloop.quantization.calibration import Sample, stratified_sample
from edgeloop.quantization.convert import convert_file
from edgeloop.records import Conversion, QuantizeRecord, TfliteModel, provenance
from edgeloop.tflite.encoding import stands_for
from edgeloop.tflite.formats import FILES, Format
from edgeloop.tflite.inspect import TensorReport, inspect_model
from edgeloop.tflite.labels import FILE_NAME as LABELS
from edgeloop.tflite.labels import labels_beside, write_labels
from edgeloop.workspace import Workspace

JUDGED_IMAGES = 500
"""At most; a share of them is known to less than a percent."""
LEAST_JUDGED = 50


def quantize(workspace: Workspace, params: Params, name: str) -> QuantizeRecord:
    """Convert the variant's float model to float, int8 per-channel and int8 per-tensor TFLite files.

    The input of the int8 files is the raw uint8 pixel, their output float32 probabilities. They are calibrated on a
    stratified sample of `train`, and compared with float on one of `val`. Equal models and data give equal bytes.

    Raises:
        InputError: the variant is not trained or its data set not prepared.
        ModelError: the model cannot be converted.
    """
    started = dt.datetime.now(dt.UTC)
    variant, settings = params.variant(name), params.quantize
    paths = variant.paths(workspace)
    if not paths.model.is_file():
        raise InputError(f"{name} is not trained.", f"Run: dvc repro train@{name}")
    preprocessing = Preprocessing.read(paths.preprocessing)
    calibration, sample = drawn_sample(workspace, variant.dataset, preprocessing, settings)
    models = convert_all(paths.model, sample, preprocessing, paths.quantized, calibration.classes)
    record = QuantizeRecord(
        provenance=provenance(
            workspace.root, settings.model_dump(), ["tensorflow", "keras", "ai-edge-litert"], started, calibration.manifest_sha256
        ),
        dataset=variant.dataset,
        network=variant.network,
        resolution=variant.resolution,
        model_sha256=sha256_file(paths.model),
        calibration_images=len(calibration.labels),
        calibration_per_class=_per_class(calibration),
        calibration_sha256=pixels_digest(calibration.pixels),
        models=models,
    )
    record.write(paths.quantize_record)
    return record


def quantize_file(
    model: Path, images: Path, out: Path, *, preprocessing: Preprocessing | None = None, count: int = 200, seed: int = 127
) -> list[TfliteModel]:
    """Convert a float model made elsewhere (`.keras`, or `.h5` of Keras 3 or 2), calibrated on a folder of images.

    Images that are left over, or the same where these are fewer than 50, tell how it is best converted. Without
    `preprocessing`, the `preprocessing.json` beside the model counts. Writes the three `.tflite` files and the
    `preprocessing.json` to the folder `out`, which is replaced.

    Raises:
        InputError: there is no preprocessing, there are no images in `images`, or `out` holds something else than such files.
        ModelError: the model cannot be read or converted, or takes another input than the preprocessing gives.
    """
    chosen = preprocessing or Preprocessing.read(model.parent / FILE_NAME)
    if not model.is_file():
        raise InputError(f"{model} does not exist.", "Give the path of a .keras or .h5 model.")
    _check_replaceable(out)
    files = sorted(images / path for path in walk_folder(images).pictures)
    if not files:
        raise InputError(f"There are no images below {images}.", "Give a folder of images like those the model was trained on.")
    order = np.random.default_rng(seed).permutation(len(files))
    calibration, others = ([files[index] for index in np.sort(part)] for part in (order[:count], order[count : count + JUDGED_IMAGES]))
    return convert_all(model, _sample(calibration, others, chosen), chosen, out, labels_beside(model))


def _sample(calibration: list[Path], others: list[Path], preprocessing: Preprocessing) -> Sample:
    """The images of a folder; those of calibration are judged on, too, where there are few others."""
    pixels = _read_pixels(calibration, preprocessing)
    if len(others) < LEAST_JUDGED:
        return Sample.of_calibration(pixels)
    return Sample(pixels, _read_pixels(others, preprocessing), "the folder, not used for calibration")


def _check_replaceable(out: Path) -> None:
    ours = {FILE_NAME, LABELS, *(f"{stem}.tflite" for stem in FILES.values())}
    if out.exists() and (not out.is_dir() or {entry.name for entry in out.iterdir()} - ours):
        raise InputError(f"{out} holds something else than quantized models, and would be replaced.", "Give another folder, or empty it.")


def convert_all(
    model: Path, sample: Sample, preprocessing: Preprocessing, out: Path, classes: Sequence[str] | None = None
) -> list[TfliteModel]:
    """Write the three formats of a float model, the preprocessing and the classes into the folder `out`, which is replaced as a whole."""
    with atomic_folder(out) as folder:
        made = convert_file(model, sample, preprocessing, folder)
        preprocessing.write(folder / FILE_NAME)
        if classes is not None:
            write_labels(folder, classes)
        return [_described(kind, folder / f"{stem}.tflite", preprocessing, made.get(kind)) for kind, stem in FILES.items()]


def _described(kind: Format, path: Path, preprocessing: Preprocessing, conversion: Conversion | None) -> TfliteModel:
    report = inspect_model(path)
    if kind != "float":
        _check_raw_input(report.inputs[0], preprocessing)
    return TfliteModel(
        format=kind,
        file=path.name,
        sha256=report.sha256,
        bytes=report.bytes,
        weight_bytes=report.weight_bytes,
        conversion=conversion,
    )


def _check_raw_input(tensor: TensorReport, preprocessing: Preprocessing) -> None:
    """Whether the raw pixel in a quantized input stands for `input_range`, so that every later step may give it."""
    low, high = preprocessing.stated_range
    if tensor.dtype != "uint8" or not stands_for(tensor, (low, high)):
        raise ModelError(
            f"The input of the quantized model ({tensor.dtype}, scale {tensor.scale}, zero point {tensor.zero_point}) is not the raw pixel "
            f"of the range {low} to {high}.",
            "TFLite's integers always stand for a range that holds 0: the input range must hold it too.",
        )


def drawn_sample(workspace: Workspace, dataset: str, preprocessing: Preprocessing, settings: Quantize) -> tuple[SplitPixels, Sample]:
    """The images of a prepared data set that calibrate the int8 models of a variant; and their pixels, with those that these are judged on.

    Raises:
        InputError: the data set is not prepared, or has no images in `train` or `val`.
    """
    calibration, judged = (
        _drawn(workspace, dataset, split, preprocessing, count, settings.seed)
        for split, count in (("train", settings.calibration_images), ("val", JUDGED_IMAGES))
    )
    return calibration, Sample(calibration.pixels, judged.pixels, "val")


def pixels_digest(pixels: Pixels) -> str:
    """SHA-256 of the pixels, in order, as `QuantizeRecord.calibration_sha256` states it."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _drawn(workspace: Workspace, dataset: str, split: str, preprocessing: Preprocessing, count: int, seed: int) -> SplitPixels:
    """A stratified sample of a split."""
    images = split_images(workspace, dataset, split)
    return decoded(workspace, images.chosen(stratified_sample(images.labels, count, seed)), preprocessing)


def _per_class(images: SplitPixels) -> dict[str, int]:
    counts = np.bincount(images.labels, minlength=len(images.classes))
    return {label: int(count) for label, count in zip(images.classes, counts, strict=True)}


def _read_pixels(files: list[Path], preprocessing: Preprocessing) -> Pixels:
    pixels = []
    for path in files:
        try:
            pixels.append(preprocessing.pixels(read_picture(path)))
        except PictureError as error:
            raise DataError(f"{path}: {error.what}", "Remove it from the calibration images.") from error
    return np.stack(pixels)
