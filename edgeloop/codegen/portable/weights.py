"""Weights and biases of an operator that multiplies and adds, and whether its sums stay within 32 bits."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.network import Scaling
from edgeloop.codegen.portable.step import QUANTIZE_IT, Step

WORST_FACTOR = 512
"""An accumulator is at most this times the sum of its weights' magnitudes, plus its bias, however the sum is ordered:
inputs (also read as uint8) and zero points are at most 255 each."""
MOST_SCALED = fixed_point.LARGEST_INT32 - 256
"""What is left of 32 bits for a value before it is scaled, so that a zero point can still be added."""


class Kernel(NamedTuple):
    """Weights of a layer that multiplies and adds, as they lie in the file."""

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    scales: list[float]
    """One for each output channel."""


def read_kernel(step: Step, *, channel_axis: int, dimensions: int) -> Kernel:
    """Inputs 1 and 2 of the operator, checked; `channel_axis` is the dimension of the output channels."""
    tensor, weights = step.graph.operand(step.operator, 1), step.constant(1, "INT8")
    if tensor is None or weights is None:
        raise step.refuse("has no weights", "Convert the model again.")
    if weights.ndim != dimensions or 0 in weights.shape:
        raise step.refuse(f"has weights of shape {weights.shape}, where {dimensions} dimensions are expected")
    channels = weights.shape[channel_axis]
    if tensor.zero_points.size != tensor.scales.size or np.any(tensor.zero_points):
        raise step.refuse("has weights with a zero point", QUANTIZE_IT)
    if tensor.scales.size not in (1, channels) or (tensor.scales.size > 1 and tensor.channel_axis != channel_axis):
        raise step.refuse(f"has {tensor.scales.size} scales for {channels} output channels", QUANTIZE_IT)
    if not np.all(np.isfinite(tensor.scales)) or not np.all(tensor.scales > 0):
        raise step.refuse("has weights with a scale that is no positive number", QUANTIZE_IT)
    scales = [float(scale) for scale in tensor.scales]
    return Kernel(weights.astype(np.int8, copy=False), bias(step, channels), scales if len(scales) == channels else scales * channels)


def bias(step: Step, channels: int) -> NDArray[np.int32]:
    bias = step.constant(2, "INT32")
    if bias is None:
        return np.zeros(channels, np.int32)
    tensor = step.graph.operand(step.operator, 2)
    if tensor is not None and np.any(tensor.zero_points):
        raise step.refuse("has a bias with a zero point", QUANTIZE_IT)
    if bias.shape != (channels,):
        raise step.refuse(f"has a bias of shape {bias.shape} for {channels} output channels", "Convert the model again.")
    return bias.astype(np.int32, copy=False)


def check_sums(step: Step, weights: NDArray[np.int8], bias: NDArray[np.int32], scalings: tuple[Scaling, ...]) -> None:
    """Refuse what can leave 32 bits; `weights` are (output channels, n)."""
    for channel, (reach, scaling) in enumerate(zip(reaches(weights, bias), scalings, strict=True)):
        check_scaled(step, reach, scaling, f"the sums of output channel {channel}")


def reaches(weights: NDArray[np.int8], bias: NDArray[np.int32]) -> list[int]:
    """How large the sums of each output channel can get; `weights` are (output channels, n)."""
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=1, dtype=np.int64)
    return [int(reach) for reach in WORST_FACTOR * (positive - negative) + np.abs(bias.astype(np.int64))]


def check_scaled(step: Step, reach: int, scaling: Scaling, what: str = "its sums") -> None:
    """Refuse what can leave 32 bits on the way; beyond that the reference kernels are not defined either."""
    if reach << max(scaling.shift, 0) > MOST_SCALED:
        raise step.refuse(f"can leave 32 bits: {what} reach {reach}, scaled by 2^{scaling.shift}", QUANTIZE_IT)
