"""Integer multipliers in place of scales, rounded as TensorFlow Lite's reference kernels round them.

Every function names the code that it repeats. Scales are float32 numbers of the file; whether a step is computed in
float32 or in double is part of the result. A ValueError says why a scale has no multiplier.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.values import Limits, Scaling

LARGEST_INT32 = (1 << 31) - 1
MOST_SHIFT = 30
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
    multiplier, shift = normalised(real)
    if shift < _SMALLEST_SHIFT:
        return Scaling(0, 0)
    if shift > MOST_SHIFT:
        raise ValueError(f"its scales give the multiplier {real:g}, too large for 32-bit arithmetic")
    return Scaling(multiplier, shift)


def normalised(real: float) -> tuple[int, int]:
    """The multiplier m, 2^30 .. 2^31 - 1, and the shift s for which m * 2^(s - 31) is nearest to a positive number."""
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    # A fraction just below 1 is rounded up to 2^31, which 32 bits do not hold: half of it, shifted by one more, is the same.
    return (1 << 30, shift + 1) if multiplier == 1 << 31 else (multiplier, shift)


def multiplied(values: NDArray[np.int64], by: Scaling) -> NDArray[np.int64]:
    """Each value, within 32 bits even after a shift to the left, scaled as edgeloop_scaled of edgeloop_fixed_point.h does."""
    product = (values << max(by.shift, 0)) * by.multiplier
    return rounded_shift((product + (1 << 30)) >> 31, max(-by.shift, 0))


def rounded_shift(values: NDArray[np.int64], exponent: int) -> NDArray[np.int64]:
    """Each value divided by 2^exponent, halves away from zero (RoundingDivideByPOT, gemmlowp/fixedpoint.h)."""
    half = (1 << exponent) >> 1
    rounded: NDArray[np.int64] = np.sign(values) * ((np.abs(values) + half) >> exponent)
    return rounded


def activation_limits(activation: str, output_scale: float, zero_point: int) -> Limits:
    """The int8 range of an activation (CalculateActivationRangeQuantized, kernels/kernel_util.cc)."""
    low, high = ACTIVATIONS[activation]
    return Limits(
        low=INT8_RANGE.low if low is None else max(INT8_RANGE.low, _quantized(low, output_scale, zero_point)),
        high=INT8_RANGE.high if high is None else min(INT8_RANGE.high, _quantized(high, output_scale, zero_point)),
    )


def _quantized(real: float, scale: float, zero_point: int) -> int:
    """The quotient is a float32 number, and halves are rounded away from zero (TfLiteRound)."""
    with np.errstate(over="ignore"):
        quotient = float(np.float32(real) / np.float32(scale))
    if abs(quotient) + 256 > LARGEST_INT32:
        raise ValueError(f"its output's scale {scale:g} is too small for its activation")
    return zero_point + int(math.copysign(math.floor(abs(quotient) + 0.5), quotient))
