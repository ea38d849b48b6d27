"""The step `train`: from a prepared data set and starting weights to a float model with its history and record."""

import csv
import datetime as dt
import hashlib
import json
import re
import time
import zipfile
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.config import Params, Phase, TrainSettings, Variant
from edgeloop.datasets.accepted import require_accepted
from edgeloop.datasets.pixels import SplitPixels, split_pixels
from edgeloop.errors import ConfigError
from edgeloop.files import atomic_path, sha256_file
from edgeloop.networks import build, multiply_accumulates, network, parameters_folded
from edgeloop.preprocessing import Preprocessing
from edgeloop.progress import Advance, progress
from edgeloop.quiet import load_tensorflow
from edgeloop.records import PhaseResult, StartingWeights, TrainRecord, provenance
from edgeloop.training.augment import one_thread
from edgeloop.training.batches import ahead
from edgeloop.training.checkpoint import Best, State, load, save
from edgeloop.training.phases import Job, PhaseRun, prepare_phase
from edgeloop.training.start import Start, read_start
from edgeloop.workspace import VariantPaths, Workspace

if TYPE_CHECKING:
    import keras

HISTORY = ("phase", "mode", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate")
"""Columns of history.csv: what is equal in every training of equal inputs."""
RATE = "images_per_s"


def train(workspace: Workspace, params: Params, name: str) -> TrainRecord:
    """Train the variant `name`, or take up a training of it that was cut off after its last whole epoch.

    Writes `train/model.keras`, `train/preprocessing.json`, `history.csv` and the record. The weights kept are those of
    the epoch with the best accuracy on `val`. `test` is not read. Equal inputs and seed give equal weights.

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
    val = split_pixels(workspace, variant.dataset, "val", preprocessing)
    train_labels = split_pixels(workspace, variant.dataset, "train", preprocessing).labels
    job, weights = _new_job(workspace, variant, settings, preprocessing, val, train_labels, start)
    checkpoint = workspace.cache / "training" / f"{name}-{_identity(variant, settings, start, manifest_sha256)}.state"
    state = _run(job, checkpoint)

    job.network.set_weights(state.best_weights)
    _write_model(job.network, paths.model)
    preprocessing.write(paths.preprocessing)
    _write_history(state.history, paths.history)
    record = _record(workspace, variant, settings, job, weights, state, len(train_labels), paths, manifest_sha256, started)
    record.write(paths.train_record)
    checkpoint.unlink(missing_ok=True)
    return record


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


def _new_job(
    workspace: Workspace,
    variant: Variant,
    settings: TrainSettings,
    preprocessing: Preprocessing,
    val: SplitPixels,
    train_labels: NDArray[np.int32],
    start: Start,
) -> tuple[Job, StartingWeights]:
    load_tensorflow()
    import keras
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    shape, classes = network(variant.network), len(val.classes)

    def new_network() -> "keras.Model":
        return build(shape, variant.resolution, classes, dropout=settings.dropout, batch_norm_momentum=settings.batch_norm_momentum)

    fresh = new_network()
    weights = start.load_into(fresh)
    importance = _class_weights(train_labels, classes, settings)
    return Job(workspace, variant.dataset, settings, preprocessing, fresh, new_network, val, importance), weights


def _class_weights(labels: NDArray[np.int32], classes: int, settings: TrainSettings) -> NDArray[np.float32]:
    """(classes,) loss weights; balanced ones are inversely proportional to a class's images, with mean 1 over images."""
    if settings.class_weights == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(labels, minlength=classes)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


def _run(job: Job, checkpoint: Path) -> State:
    """Run the phases from where the checkpoint stands to their end."""
    state = load(checkpoint)
    if state is None:
        state = State(network=job.network.get_weights())
    else:
        state.resumed += 1
    phases = job.settings.phases
    total = sum(phase.epochs for phase in phases)
    with progress("train", total, "epochs") as advance, one_thread():
        advance(len(state.history))
        while state.phase < len(phases):
            job.network.set_weights(state.network)
            _run_phase(job, phases[state.phase], state, checkpoint, advance)
            state.phase, state.epoch, state.since_best = state.phase + 1, 0, 0
            state.network, state.trainer, state.phase_best = state.best_weights, [], Best()
            save(state, checkpoint)
    return state


def _run_phase(job: Job, phase: Phase, state: State, checkpoint: Path, advance: Advance) -> None:
    run = prepare_phase(job, phase)
    if state.trainer:
        run.trainer.restore(state.trainer)
    while state.epoch < phase.epochs and (phase.early_stopping is None or state.since_best < phase.early_stopping):
        row = _run_epoch(job, run, phase, state)
        state.history.append(row)
        state.epoch += 1
        state.trainer = run.trainer.state()
        _keep_best(state, row, run)
        save(state, checkpoint)
        advance(1, f"val {row['val_accuracy']:.3f}, best {state.best.accuracy:.3f}")


def _run_epoch(job: Job, run: PhaseRun, phase: Phase, state: State) -> dict[str, Any]:
    settings = job.settings
    steps = run.train.steps(settings.batch_size)
    begun = time.perf_counter()
    items = ahead(run.train.epoch((settings.seed, state.phase, state.epoch), settings.batch_size))
    trained = run.trainer.epoch(items, phase, state.epoch, steps)
    seconds = time.perf_counter() - begun
    scored = run.trainer.evaluate(run.val_inputs, job.val.labels)
    values = (
        state.phase, phase.mode, len(state.history) + 1, trained.loss, trained.accuracy, scored.loss, scored.accuracy,
        float(run.trainer.optimizer.learning_rate),
    )  # fmt: skip
    rate = steps * min(settings.batch_size, len(run.train.labels)) / seconds
    return dict(zip(HISTORY, values, strict=True)) | {RATE: rate}


def _keep_best(state: State, row: dict[str, Any], run: PhaseRun) -> None:
    accuracy, loss, epoch = row["val_accuracy"], row["val_loss"], row["epoch"]
    state.since_best += 1
    if state.phase_best.beaten_by(accuracy, loss):
        state.phase_best, state.since_best = Best(accuracy, loss, epoch), 0
    if state.best.beaten_by(accuracy, loss):
        state.best, state.best_weights = Best(accuracy, loss, epoch), run.network_weights()


def _write_model(model: "keras.Model", path: Path) -> None:
    """Save as `.keras`, without the time of saving and with objects numbered anew: equal weights give equal bytes."""
    with atomic_path(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        metadata = json.loads(members["metadata.json"])
        members["metadata.json"] = json.dumps({"keras_version": metadata["keras_version"]}).encode()
        members["config.json"] = _renumbered(members["config.json"])
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)


def _renumbered(config: bytes) -> bytes:
    """Keras numbers shared objects by their memory addresses; here they are counted from 1."""
    numbers: dict[bytes, bytes] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return match[1] + numbers.setdefault(match[2], str(len(numbers) + 1).encode())

    return re.sub(rb'("shared_object_id": )(\d+)', number, config)


def _write_history(rows: list[dict[str, Any]], path: Path) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HISTORY)
        shown = [[f"{value:.6g}" if isinstance(value, float) else value for value in map(row.__getitem__, HISTORY)] for row in rows]
        writer.writerows(shown)


