"""The learning rate as a pure function of the step."""

import math

from edgeloop.config import Phase


def learning_rate(phase: Phase, step: int, steps_per_epoch: int) -> float:
    """The rate of `step` (0-based, within the phase): linear warm-up, then a half cosine to zero, or constant."""
    warmup = phase.warmup_epochs * steps_per_epoch
    total = phase.epochs * steps_per_epoch
    if step < warmup:
        return phase.learning_rate * ((step + 1) / warmup)
    if phase.decay == "constant":
        return phase.learning_rate
    return phase.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
