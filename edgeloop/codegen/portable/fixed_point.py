"""Integer multipliers in place of scales, rounded as TensorFlow Lite's reference kernels round them.

Every function names the code that it repeats. Scales are float32 numbers of the file; whether a step is computed in
float32 or in double is part of the result. A ValueError says why a scale has no multiplier.
"""

import math
from collections.abc import Iterable

import numpy as np

from edgeloop.codegen.portable.network import Limits, Scaling

LARGEST_INT32 = (1 << 31) - 1
MOST_SHIFT = 30
ADD_LEFT_SHIFT = 20
"""ADD shifts both inputs left by this before it scales them (kernels/add.cc)."""
SOFTMAX_INTEGER_BITS = 5
"""Bits before the point of a scaled difference (kScaledDiffIntegerBits, kernels/activations.cc)."""
INT8_RANGE = Limits(-128, 127)
_SMALLEST_SHIFT = -31
ACTIVATIONS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def scaling(real: float) -> Scaling:
    """`real` as a multiplier and a shift (QuantizeMultiplier, kernels/internal/quantization_util.cc)."""
    if not math.isfinite(real) or real < 0:
        raise ValueError(f"its scales give the multiplier {real}")
    if real == 0:
        return Scaling(0, 0)
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    if shift < _SMALLEST_SHIFT:
        return Scaling(0, 0)
    if shift > MOST_SHIFT:
        raise ValueError(f"its scales give the multiplier {real:g}, too large for 32-bit arithmetic")
    return Scaling(multiplier, shift)


def convolution_scalings(input_scale: float, weight_scales: Iterable[float], output_scale: float) -> tuple[Scaling, ...]:
    """One scaling for each weight scale (PopulateConvolutionQuantizationParams, kernels/kernel_util.cc): all in double."""
    return tuple(scaling(input_scale * weight_scale / output_scale) for weight_scale in weight_scales)


def dense_factors(input_scale: float, weight_scales: Iterable[float], output_scale: float) -> tuple[float, ...]:
    """One double for each weight scale (reference/integer_ops/fully_connected.h), which is not made an integer."""
    return tuple(input_scale * weight_scale / output_scale for weight_scale in weight_scales)


def mean_scaling(input_scale: float, output_scale: float, count: int) -> Scaling:
    """Of a sum of `count` values, the division included (QuantizedMeanOrSum, reference/reduce.h).

    The multiplier is divided after it was normalised, and rounded down: it may be any number below 2^31.
    """
    whole = scaling(input_scale / output_scale)
    shift = min(count.bit_length() - 1, 32, 31 + whole.shift)
    return Scaling((whole.multiplier << shift) // count, whole.shift - shift)


def add_scalings(first_scale: float, second_scale: float, output_scale: float) -> tuple[Scaling, Scaling, Scaling]:
    """Of both inputs, and of their sum (kernels/add.cc: Prepare)."""
    twice_largest = 2 * max(first_scale, second_scale)
    last = scaling(twice_largest / ((1 << ADD_LEFT_SHIFT) * output_scale))
    if last.shift > 0:
        raise ValueError(f"its output's scale {output_scale:g} is too small for those of its inputs")
    return scaling(first_scale / twice_largest), scaling(second_scale / twice_largest), last


def rectifier_scaling(input_scale: float, output_scale: float) -> Scaling:
    """Of RELU and RELU6 as operators (ReluPrepare, kernels/activations.cc): the quotient is a float32 number."""
    with np.errstate(over="ignore", under="ignore"):
        quotient = np.float32(input_scale) / np.float32(output_scale)
    return scaling(float(quotient))


def requantize_scaling(input_scale: float, output_scale: float) -> Scaling:
    """Of QUANTIZE from one integer type to another (kernels/quantize.cc: Prepare), in double."""
    return scaling(input_scale / output_scale)


def activation_limits(activation: str, output_scale: float, zero_point: int) -> Limits:
    """The int8 range of an activation (CalculateActivationRangeQuantized, kernels/kernel_util.cc)."""
    low, high = ACTIVATIONS[activation]
    return Limits(
        low=INT8_RANGE.low if low is None else max(INT8_RANGE.low, _quantized(low, output_scale, zero_point)),
        high=INT8_RANGE.high if high is None else min(INT8_RANGE.high, _quantized(high, output_scale, zero_point)),
    )


def softmax_scaling(beta: float, input_scale: float) -> tuple[int, int, int]:
    """Multiplier, left shift and the lowest difference that counts (PreprocessSoftmaxScaling, CalculateInputRadius)."""
    fraction_bits = 31 - SOFTMAX_INTEGER_BITS
    real = min(beta * input_scale * (1 << fraction_bits), float(LARGEST_INT32))
    if not real > 1:
        raise ValueError(f"its input's scale {input_scale:g} times its beta {beta:g} is too small")
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    radius = (((1 << SOFTMAX_INTEGER_BITS) - 1) << fraction_bits) >> shift
    return multiplier, shift, -radius


def _quantized(real: float, scale: float, zero_point: int) -> int:
    """The quotient is a float32 number, and halves are rounded away from zero (TfLiteRound)."""
    with np.errstate(over="ignore"):
        quotient = float(np.float32(real) / np.float32(scale))
    if abs(quotient) + 256 > LARGEST_INT32:
        raise ValueError(f"its output's scale {scale:g} is too small for its activation")
    return zero_point + int(math.copysign(math.floor(abs(quotient) + 0.5), quotient))
