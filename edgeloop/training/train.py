"""The step `train`: from a prepared data set and starting weights to a float model with its history and record."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeloop.config import Params, Phase, TrainSettings, Variant
from edgeloop.datasets.accepted import require_accepted
from edgeloop.datasets.pixels import LEARNING, learning_pixels
from edgeloop.errors import ConfigError
from edgeloop.evaluation.metrics import accuracy
from edgeloop.files import sha256_file
from edgeloop.networks import build, multiply_accumulates, network, parameters_folded
from edgeloop.preprocessing import Preprocessing
from edgeloop.quiet import load_tensorflow
from edgeloop.records import FitResult, PhaseResult, StartingWeights, TrainRecord, provenance
from edgeloop.training.checkpoint import State
from edgeloop.training.fit import RATE, fit
from edgeloop.training.fold import Fold, declared_fold, whole
from edgeloop.training.model_file import write_history, write_model
from edgeloop.training.phases import Job
from edgeloop.training.start import Start, read_start
from edgeloop.workspace import VariantPaths, Workspace

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Fitted:
    """A fit that ran to its end."""

    job: Job
    state: State


def train(workspace: Workspace, params: Params, name: str) -> TrainRecord:
    """Train the variant `name`, or take up a training of it that was cut off after its last whole epoch.

    With `final: best_epoch` the weights kept are those of the epoch with the best accuracy on `val`. With `refit` the same
    phases run twice: on `train`, whose last weights are scored on `val`, and then on `train` and `val` together, whose last
    weights are kept. Writes `train/model.keras`, `train/preprocessing.json`, `history.csv` and the record. `test` is not
    read. Equal inputs and seed give equal weights.

    Raises:
        InputError: the data set is not prepared and accepted, or the starting weights are missing.
        ConfigError: the phases do not fit the starting weights.
        TrainingError: the loss is no longer a number.
    """
    started = dt.datetime.now(dt.UTC)
    variant, settings = params.variant(name), params.train_settings(params.variant(name))
    paths = workspace.variant(variant.dataset, variant.network, variant.resolution)
    manifest_sha256 = require_accepted(workspace, variant.dataset)
    start = read_start(workspace, variant.start)
    _check_phases(start, settings, name)

    preprocessing = Preprocessing(resolution=variant.resolution, resize=settings.resize, input_range=settings.input_range)
    identity = _identity(variant, settings, start, manifest_sha256)
    done: list[Fitted] = []
    checkpoints: list[Path] = []
    for purpose, keep, fold in _fits(workspace, variant, preprocessing, settings):
        job, weights = new_job(workspace, variant, settings, preprocessing, start, purpose, keep, fold)
        checkpoints.append(workspace.cache / "training" / f"{name}-{identity}-{purpose}.state")
        done.append(Fitted(job, fit(job, checkpoints[-1])))

    last = done[-1]
    final = _new_network(variant, settings, len(last.job.classes), variant.resolution)
    final.set_weights(last.state.best_weights)
    write_model(final, paths.model)
    preprocessing.write(paths.preprocessing)
    write_history([row for one in done for row in one.state.history], paths.history)
    record = _record(workspace, variant, settings, done, weights, paths, manifest_sha256, started)
    record.write(paths.train_record)
    for checkpoint in checkpoints:
        checkpoint.unlink(missing_ok=True)
    return record


Purpose = Literal["select", "refit", "train"]
Keep = Literal["best", "last"]


def _fits(
    workspace: Workspace, variant: Variant, preprocessing: Preprocessing, settings: TrainSettings
) -> list[tuple[Purpose, Keep, Fold]]:
    """What is fitted, in order: once, keeping the best epoch; or once to be scored, and once on all images."""
    rows = learning_pixels(workspace, variant.dataset, preprocessing).rows
    if settings.refits(len(rows)):
        return [("select", "last", declared_fold(rows)), ("refit", "last", whole(rows))]
    return [("train", "best", declared_fold(rows))]


def _check_phases(start: Start, settings: TrainSettings, name: str) -> None:
    modes = [phase.mode for phase in settings.phases]
    if start.kind == "scratch" and modes[0] == "head":
        raise ConfigError(
            f"{name} starts from fresh weights, of which training the last layer alone makes nothing.",
            "Give the variant a `start` with trained weights, or begin its phases with mode scratch.",
        )
    if "scratch" in modes[1:] or (start.kind != "scratch" and "scratch" in modes):
        raise ConfigError(f"{name}: a phase of mode scratch would throw away trained weights.", "Use mode full for it.")


def _identity(variant: Variant, settings: TrainSettings, start: Start, manifest_sha256: str) -> str:
    """What must be equal for a checkpoint to be taken up again."""
    parts = [variant.model_dump_json(), settings.model_dump_json(), start.sha256, manifest_sha256, version("tensorflow"), version("keras")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def new_job(
    workspace: Workspace,
    variant: Variant,
    settings: TrainSettings,
    preprocessing: Preprocessing,
    start: Start,
    purpose: Purpose,
    keep: Keep,
    fold: Fold,
) -> tuple[Job, StartingWeights]:
    load_tensorflow()
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    images = learning_pixels(workspace, variant.dataset, preprocessing)
    classes = len(images.classes)
    new_network = partial(_new_network, variant, settings, classes)
    fresh = new_network()
    weights = start.load_into(fresh)
    importance = _class_weights(images.labels[fold.train], classes, settings)
    job = Job(
        purpose, keep, workspace, partial(learning_pixels, workspace, variant.dataset), images.labels, images.classes, fold, settings,
        preprocessing, fresh, new_network, importance,
    )  # fmt: skip
    return job, weights


def _new_network(variant: Variant, settings: TrainSettings, classes: int, resolution: int | None = None) -> "keras.Model":
    """Fresh weights; without a resolution for images of any size, as phases may differ in it."""
    shape = network(variant.network)
    return build(shape, resolution, classes, dropout=settings.dropout, batch_norm_momentum=settings.batch_norm_momentum)


def _class_weights(labels: NDArray[np.int32], classes: int, settings: TrainSettings) -> NDArray[np.float32]:
    """(classes,) loss weights; balanced ones are inversely proportional to a class's images, with mean 1 over images."""
    if settings.class_weights == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


