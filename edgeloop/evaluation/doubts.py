"""Results that are none: what in a variant's records says that its model has learned little, or lost much on its way."""

import math
from collections.abc import Iterator

import pandas as pd

from edgeloop.markup import one_line
from edgeloop.records import EvaluateRecord, FormatResult, TrainRecord

RISE, RISE_OF_GUESS = 1.5, 0.15
"""A training fell apart where its loss ends at so many times its least value, and by this share of a guess's loss above it.

Near zero a loss is restless.
"""
LOSS_OF_INT8 = 0.02
"""More than this is not what rounding costs (docs/results.md); the published int8 models of this family lose up to 0.4 points."""
SEEN = 10
"""Images of a class from which on it is odd that no image at all is said to be of it."""


def in_training(record: TrainRecord, history: pd.DataFrame) -> list[str]:
    """What is odd about a training, in sentences. `history` is `history.csv`."""
    return [*_schedule(record), *_loss(record, history), *_held(record)]


def in_evaluation(record: EvaluateRecord) -> list[str]:
    """What is odd about the answers on test images, in sentences."""
    found: dict[str, list[str]] = {}
    best = record.formats[0].top1
    for result in record.formats:
        for said in (*_answers(result, record.classes), *_conversion(result, best.value)):
            found.setdefault(said, []).append(result.format)
    return [f"{', '.join(formats)}: {said}" for said, formats in found.items()]


def _schedule(record: TrainRecord) -> Iterator[str]:
    """Phases whose learning rate never came up."""
    planned = record.provenance.params.get("phases")
    for number, (phase, ran) in enumerate(zip(planned if isinstance(planned, list) else [], record.estimate.phases, strict=False)):
        warm_up, rate = phase.get("warmup_epochs", 0), phase.get("learning_rate")
        if warm_up and ran.epochs_run <= warm_up:
            yield (
                f"Phase {number + 1} ran for {ran.epochs_run} epochs and warms up for {warm_up}: the learning rate hardly came up "
                f"to {rate}. Give it more epochs, or a shorter warm-up."
            )


def _loss(record: TrainRecord, history: pd.DataFrame) -> Iterator[str]:
    losses = [float(loss) for loss in history.loc[history["fit"] == record.fits[-1].purpose, "train_loss"]]
    guess = math.log(len(record.classes))
    if not losses:
        return
    if losses[-1] >= guess:
        yield (
            f"The loss ended at {losses[-1]:.2f}; a guess has {guess:.2f}. The network has learned nothing: "
            "take a lower learning rate, a longer warm-up, or look at the labels."
        )
    elif losses[-1] > max(RISE * min(losses), min(losses) + RISE_OF_GUESS * guess):
        yield f"The loss rose from {min(losses):.2f} to {losses[-1]:.2f} at its end: the training fell apart; take a lower learning rate."


def _held(record: TrainRecord) -> Iterator[str]:
    held, chance = record.estimate.held_accuracy, 1 / len(record.classes)
    if held is not None and held.ci95[0] <= chance:
        yield f"The accuracy on val ({held.value:.1%} of {held.n}) cannot be told from guessing among {len(record.classes)} classes."


def _answers(result: FormatResult, classes: list[str]) -> Iterator[str]:
    said = [sum(column) for column in zip(*result.confusion, strict=True)]
    ever = [name for name, count in zip(classes, said, strict=True) if count]
    largest = max(one.n for one in result.per_class) / result.top1.n
    if len(ever) == 1 and len(classes) > 1:
        yield f"says '{one_line(ever[0])}' of every image"
    elif result.top1.ci95[0] <= largest:
        yield f"its accuracy cannot be told from naming the largest class every time ({largest:.1%})"
    else:
        never = [f"'{one_line(one.label)}'" for one, count in zip(result.per_class, said, strict=True) if not count and one.n >= SEEN]
        if never:
            yield f"never says {', '.join(never[:SEEN])}" + (f" and {len(never) - SEEN} more" if len(never) > SEEN else "")


def _conversion(result: FormatResult, best: float) -> Iterator[str]:
    lost = best - result.top1.value
    if lost > LOSS_OF_INT8 and best > result.top1.ci95[1]:
        yield f"loses {100 * lost:.1f} points against float: edgeloop quantize VARIANT --explain names the layers"
