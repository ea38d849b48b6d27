"""What layers with weights have in common: how weights and biases are read, and that sums stay within 32 bits."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import QUANTIZE_IT, Node
from edgeloop.codegen.portable.parameters import Array, Number
from edgeloop.codegen.portable.values import Limits, Scaling, Value

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
"""schema.fbs: ActivationFunctionType."""

WORST_FACTOR = 512
"""An accumulator is at most this times the sum of its weights' magnitudes, plus its bias, however the sum is ordered:
inputs (also read as uint8) and zero points are at most 255 each."""
MOST_SCALED = fixed_point.LARGEST_INT32 - 256
"""What is left of 32 bits for a value before it is scaled, so that a zero point can still be added."""


_WORD = 1 << 32


@dataclass(frozen=True, eq=False, kw_only=True)
class Weighted(Layer):
    """A layer that multiplies its inputs by weights and adds a bias."""

    weights: NDArray[np.int8]
    """Zero point 0."""
    bias: NDArray[np.int32]
    """One for each output channel; zeros where the file has none."""
    limits: Limits

    @property
    def weight_bytes(self) -> int:
        return int(self.weights.size) + 4 * int(self.bias.size)

    @property
    def scaled_channels(self) -> int:
        return self.output.channels

    def expect_arrays(self, *shape: int) -> None:
        self.expect(self.weights.shape == shape, "has weights of another shape")
        self.expect(self.weights.dtype == np.int8 and self.bias.dtype == np.int32, "has weights of another type")
        self.expect(self.bias.shape == (self.output.channels,), "has too many or too few biases")
        self.expect_limits(self.limits)

    def folded_bias(self, rows: NDArray[np.int8], zero_point: int) -> NDArray[np.int32]:
        """Biases from which sums of stored inputs start; `rows` are the weights of each output channel, in any order.

        Σ w (x - z) + b = Σ w x + (b - z Σ w): the zero point z of the inputs is taken off once, here. Modulo 2^32, as the
        kernels' sums wrap: what is too large here comes back into range with the products.
        """
        folded = self.bias.astype(np.int64) - zero_point * rows.sum(axis=1, dtype=np.int64)
        wrapped: NDArray[np.int32] = ((folded + _WORD // 2) % _WORD - _WORD // 2).astype(np.int32)
        return wrapped

    def output_fields(self) -> dict[str, Array | Number]:
        return {"output_zero_point": self.output.zero_point, "low": self.limits.low, "high": self.limits.high}


def fused_limits(node: Node, output: Value) -> Limits:
    """What the activation that is fused with an operator leaves of the range of its output."""
    code = node.option("FusedActivationFunction")
    name = ACTIVATIONS[code] if 0 <= code < len(ACTIVATIONS) else f"activation {code}"
    if name not in fixed_point.ACTIVATIONS:
        raise node.refuse(f"is fused with {name}, and the kernels take NONE, RELU, RELU6 and RELU_N1_TO_1")
    return fixed_point.activation_limits(name, output.scale, output.zero_point)


class Kernel(NamedTuple):
    """Weights of a layer that multiplies and adds, as they lie in the file."""

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    scales: list[float]
    """One for each output channel."""


def read_kernel(node: Node, *, channel_axis: int, dimensions: int) -> Kernel:
    """Inputs 1 and 2 of the operator, checked; `channel_axis` is the dimension of the output channels."""
    tensor, weights = node.graph.operand(node.operator, 1), node.constant(1, "INT8")
    if tensor is None or weights is None:
        raise node.refuse("has no weights", "Convert the model again.")
    if weights.ndim != dimensions or 0 in weights.shape:
        raise node.refuse(f"has weights of shape {weights.shape}, where {dimensions} dimensions are expected")
    channels = weights.shape[channel_axis]
    if tensor.zero_points.size != tensor.scales.size or np.any(tensor.zero_points):
        raise node.refuse("has weights with a zero point", QUANTIZE_IT)
    if tensor.scales.size not in (1, channels) or (tensor.scales.size > 1 and tensor.channel_axis != channel_axis):
        raise node.refuse(f"has {tensor.scales.size} scales for {channels} output channels", QUANTIZE_IT)
    if not np.all(np.isfinite(tensor.scales)) or not np.all(tensor.scales > 0):
        raise node.refuse("has weights with a scale that is no positive number", QUANTIZE_IT)
    scales = [float(scale) for scale in tensor.scales]
    return Kernel(weights.astype(np.int8, copy=False), bias(node, channels), scales if len(scales) == channels else scales * channels)


def bias(node: Node, channels: int) -> NDArray[np.int32]:
    bias = node.constant(2, "INT32")
    if bias is None:
        return np.zeros(channels, np.int32)
    tensor = node.graph.operand(node.operator, 2)
    if tensor is not None and np.any(tensor.zero_points):
        raise node.refuse("has a bias with a zero point", QUANTIZE_IT)
    if bias.shape != (channels,):
        raise node.refuse(f"has a bias of shape {bias.shape} for {channels} output channels", "Convert the model again.")
    return bias.astype(np.int32, copy=False)


def check_sums(node: Node, weights: NDArray[np.int8], bias: NDArray[np.int32], scalings: tuple[Scaling, ...]) -> None:
    """Refuse what can leave 32 bits; `weights` are (output channels, n)."""
    for channel, (reach, scaling) in enumerate(zip(reaches(weights, bias), scalings, strict=True)):
        check_scaled(node, reach, scaling, f"the sums of output channel {channel}")


def reaches(weights: NDArray[np.int8], bias: NDArray[np.int32]) -> list[int]:
    """How large the sums of each output channel can get; `weights` are (output channels, n)."""
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64)
    negative = np.minimum(weights, 0).sum(axis=1, dtype=np.int64)
    return [int(reach) for reach in WORST_FACTOR * (positive - negative) + np.abs(bias.astype(np.int64))]


def check_scaled(node: Node, reach: int, scaling: Scaling, what: str = "its sums") -> None:
    """Refuse what can leave 32 bits on the way; beyond that the reference kernels are not defined either."""
    if reach << max(scaling.shift, 0) > MOST_SCALED:
        raise node.refuse(f"can leave 32 bits: {what} reach {reach}, scaled by 2^{scaling.shift}", QUANTIZE_IT)
