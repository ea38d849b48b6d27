"""The step `quantize`: a trained float model to TFLite files, and the same for a float model made elsewhere."""

import datetime as dt
import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeloop.config import Params
from edgeloop.datasets.folder import read_picture, walk_folder
from edgeloop.datasets.pixels import SplitPixels, split_pixels
from edgeloop.errors import DataError, InputError, ModelError, PictureError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.networks.weights import rebuild_keras2
from edgeloop.preprocessing import FILE_NAME, Pixels, Preprocessing
from edgeloop.progress import progress
from edgeloop.quantization.calibration import stratified_sample
from edgeloop.quiet import load_tensorflow
from edgeloop.records import QuantizeRecord, TfliteModel, provenance
from edgeloop.tflite.formats import FILES, Format
from edgeloop.tflite.inspect import TensorReport, inspect_model
from edgeloop.workspace import Workspace

if TYPE_CHECKING:
    import keras


def quantize(workspace: Workspace, params: Params, name: str) -> QuantizeRecord:
    """Convert the variant's float model to float, int8 per-channel and int8 per-tensor TFLite files.

    The input of the int8 files is the raw uint8 pixel, their output float32 probabilities. They are calibrated on a
    stratified sample of `train`. Equal models and data give equal bytes.

    Raises:
        InputError: the variant is not trained or its data set not prepared.
        ModelError: the model cannot be converted.
    """
    started = dt.datetime.now(dt.UTC)
    variant, settings = params.variant(name), params.quantize
    paths = workspace.variant(variant.dataset, variant.network, variant.resolution)
    if not paths.model.is_file():
        raise InputError(f"{name} is not trained.", f"Run: dvc repro train@{name}")
    preprocessing = Preprocessing.read(paths.preprocessing)
    images = split_pixels(workspace, variant.dataset, "train", preprocessing)
    chosen = stratified_sample(images.labels, settings.calibration_images, settings.seed)
    calibration = np.ascontiguousarray(images.pixels[chosen])
    models = convert_all(read_float_model(paths.model), calibration, preprocessing, paths.quantized)
    record = QuantizeRecord(
        provenance=provenance(
            workspace.root, settings.model_dump(), ["tensorflow", "keras", "ai-edge-litert"], started, images.manifest_sha256
        ),
        dataset=variant.dataset,
        network=variant.network,
        resolution=variant.resolution,
        model_sha256=sha256_file(paths.model),
        calibration_images=len(chosen),
        calibration_per_class=_per_class(images, chosen),
        calibration_sha256=hashlib.sha256(calibration.tobytes()).hexdigest(),
        models=models,
    )
    record.write(paths.quantize_record)
    return record


def quantize_file(
    model: Path, images: Path, out: Path, *, preprocessing: Preprocessing | None = None, count: int = 200, seed: int = 127
) -> list[TfliteModel]:
    """Convert a float model made elsewhere (`.keras`, or a `.h5` that Keras 3 can read), calibrated on a folder of images.

    Without `preprocessing`, the `preprocessing.json` beside the model counts. Writes the three `.tflite` files and the
    `preprocessing.json` to the folder `out`, which is replaced.

    Raises:
        InputError: there is no preprocessing, or there are no images in `images`.
        ModelError: the model cannot be read or converted, or takes another input than the preprocessing gives.
    """
    chosen = preprocessing or Preprocessing.read(model.parent / FILE_NAME)
    network = read_float_model(model)
    wanted = (None, chosen.resolution, chosen.resolution, 3)
    if tuple(network.input_shape) != wanted:
        raise ModelError(f"{model} takes an input of shape {network.input_shape}, not {wanted}.", "Give the resolution it was made for.")
    files = sorted(images / path for path in walk_folder(images).pictures)
    if not files:
        raise InputError(f"There are no images below {images}.", "Give a folder of images like those the model was trained on.")
    sample = np.sort(np.random.default_rng(seed).permutation(len(files))[:count])
    return convert_all(network, _read_pixels([files[index] for index in sample], chosen), chosen, out)


def convert_all(network: "keras.Model", calibration: Pixels, preprocessing: Preprocessing, out: Path) -> list[TfliteModel]:
    """Write the three formats and the preprocessing into the folder `out`, which is replaced as a whole."""
    from edgeloop.quantization.convert import to_float, to_int8

    with atomic_folder(out) as folder, progress("convert", len(FILES), "models") as advance:
        for kind, stem in FILES.items():
            if kind == "float":
                content = to_float(network)
            else:
                content = to_int8(network, calibration, preprocessing, per_channel=kind == "int8 per-channel")
            (folder / f"{stem}.tflite").write_bytes(content)
            advance(1, kind)
        preprocessing.write(folder / FILE_NAME)
        return [_described(kind, folder / f"{stem}.tflite", preprocessing) for kind, stem in FILES.items()]


def read_float_model(path: Path) -> "keras.Model":
    """Read a Keras model; of a Keras 2 `.h5` whose description Keras 3 cannot read, one of this project's networks.

    Raises:
        InputError: there is no such file.
        ModelError: it is neither.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist.", "Give the path of a .keras or .h5 model.")
    load_tensorflow()
    import keras

    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        try:
            return rebuild_keras2(path)
        except ModelError as unknown:
            raise ModelError(
                f"{path} is not a model that Keras {keras.__version__} reads: {error}\n  {unknown.what}",
                "Save it as .keras with the Keras that made it.",
            ) from error


def _described(kind: Format, path: Path, preprocessing: Preprocessing) -> TfliteModel:
    report = inspect_model(path)
    if kind != "float":
        _check_raw_input(report.inputs[0], preprocessing)
    return TfliteModel(format=kind, file=path.name, sha256=report.sha256, bytes=report.bytes, weight_bytes=report.weight_bytes)


def _check_raw_input(taken: TensorReport, preprocessing: Preprocessing) -> None:
    """Whether a quantized input is the raw pixel: as fine as `input_range` asks, and at most half a level off."""
    low, high = preprocessing.input_range
    scale = (high - low) / 255
    exact = taken.scale is not None and math.isclose(taken.scale, scale, rel_tol=1e-3)
    if taken.dtype != "uint8" or not exact or taken.zero_point is None or abs(taken.zero_point + low / scale) > 0.51:
        raise ModelError(
            f"The input of the quantized model ({taken.dtype}, scale {taken.scale}, zero point {taken.zero_point}) is not the raw pixel "
            f"of the range {low} to {high}.",
            "TFLite's integers always stand for a range that holds 0: the input range must hold it too.",
        )


def _per_class(images: SplitPixels, chosen: Iterable[int]) -> dict[str, int]:
    counts = Counter(images.classes[images.labels[index]] for index in chosen)
    return {label: counts[label] for label in images.classes}


def _read_pixels(files: list[Path], preprocessing: Preprocessing) -> Pixels:
    pixels = []
    for path in files:
        try:
            pixels.append(preprocessing.pixels(read_picture(path)))
        except PictureError as error:
            raise DataError(f"{path}: {error.what}", "Remove it from the calibration images.") from error
    return np.stack(pixels)