def _phase_results(rows: list[dict[str, Any]], phases: list[Phase]) -> list[PhaseResult]:
    results = []
    for number, group in groupby(rows, key=lambda row: row["phase"]):
        ran = list(group)
        results.append(
            PhaseResult(
                mode=ran[0]["mode"],
                epochs_planned=phases[number].epochs,
                epochs_run=len(ran),
                best_val_accuracy=max(row["val_accuracy"] for row in ran),
                images_per_s=round(float(np.median([row[RATE] for row in ran])), 1),
                images_per_s_by_epoch=tuple(round(row[RATE], 1) for row in ran),
            )
        )
    return results


def _record(
    workspace: Workspace,
    variant: Variant,
    settings: TrainSettings,
    job: Job,
    weights: StartingWeights,
    state: State,
    train_images: int,
    paths: VariantPaths,
    manifest_sha256: str,
    started: dt.datetime,
) -> TrainRecord:
    shape, classes = network(variant.network), len(job.val.classes)
    return TrainRecord(
        provenance=provenance(workspace.root, settings.model_dump(mode="json"), ["tensorflow", "keras", "numpy"], started, manifest_sha256),
        dataset=variant.dataset,
        network=variant.network,
        resolution=variant.resolution,
        classes=job.val.classes,
        start=weights,
        model_sha256=sha256_file(paths.model),
        parameters=job.network.count_params(),
        parameters_folded=parameters_folded(shape, classes),
        macs=multiply_accumulates(shape, variant.resolution, classes),
        phases=_phase_results(state.history, settings.phases),
        best_epoch=state.best.epoch,
        val_accuracy=state.best.accuracy,
        train_images=train_images,
        val_images=len(job.val.labels),
        resumed=state.resumed,
    )
