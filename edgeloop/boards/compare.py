"""How a board's outputs compare with a reference's on the same images."""

import numpy as np

from edgeloop.errors import BoardError
from edgeloop.records import ComparedOutputs
from edgeloop.tflite.interpreter import Scores

LEAST_AGREEMENT = 0.9
"""Conversion to one scale a tensor costs an NPU a few percent of agreement; a wrong kernel costs most of it."""


def compare(outputs: Scores, reference: Scores, name: str) -> ComparedOutputs:
    """A board's scores (n, classes) beside those of the reference called `name`.

    Raises:
        BoardError: the board gives another number of scores.
    """
    if outputs.shape != reference.shape:
        raise BoardError(f"The board gives scores {outputs.shape}, {name} gives {reference.shape}.", "It runs another model.")
    same_class = int((outputs.argmax(axis=1) == reference.argmax(axis=1)).sum())
    return ComparedOutputs(
        reference=name,
        images=len(outputs),
        equal_outputs=int((outputs == reference).all(axis=1).sum()),
        same_class=same_class,
        max_difference=float(np.abs(outputs - reference).max()),
        agrees=same_class >= LEAST_AGREEMENT * len(outputs),
    )
