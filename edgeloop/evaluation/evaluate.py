"""Step 6: the accuracy of a variant's float and int8 models on `test`, which no earlier step has seen."""

import datetime as dt
import json

import numpy as np
import pandas as pd

from edgeloop.confidence import expected_calibration_error
from edgeloop.config import Params
from edgeloop.datasets.pixels import SplitPixels, split_pixels
from edgeloop.errors import InputError
from edgeloop.evaluation.metrics import Labels, class_results, confusion_matrix, top_k
from edgeloop.files import atomic_path, sha256_file, write_text
from edgeloop.preprocessing import FILE_NAME, Preprocessing
from edgeloop.progress import progress
from edgeloop.records import Accuracy, EvaluateRecord, FormatResult, provenance
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.formats import FILES, Format
from edgeloop.tflite.interpreter import RUNTIME, Scores
from edgeloop.workspace import VariantPaths, Workspace

SPLIT = "test"
TOOLS = [RUNTIME, "numpy", "opencv-python-headless", "pillow"]


def evaluate(workspace: Workspace, params: Params, variant: str) -> EvaluateRecord:
    """Evaluate the three converted models of a variant; write predictions.parquet and metrics.json, then evaluate.json.

    Images are decoded once, by the preprocessing beside the models, and kept in the pixel cache.

    Raises:
        InputError: no such variant, it is not quantized, its data set is not prepared, or they do not fit together.
        ModelError: a model is damaged.
    """
    started = dt.datetime.now(dt.UTC)
    chosen = params.variant(variant)
    paths = chosen.paths(workspace)
    preprocessing = Preprocessing.read(paths.quantized / FILE_NAME)
    images = split_pixels(workspace, chosen.dataset, SPLIT, preprocessing)
    scores = _scores(paths, preprocessing, images)
    _write_predictions(paths, images, scores)
    record = EvaluateRecord(
        provenance=provenance(workspace.root, {"evaluate": params.evaluate.model_dump()}, TOOLS, started, images.manifest_sha256),
        dataset=chosen.dataset,
        network=chosen.network,
        resolution=chosen.resolution,
        color=preprocessing.color,
        split=SPLIT,
        classes=images.classes,
        resize=preprocessing.resize,
        formats=_results(paths, images, scores, len(images.classes) >= params.evaluate.top5_from_classes),
    )
    metrics = {FILES[result.format]: {"top1": result.top1.value} for result in record.formats}
    write_text(paths.metrics, json.dumps(metrics, indent=2) + "\n")
    record.write(paths.evaluate_record)
    return record


def _scores(paths: VariantPaths, preprocessing: Preprocessing, images: SplitPixels) -> dict[Format, Scores]:
    """Scores (n, classes) by each format."""
    with progress(f"evaluate {len(FILES)} models", len(FILES) * len(images.rows), "images") as advance:
        scores: dict[Format, Scores] = {}
        for kind, name in FILES.items():
            classifier = Classifier(paths.quantized / f"{name}.tflite", preprocessing)
            if classifier.classes != len(images.classes):
                raise InputError(
                    f"{paths.quantized / name}.tflite tells {classifier.classes} classes apart, its data set has {len(images.classes)}.",
                    "The data set has changed since the training: dvc repro trains and quantizes again.",
                )
            scores[kind] = classifier.score_all(images.pixels, advance=advance)
        return scores


def _results(paths: VariantPaths, images: SplitPixels, scores: dict[Format, Scores], top5: bool) -> list[FormatResult]:
    predicted: dict[Format, Labels] = {kind: values.argmax(axis=1).astype(np.int32) for kind, values in scores.items()}
    results = []
    for kind, name in FILES.items():
        confusion = confusion_matrix(images.labels, predicted[kind], len(images.classes))
        results.append(
            FormatResult(
                format=kind,
                sha256=sha256_file(paths.quantized / f"{name}.tflite"),
                top1=Accuracy.of(int(np.trace(confusion)), len(images.labels)),
                top5=top_k(scores[kind], images.labels, 5) if top5 else None,
                calibration_error=expected_calibration_error(scores[kind], images.labels),
                agreement_with_float=None if kind == "float" else float((predicted[kind] == predicted["float"]).mean()),
                per_class=class_results(confusion, images.classes),
                confusion=confusion.tolist(),
            )
        )
    return results


def _write_predictions(paths: VariantPaths, images: SplitPixels, scores: dict[Format, Scores]) -> None:
    """One row for each image: path, label, and the predicted class and its score by each format."""
    names = np.asarray(images.classes, dtype=object)
    columns = {"path": images.rows["path"].to_numpy(), "label": images.rows["label"].to_numpy()}
    for kind, name in FILES.items():
        columns[f"{name}_class"] = names[scores[kind].argmax(axis=1)]
        columns[f"{name}_score"] = scores[kind].max(axis=1)
    with atomic_path(paths.predictions) as temporary:
        pd.DataFrame(columns).to_parquet(temporary, index=False, compression="zstd")
