"""How a board's outputs compare with a reference's on the same images."""

import numpy as np

from edgeloop.errors import ProtocolError
from edgeloop.records import ComparedOutputs
from edgeloop.tflite.interpreter import Scores


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
