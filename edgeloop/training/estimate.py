"""How long a training will take on this machine, by a few of its steps; and the share of its epochs that fits a time."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from edgeloop.config import Phase
from edgeloop.training.augment import one_thread
from edgeloop.training.batches import Batch, ahead
from edgeloop.training.fold import Fold
from edgeloop.training.loop import EVALUATION_BATCH
from edgeloop.training.phases import PhaseRun, prepare_phase
from edgeloop.training.recipe import Recipe
from edgeloop.training.training import Training

Kind = tuple[str, int | str | None]
"""What the speed of a phase depends on: whether only the head learns, and the resolution."""
STEPS = 12
"""Timed of each kind of phase, after one that compiles."""


@dataclass(frozen=True)
class Estimate:
    """Wall seconds of a training whose phases run all of their epochs."""

    once_s: float
    """What does not depend on the epochs: TensorFlow compiles each phase."""
    epochs_s: float

    @property
    def total_s(self) -> float:
        """Seconds of the whole training."""
        return self.once_s + self.epochs_s

    def share_within(self, seconds: float) -> float:
        """Which share of the epochs, at most 1, takes so long; 0 or less where none does."""
        return min(1.0, (seconds - self.once_s) / self.epochs_s)


@dataclass(frozen=True)
class Speed:
    """The speed of one kind of phase on this machine."""

    compile_s: float
    step_s: float
    score_s: float
    """Seconds for one image that is scored."""


def estimate(training: Training) -> Estimate:
    """Time some steps of each kind of phase; the pixels that the training needs are decoded where they are not yet."""
    job, _ = training.job("select", "last", training.fits[0][2])
    speeds: dict[Kind, Speed] = {}
    for phase in training.recipe.phases:
        if _kind(phase) not in speeds:
            speeds[_kind(phase)] = _measured(prepare_phase(job, phase), phase, training.recipe)
    return at_speeds(training, [speeds[_kind(phase)] for phase in training.recipe.phases])


def at_speeds(training: Training, speeds: list[Speed]) -> Estimate:
    """The time of a training whose phases run at these speeds; only the last phase is run in every fit."""
    fits = [fold for _, _, fold in training.fits]
    once, epochs = 0.0, 0.0
    for number, (phase, speed) in enumerate(zip(training.recipe.phases, speeds, strict=True), 1):
        running = fits if number == len(speeds) else fits[:1]
        once += len(running) * speed.compile_s
        epochs += phase.epochs * sum(_epoch_s(speed, fold, training.recipe.batch_size) for fold in running)
    return Estimate(once, epochs)


def _kind(phase: Phase) -> Kind:
    return "head" if phase.mode == "head" else "full", phase.resolution


def _epoch_s(speed: Speed, fold: Fold, batch_size: int) -> float:
    return max(1, len(fold.train) // batch_size) * speed.step_s + len(fold.held) * speed.score_s


def _measured(run: PhaseRun, phase: Phase, recipe: Recipe) -> Speed:
    steps = run.train.steps(recipe.batch_size)

    def items(count: int, epoch: int) -> Iterator[Batch]:
        return islice(run.train.epoch((recipe.seed, 0, epoch), recipe.batch_size), count)

    held = run.held_inputs[slice(0, EVALUATION_BATCH)]
    count = min(STEPS, steps)
    with one_thread():
        compiled = _timed(run.trainer.epoch, items(1, 0), phase, 0, steps) + _timed(run.trainer.logits, held)
        step = _timed(run.trainer.epoch, ahead(items(count, 1)), phase, 0, steps) / count
        score = _timed(run.trainer.logits, held) / len(held)
    return Speed(compiled, step, score)


def _timed(work: Any, *arguments: Any) -> float:
    begun = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begun
