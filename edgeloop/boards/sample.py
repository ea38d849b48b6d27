"""Which test images a board sees, and how its outputs compare with a reference's on the same images."""

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import ProtocolError
from edgeloop.records import ComparedOutputs
from edgeloop.tflite.interpreter import Scores


def stratified(labels: NDArray[np.int32], most: int) -> NDArray[np.intp]:
    """Places of at most `most` images, ascending: the classes take turns, so that each has as many as any other (or all it has)."""
    rank = np.zeros(len(labels), np.intp)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    return np.sort(np.lexsort((labels, rank))[:most])


def compare(outputs: Scores, reference: Scores, name: str) -> ComparedOutputs:
    """A board's scores (n, classes) beside those of the reference called `name`.

    Raises:
        ProtocolError: the board gives another number of scores.
    """
    if outputs.shape != reference.shape:
        raise ProtocolError(f"The board gives scores {outputs.shape}, {name} gives {reference.shape}.", "It runs another model.")
    return ComparedOutputs(
        reference=name,
        images=len(outputs),
        equal_outputs=int((outputs == reference).all(axis=1).sum()),
        same_class=int((outputs.argmax(axis=1) == reference.argmax(axis=1)).sum()),
        max_difference=float(np.abs(outputs - reference).max()),
    )
