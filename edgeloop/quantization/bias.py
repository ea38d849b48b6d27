"""Bias correction: rounding shifts the mean of a layer's outputs; the bias takes the shift back.

M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction",
ICCV 2019 (arXiv 1906.04721), section 4.2 and appendix D: the empirical form, layer by layer, on calibration images.
The int32 biases of the file are corrected in place; everything else stays.
"""

import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.quantization.compare import Floats, matched
from edgeloop.tflite.graph import Graph, Operator, graph_of
from edgeloop.tflite.interpreter import ObservedModel

CORRECTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
CUT = {1: (0.0, np.inf), 3: (0.0, 6.0)}
"""Where fused activations cut (schema.fbs: ActivationFunctionType): a bias moves only what lies between."""
LEAST_ACTIVE = 0.05
"""A channel with a smaller share of values between the ends tells too little of its bias."""
Means = tuple[NDArray[np.float64], NDArray[np.float64]]
"""For each channel, the mean, and the share of values that a bias moves."""


def corrected(quantized: bytes, floating: bytes, pixels: Pixels, preprocessing: Preprocessing) -> bytes:
    """An int8 model with the mean of every layer's outputs as in its float model, over (n, height, width, channels) uint8 pixels.

    One layer after the other, in the order they run: each is measured with those before it corrected.
    """
    written = bytearray(quantized)
    exact, rounded = graph_of(floating), graph_of(written)
    pairs = [pair for pair in matched(exact, rounded) if pair[0].name in CORRECTED and _is_own(rounded, pair[1])]
    expected = _float_means(floating, exact, [one for one, _ in pairs], pixels, preprocessing)
    for (_, operator), (mean, active) in zip(pairs, expected, strict=True):
        shift = mean - _mean(written, operator.outputs[0], pixels)
        _add(rounded, operator, np.where(active >= LEAST_ACTIVE, shift / np.maximum(active, LEAST_ACTIVE), 0))
    return bytes(written)


def _is_own(graph: Graph, operator: Operator) -> bool:
    """Whether an operator has an int32 bias that no other one uses."""
    bias = graph.operand(operator, 2)
    if bias is None or bias.dtype != "INT32" or not bias.constant_bytes or not bias.scales.size:
        return False
    return sum(graph.tensors[tensor].buffer == bias.buffer for other in graph.operators for tensor in other.inputs if tensor >= 0) == 1


def _float_means(floating: bytes, graph: Graph, operators: list[Operator], pixels: Pixels, preprocessing: Preprocessing) -> list[Means]:
    observed = ObservedModel(floating)
    sums = [np.zeros((2, graph.tensors[operator.outputs[0]].shape[-1])) for operator in operators]
    for image in pixels:
        observed.run(preprocessing.normalised(image[None]))
        for total, operator in zip(sums, operators, strict=True):
            values = observed.values(operator.outputs[0])
            low, high = CUT.get(int(np.max(operator.options.get("FusedActivationFunction", 0))), (-np.inf, np.inf))
            total += np.stack([_channel_mean(values), _channel_mean((values > low) & (values < high))])
    return [(total[0] / len(pixels), total[1] / len(pixels)) for total in sums]


def _mean(content: bytearray, tensor: int, pixels: Pixels) -> NDArray[np.float64]:
    observed = ObservedModel(content)
    total: NDArray[np.float64] = np.zeros(())
    for image in pixels:
        observed.run(image[None])
        total = total + _channel_mean(observed.values(tensor))
    return total / len(pixels)


def _channel_mean(values: "Floats | NDArray[np.bool_]") -> NDArray[np.float64]:
    mean: NDArray[np.float64] = values.reshape(-1, values.shape[-1]).mean(axis=0, dtype=np.float64)
    return mean


def _add(graph: Graph, operator: Operator, shift: NDArray[np.float64]) -> None:
    """Add to the bias of each channel, which is stored in steps of the input's scale times the weight's."""
    bias = graph.operand(operator, 2)
    assert bias is not None, "only operators with a bias are corrected"
    stored = bias.stored.view(np.int32)
    limits = np.iinfo(np.int32)
    stored[...] = np.clip(np.round(stored + shift / bias.scales.astype(np.float64)), limits.min, limits.max).astype(np.int32)
