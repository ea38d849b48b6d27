"""How a classifier's output tells the class: softmax, logits, or one sigmoid for two classes."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgeloop.tflite.graph import Graph

Ending = Literal["softmax", "sigmoid", "other"]
"""Other than a sigmoid, the largest output is the class: logits do as well as probabilities."""
PASSED = ("DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE")
"""Operators that change an output's type and shape alone."""
ONE_CLASS = "Give a classifier that chooses one class: softmax, logits, or one sigmoid for two classes."


def ending(graph: Graph) -> Ending:
    """What computes the first output, but for its type and shape."""
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    tensor, name = graph.outputs[0], ""
    for _ in graph.operators:  # A damaged graph may go round in a circle.
        if tensor not in makers:
            break
        name, inputs = makers[tensor].name, makers[tensor].inputs
        if name not in PASSED or not inputs:
            break
        tensor = inputs[0]
    return "sigmoid" if name == "LOGISTIC" else "softmax" if name == "SOFTMAX" else "other"


def unfit_ending(graph: Graph) -> str | None:
    """Why the outputs do not say one class; None where they do."""
    outputs = graph.tensors[graph.outputs[0]].elements
    if ending(graph) == "sigmoid":
        return f"ends in a sigmoid over {outputs} values: several classes can be active at once" if outputs > 1 else None
    return "has one output that is no sigmoid: it tells no classes apart" if outputs == 1 else None


def class_scores(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores (n, classes) of outputs (n, k): one sigmoid is the probability of the second of two classes."""
    return np.concatenate([1 - outputs, outputs], axis=1) if outputs.shape[1] == 1 else outputs
