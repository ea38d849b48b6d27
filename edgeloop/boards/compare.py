"""A board's outputs beside those of one reference, LiteRT's reference kernels on this host, on the same images."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.boards.driver import Loaded
from edgeloop.errors import BoardError, WrongOutputs
from edgeloop.records import ComparedOutputs
from edgeloop.tflite.interpreter import LiteModel, Scores

REFERENCE = "LiteRT's reference kernels"
"""The optimized kernels round differently in places, and from one machine to another."""
LEAST_AGREEMENT = 0.9
"""Conversion to one scale a tensor costs an NPU a few percent of agreement; a wrong kernel costs most of it."""


def reference_scores(model: Path, inputs: NDArray[Any]) -> Scores:
    """What the reference gives: (n, classes) float32.

    Raises:
        InputError: there is no such file.
        ModelError: it does not run.
    """
    loaded = LiteModel(model, reference=True)
    return np.concatenate([loaded.run(image[None]) for image in inputs])


def compare(outputs: Scores, reference: Scores) -> ComparedOutputs:
    """A board's scores (n, classes) beside the reference's, bit by bit and class by class.

    Raises:
        BoardError: the board gives another number of scores.
    """
    if outputs.shape != reference.shape:
        raise BoardError(f"The board gives scores {outputs.shape}, {REFERENCE} give {reference.shape}.", "It runs another model.")
    bits = [np.ascontiguousarray(scores, np.float32).view(np.uint32) for scores in (outputs, reference)]
    same_class = int((outputs.argmax(axis=1) == reference.argmax(axis=1)).sum())
    return ComparedOutputs(
        reference=REFERENCE,
        images=len(outputs),
        equal_outputs=int((bits[0] == bits[1]).all(axis=1).sum()),
        same_class=same_class,
        max_difference=float(np.abs(outputs - reference).max()),
        agrees=same_class >= LEAST_AGREEMENT * len(outputs),
    )


def check(board: str, loaded: Loaded, compared: ComparedOutputs) -> None:
    """A board that computes something else gives no figure of the model.

    Raises:
        WrongOutputs: the outputs are not as this model's on this board must be.
    """
    others = compared.images - compared.equal_outputs
    if loaded.tolerance == "exact" and others:
        raise WrongOutputs(
            f"{board} gives other outputs than {REFERENCE} on {others} of {compared.images} images, "
            f"by {compared.max_difference:g} at most; this code gives the same bits everywhere.",
            "Its code was changed by hand, a kernel or the compiler is wrong, its memory is too slow or overclocked, or a byte was lost "
            "on the line: generate it anew and run it again; if it stays, report it.",
        )
    if loaded.tolerance == "agreement" and not compared.agrees:
        raise WrongOutputs(
            f"{board} predicts the class of {REFERENCE} on only {compared.same_class} of {compared.images} images.",
            "It computes something else, so its time is not one of this model: check input formats, profile and memory pools.",
        )
