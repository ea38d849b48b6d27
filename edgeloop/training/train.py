"""The step `train`: from a prepared data set and starting weights to a float model with its history and record."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from edgeloop.confidence import best_temperature, expected_calibration_error, log_loss, softmax
from edgeloop.config import Params, Phase
from edgeloop.datasets.accepted import require_accepted
from edgeloop.datasets.pixels import LEARNING
from edgeloop.files import sha256_file
from edgeloop.networks import multiply_accumulates, network, parameters_folded
from edgeloop.records import Accuracy, Confidence, FitResult, PhaseResult, StartingWeights, TrainRecord, provenance
from edgeloop.records.history import write_history
from edgeloop.training.checkpoint import State
from edgeloop.training.fit import RATE, fit
from edgeloop.training.model_file import divide_logits, write_model
from edgeloop.training.phases import Job, held_logits
from edgeloop.training.time_left import TimeLeft, stretches
from edgeloop.training.training import Training
from edgeloop.workspace import VariantPaths, Workspace


@dataclass(frozen=True)
class Fitted:
    """A fit that ran to its end."""

    job: Job
    state: State


def train(workspace: Workspace, params: Params, name: str) -> TrainRecord:
    """Train the variant `name`, or take up a training of it that was cut off after its last whole epoch.

    With `final: best_epoch` the weights kept are those of the epoch with the best accuracy on `val`. With `refit` the phases
    run on `train`, and their last weights are scored on `val`; then the last phase runs once more, from the same weights, on
    `train` and `val` together, and gives the weights that are kept. Writes `train/model.keras`, `train/preprocessing.json`,
    `history.csv` and the record. `test` is not read. Equal inputs and seed give equal weights.

    Raises:
        InputError: the data set is not prepared and accepted, or the starting weights are missing.
        ConfigError: the phases do not fit the starting weights.
        TrainingError: the loss is no longer a number.
    """
    started = dt.datetime.now(dt.UTC)
    variant, settings = params.variant(name), params.train_settings(params.variant(name))
    paths = variant.paths(workspace)
    manifest_sha256 = require_accepted(workspace, variant.dataset)
    training = Training.of(workspace, variant, settings)
    identity = _identity(training, manifest_sha256)
    done: list[Fitted] = []
    checkpoints: list[Path] = []
    left = TimeLeft(stretches(training.recipe, variant.resolution, [(purpose, fold) for purpose, _, fold in training.fits]))
    for purpose, keep, fold in training.fits:
        job, weights = training.job(purpose, keep, fold)
        checkpoints.append(workspace.cache / "training" / f"{name}-{identity}-{purpose}.state")
        done.append(Fitted(job, fit(job, checkpoints[-1], done[-1].state if done else None, left)))

    confidence = _confidence(done[0])
    model = training.finished(done[-1].state.best_weights)
    divide_logits(model, confidence.temperature)
    write_model(model, paths.model)
    training.preprocessing.write(paths.preprocessing)
    write_history([row for one in done for row in one.state.history], paths.history)
    record = _record(training, done, weights, confidence, paths, started)
    record.write(paths.train_record)
    for checkpoint in checkpoints:
        checkpoint.unlink(missing_ok=True)
    return record


def _confidence(fitted: Fitted) -> Confidence:
    """The temperature for the images that a fit held out, and what it does to them."""
    job = fitted.job
    job.network.set_weights(fitted.state.best_weights)
    logits, labels = held_logits(job), job.held_labels
    temperature = best_temperature(logits, labels)
    (error, loss), (error_after, loss_after) = (
        (expected_calibration_error(softmax(values), labels), log_loss(values, labels)) for values in (logits, logits / temperature)
    )
    return Confidence(
        temperature=temperature,
        n=len(labels),
        calibration_error_before=error,
        calibration_error_after=error_after,
        log_loss_before=loss,
        log_loss_after=loss_after,
    )


def _identity(training: Training, manifest_sha256: str) -> str:
    """What must be equal for a checkpoint to be taken up again."""
    variant, recipe, start = training.variant, training.recipe, training.start
    parts = [variant.model_dump_json(), recipe.model_dump_json(), start.sha256, manifest_sha256, version("tensorflow"), version("keras")]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _fit_result(fitted: Fitted) -> FitResult:
    job, state = fitted.job, fitted.state
    return FitResult(
        purpose=job.purpose,
        train_images=len(job.fold.train),
        held_images=len(job.fold.held),
        phases=_phase_results(state.history, job.recipe.phases),
        begun_after=state.shared,
        epoch=state.best.epoch,
        held_accuracy=Accuracy.of(round(state.best.accuracy * len(job.fold.held)), len(job.fold.held)) if len(job.fold.held) else None,
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
    training: Training, done: list[Fitted], weights: StartingWeights, confidence: Confidence, paths: VariantPaths, started: dt.datetime
) -> TrainRecord:
    variant, images, recipe = training.variant, training.images, training.recipe.model_dump(mode="json")
    chosen, classes = network(variant.network), len(images.classes)
    return TrainRecord(
        provenance=provenance(training.workspace.root, recipe, ["tensorflow", "keras", "numpy"], started, images.manifest_sha256),
        dataset=variant.dataset,
        network=variant.network,
        resolution=variant.resolution,
        color=images.color,
        classes=images.classes,
        start=weights,
        model_sha256=sha256_file(paths.model),
        parameters=done[-1].job.network.count_params(),
        parameters_folded=parameters_folded(chosen, classes, images.color),
        macs=multiply_accumulates(chosen, variant.resolution, classes, images.color),
        fits=[_fit_result(one) for one in done],
        learned_from=list(LEARNING) if done[-1].job.purpose == "refit" else ["train"],
        confidence=confidence,
    )
