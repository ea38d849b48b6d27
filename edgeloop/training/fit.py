"""One training from its first phase to its last: epochs, their history, the weights that are kept, and taking it up again."""

import time
from pathlib import Path
from typing import Any

from edgeloop.config import Phase
from edgeloop.console import notice
from edgeloop.progress import Advance, progress
from edgeloop.records.history import HISTORY
from edgeloop.training.augment import one_thread
from edgeloop.training.batches import ahead
from edgeloop.training.checkpoint import BestScore, State, load, save
from edgeloop.training.phases import Job, PhaseRun, prepare_phase
from edgeloop.training.time_left import TimeLeft, stretches, watched

RATE = "images_per_s"


def fit(job: Job, checkpoint: Path, earlier: State | None = None, left: TimeLeft | None = None) -> State:
    """Run the phases to their end. It begins, in this order of preference,

    1. where the checkpoint stands;
    2. before the last phase, where an `earlier` fit of the same phases stood then;
    3. at the job's weights.

    `left` knows the fits of the same training that are still to come, and says how long it takes where that is long.
    The state's `best_weights` are those to keep: of the best epoch on the held-out images, or of the last one.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    state = load(checkpoint)
    if state is None:
        state = earlier.branch() if earlier else State(network=job.network.get_weights())
    else:
        state.resumed += state.phase < len(job.recipe.phases)
    phases = job.recipe.phases
    total = sum(phase.epochs for phase in phases)
    left = left or TimeLeft(stretches(job.recipe, job.preprocessing.resolution, [(job.purpose, job.fold)]))
    with progress(job.purpose, total, "epochs", done=state.epochs, tells_time=True) as advance, one_thread():
        while state.phase < len(phases):
            if state.phase == len(phases) - 1:
                state.before_last_phase = state.network
            job.network.set_weights(state.network)
            _run_phase(job, phases[state.phase], state, checkpoint, advance, left)
            state.phase, state.epoch, state.since_best = state.phase + 1, 0, 0
            # The next phase goes on from the best weights of all phases so far: where this phase brought nothing, it is left out.
            state.network, state.trainer, state.phase_best = state.best_weights, [], BestScore()
            save(state, checkpoint)
    return state


def _run_phase(job: Job, phase: Phase, state: State, checkpoint: Path, advance: Advance, left: TimeLeft) -> None:
    run = prepare_phase(job, phase)
    if state.trainer:
        run.trainer.restore(state.trainer)
    while state.epoch < phase.epochs and (phase.early_stopping is None or state.since_best < phase.early_stopping):
        row = _run_epoch(job, run, phase, state, left)
        state.history.append(row)
        state.epoch += 1
        state.trainer = run.trainer.state()
        _keep(job, state, row, run)
        save(state, checkpoint)
        words = _in_words(job, row, state), left.in_words(job.purpose, state.phase, state.epoch)
        advance(1, ", ".join(filter(None, words)))


def _run_epoch(job: Job, run: PhaseRun, phase: Phase, state: State, left: TimeLeft) -> dict[str, Any]:
    recipe = job.recipe
    steps = run.train.steps(recipe.batch_size)
    begun = time.perf_counter()

    def told(ran: int, seconds: float) -> None:
        first = not left.knows(job.purpose, state.phase)
        left.took(job.purpose, state.phase, ran, seconds)
        if first and ran + 1 < steps and (words := left.in_words(job.purpose, state.phase, state.epoch)):
            notice(f"{job.purpose}: {words}, by its first {ran} steps")

    items = ahead(run.train.epoch((recipe.seed, state.phase, state.epoch), recipe.batch_size))
    trained = run.trainer.epoch(watched(items, told), phase, state.epoch, steps)
    seconds = time.perf_counter() - begun
    scored = run.trainer.evaluate(run.held_inputs, job.held_labels) if len(job.held_labels) else None
    values = (
        job.purpose, state.phase, phase.mode, state.epochs + 1, trained.loss, trained.accuracy,
        scored and scored.loss, scored and scored.accuracy, run.trainer.rate,
    )  # fmt: skip
    rate = steps * min(recipe.batch_size, len(run.train.labels)) / seconds
    return dict(zip(HISTORY, values, strict=True)) | {RATE: rate}


def _keep(job: Job, state: State, row: dict[str, Any], run: PhaseRun) -> None:
    if job.keep == "last":
        if state.epoch == job.recipe.phases[state.phase].epochs:
            state.best = BestScore(row["val_accuracy"] or 0.0, row["val_loss"] or 0.0, row["epoch"])
            state.best_weights = run.network_weights()
        return
    accuracy, loss, epoch = row["val_accuracy"], row["val_loss"], row["epoch"]
    state.since_best += 1
    if state.phase_best.beaten_by(accuracy, loss):
        state.phase_best, state.since_best = BestScore(accuracy, loss, epoch), 0
    if state.best.beaten_by(accuracy, loss):
        state.best, state.best_weights = BestScore(accuracy, loss, epoch), run.network_weights()


def _in_words(job: Job, row: dict[str, Any], state: State) -> str:
    if row["val_accuracy"] is None:
        return f"loss {row['train_loss']:.3f}"
    best = f", best {state.best.accuracy:.3f}" if job.keep == "best" and state.best.epoch else ""
    return f"val {row['val_accuracy']:.3f}{best}"