def _fit_result(fitted: Fitted) -> FitResult:
    job, state = fitted.job, fitted.state
    return FitResult(
        purpose=job.purpose,
        train_images=len(job.fold.train),
        held_images=len(job.fold.held),
        phases=_phase_results(state.history, job.settings.phases),
        epoch=state.best.epoch,
        held_accuracy=accuracy(round(state.best.accuracy * len(job.fold.held)), len(job.fold.held)) if len(job.fold.held) else None,
        resumed=state.resumed,
    )


def _phase_results(rows: list[dict[str, Any]], phases: list[Phase]) -> list[PhaseResult]:
    results = []
    for number, group in groupby(rows, key=lambda row: row["phase"]):
        ran = list(group)
        scores = [row["val_accuracy"] for row in ran if row["val_accuracy"] is not None]
        results.append(
            PhaseResult(
                mode=ran[0]["mode"],
                epochs_planned=phases[number].epochs,
                epochs_run=len(ran),
                best_val_accuracy=max(scores) if scores else None,
                images_per_s=round(float(np.median([row[RATE] for row in ran])), 1),
                images_per_s_by_epoch=tuple(round(row[RATE], 1) for row in ran),
            )
        )
    return results


def _record(
    workspace: Workspace,
    variant: Variant,
    settings: TrainSettings,
    done: list[Fitted],
    weights: StartingWeights,
    paths: VariantPaths,
    manifest_sha256: str,
    started: dt.datetime,
) -> TrainRecord:
    job = done[-1].job
    shape, classes = network(variant.network), len(job.classes)
    return TrainRecord(
        provenance=provenance(workspace.root, settings.model_dump(mode="json"), ["tensorflow", "keras", "numpy"], started, manifest_sha256),
        dataset=variant.dataset,
        network=variant.network,
        resolution=variant.resolution,
        classes=job.classes,
        start=weights,
        model_sha256=sha256_file(paths.model),
        parameters=job.network.count_params(),
        parameters_folded=parameters_folded(shape, classes),
        macs=multiply_accumulates(shape, variant.resolution, classes),
        fits=[_fit_result(one) for one in done],
        learned_from=list(LEARNING) if job.purpose == "refit" else ["train"],
    )
