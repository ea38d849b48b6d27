"""The step `train`: from a prepared data set and starting weights to a float model with its history and record."""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeloop.config import Params, Phase, TrainSettings, Variant
from edgeloop.datasets.accepted import require_accepted
from edgeloop.datasets.pixels import LEARNING
from edgeloop.errors import ConfigError
from edgeloop.files import sha256_file
from edgeloop.networks import multiply_accumulates, network, parameters_folded
from edgeloop.records import Accuracy, FitResult, PhaseResult, StartingWeights, TrainRecord, provenance
from edgeloop.training.checkpoint import State
from edgeloop.training.fit import RATE, fit
from edgeloop.training.fold import Fold, declared_fold, whole
from edgeloop.training.model_file import write_history, write_model
from edgeloop.training.phases import Job, Keep, Purpose
from edgeloop.training.start import Start, read_start
from edgeloop.training.training import Training
from edgeloop.workspace import VariantPaths, Workspace

if TYPE_CHECKING:
    pass


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

    training = Training(workspace, variant, settings, start)
    identity = _identity(variant, settings, start, manifest_sha256)
    done: list[Fitted] = []
    checkpoints: list[Path] = []
    for purpose, keep, fold in _fits(training):
        job, weights = training.job(purpose, keep, fold)
        checkpoints.append(workspace.cache / "training" / f"{name}-{identity}-{purpose}.state")
        done.append(Fitted(job, fit(job, checkpoints[-1])))

    model = training.new_network(variant.resolution)
    model.set_weights(done[-1].state.best_weights)
    write_model(model, paths.model)
    training.preprocessing.write(paths.preprocessing)
    write_history([row for one in done for row in one.state.history], paths.history)
    record = _record(training, done, weights, paths, started)
    record.write(paths.train_record)
    for checkpoint in checkpoints:
        checkpoint.unlink(missing_ok=True)
    return record


def _fits(training: Training) -> list[tuple[Purpose, Keep, Fold]]:
    """What is fitted, in order: once, keeping the best epoch; or once to be scored, and once on all images."""
    rows = training.images.rows
    if training.settings.refits(len(rows)):
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


def _fit_result(fitted: Fitted) -> FitResult:
    job, state = fitted.job, fitted.state
    return FitResult(
        purpose=job.purpose,
        train_images=len(job.fold.train),
        held_images=len(job.fold.held),
        phases=_phase_results(state.history, job.settings.phases),
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


def _record(training: Training, done: list[Fitted], weights: StartingWeights, paths: VariantPaths, started: dt.datetime) -> TrainRecord:
    variant, images, settings = training.variant, training.images, training.settings.model_dump(mode="json")
    shape, classes = network(variant.network), len(images.classes)
    return TrainRecord(
        provenance=provenance(training.workspace.root, settings, ["tensorflow", "keras", "numpy"], started, images.manifest_sha256),
        dataset=variant.dataset,
        network=variant.network,
        resolution=variant.resolution,
        classes=images.classes,
        start=weights,
        model_sha256=sha256_file(paths.model),
        parameters=done[-1].job.network.count_params(),
        parameters_folded=parameters_folded(shape, classes),
        macs=multiply_accumulates(shape, variant.resolution, classes),
        fits=[_fit_result(one) for one in done],
        learned_from=list(LEARNING) if done[-1].job.purpose == "refit" else ["train"],
    )
