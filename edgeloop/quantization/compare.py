"""How far an int8 model is from its float model: the classes that both predict, and the noise of every layer's output."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.records import LayerError
from edgeloop.tflite.graph import Graph, Operator, graph_of
from edgeloop.tflite.interpreter import ObservedModel, Scores

Floats = NDArray[np.float32]
BETWEEN_TYPES = ("QUANTIZE", "DEQUANTIZE")
"""Operators that an int8 model has and a float model has not."""


def agreement(scores: Scores, reference: Scores) -> NDArray[np.bool_]:
    """Whether both predict the same class, for each image: (n,) of scores (n, classes)."""
    same: NDArray[np.bool_] = scores.argmax(axis=1) == reference.argmax(axis=1)
    return same


def sqnr_db(signal: float, noise: float) -> float | None:
    """Signal to quantization noise of two sums of squares, in dB; None where there is no noise or no signal."""
    return round(10 * math.log10(signal / noise), 2) if signal > 0 and noise > 0 else None


def scores_sqnr_db(scores: Scores, reference: Scores) -> float | None:
    """Signal to quantization noise of scores (n, classes), in dB."""
    return sqnr_db(float(np.square(reference, dtype=np.float64).sum()), float(np.square(reference - scores, dtype=np.float64).sum()))


def computing(graph: Graph) -> list[Operator]:
    """The operators that both forms of a model have, in order."""
    return [operator for operator in graph.operators if operator.name not in BETWEEN_TYPES]


def matched(floating: Graph, quantized: Graph) -> list[tuple[Operator, Operator]]:
    """Each operator of a float model with that of its int8 model; empty where the converter made other operators."""
    pairs = list(zip(computing(floating), computing(quantized), strict=False))
    same = len(computing(floating)) == len(computing(quantized)) and all(one.name == other.name for one, other in pairs)
    return pairs if same else []


def layer_errors(floating: bytes, quantized: bytes, pixels: Pixels, preprocessing: Preprocessing) -> list[LayerError]:
    """The signal to noise of every operator's first output over (n, height, width, channels) uint8 pixels, in the order they run."""
    graph = graph_of(floating)
    pairs = matched(graph, graph_of(quantized))
    signal, noise = np.zeros(len(pairs)), np.zeros(len(pairs))
    for exact, rounded in both_run(floating, quantized, pixels, preprocessing):
        for place, (one, other) in enumerate(pairs):
            expected = exact.values(one.outputs[0]).astype(np.float64)
            signal[place] += np.square(expected).sum()
            noise[place] += np.square(expected - rounded.values(other.outputs[0])).sum()
    return [
        LayerError(layer=layer_name(graph.tensors[one.outputs[0]].name), operator=one.name, sqnr_db=sqnr_db(signal[place], noise[place]))
        for place, (one, _) in enumerate(pairs)
    ]


def both_run(
    floating: bytes, quantized: bytes, pixels: Pixels, preprocessing: Preprocessing
) -> Iterator[tuple[ObservedModel, ObservedModel]]:
    """The float and the int8 model, after they computed each image: float32 in the stated range, and the raw pixel."""
    exact, rounded = ObservedModel(floating), ObservedModel(quantized)
    for image in pixels:
        exact.run(preprocessing.normalised(image[None]))
        rounded.run(image[None])
        yield exact, rounded


def same_function(one: bytes, other: bytes, pixels: Pixels, preprocessing: Preprocessing) -> bool:
    """Whether two float models with the same tensors give the same outputs, to float32's rounding, for (n, height, width, channels)."""
    first, second, outputs = ObservedModel(one), ObservedModel(other), graph_of(one).outputs
    for image in pixels:
        for model in (first, second):
            model.run(preprocessing.normalised(image[None]))
        if not all(np.allclose(first.values(place), second.values(place), rtol=1e-4, atol=1e-5) for place in outputs):
            return False
    return True


def layer_name(tensor: str) -> str:
    """What a converted tensor's layer was called: of `network_1/conv1_relu_1/Relu;network_1/conv1_1/convolution`, `conv1`.

    Of fused layers the one with the weights, which the converter puts last. Keras numbers the call of the model and of its
    layers alike.
    """
    scopes = [[name for name in part.split("/") if name != "batchnorm"] for part in tensor.split(";")]
    scope = next((names for names in reversed(scopes) if len(names) > 1), scopes[0])
    name = scope[-2] if len(scope) > 1 else scope[0]
    return name.removesuffix("_1") if scope[0].endswith("_1") else name
