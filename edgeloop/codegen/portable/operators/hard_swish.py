"""HARD_SWISH of each value: x * min(max(x + 3, 0), 6) / 6 in the 16-bit arithmetic of the reference kernel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.node import QUANTIZE_IT, Node
from edgeloop.codegen.portable.operators.lookup import STORED, Lookup
from edgeloop.codegen.portable.values import Value

LEFT_SHIFT = 7
"""Inputs less their zero point have 9 bits; so far they are shifted into 16 (reference/hard_swish.h)."""
LARGEST_SHIFT = 15
"""To the right, of 16-bit values; what the reference kernel makes of larger ones is said below."""
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class HardSwish(Lookup):
    """The input on the output's scale, times what is (x + 3) / 6 between 0 and 1."""

    OPERATORS = ("HARD_SWISH",)

    @classmethod
    def results(cls, node: Node, source: Value, output: Value) -> NDArray[Any]:
        # HardSwishPrepare (kernels/activations.cc): all of this is float32.
        fine = np.float32(source.scale) / np.float32(1 << LEFT_SHIFT)
        with np.errstate(over="ignore"):
            scaling = fixed_point.scaling(float(fine / np.float32(output.scale)))
            gate = fixed_point.scaling(float(fine / (np.float32(3) / np.float32(1 << 15))))
        if scaling.shift > 0:
            raise node.refuse(f"goes from the scale {source.scale:g} to {output.scale:g}, beyond 16-bit arithmetic", QUANTIZE_IT)
        shifted = (STORED - source.zero_point).astype(np.int64) << LEFT_SHIFT
        scaled = _high_product(shifted, _sixteen_bits(scaling.multiplier))
        # Without rounding, towards zero (SaturatingDoublingHighMul): the gate is not negative.
        product = _gate(shifted, gate.multiplier, gate.shift) * np.abs(scaled) >> 15
        return _divided(np.sign(scaled) * product, -scaling.shift) + output.zero_point


def _gate(shifted: Integers, multiplier: int, shift: int) -> Integers:
    """(x + 3) / 6 from 0 to 32767, x being clamped to -3 .. 3."""
    value = _saturated(shifted << (shift - 1)) if shift > 0 else shifted
    value = _high_product(value, _sixteen_bits(multiplier))
    value = _saturated(value << 1) if shift > 0 else _divided(value, -shift)
    return (value + (1 << 15)) >> 1


def _sixteen_bits(multiplier: int) -> int:
    """The upper half, rounded (DownScaleInt32ToInt16Multiplier, kernels/internal/common.h)."""
    return (1 << 15) - 1 if multiplier >= fixed_point.LARGEST_INT32 - (1 << 15) else (multiplier + (1 << 15)) >> 16


def _high_product(values: Integers, multiplier: int) -> Integers:
    """SaturatingRoundingDoublingHighMul of 16 bits (gemmlowp/fixedpoint.h): halves away from zero upwards, towards it below."""
    product = values * multiplier
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return _saturated(np.sign(nudged) * (np.abs(nudged) >> 15))


def _divided(values: Integers, exponent: int) -> Integers:
    """RoundingDivideByPOT of 16 bits: its mask is -1 for exponents beyond 15, by which every value becomes 1 or -1."""
    return fixed_point.rounded_shift(values, exponent) if exponent <= LARGEST_SHIFT else np.where(values >= 0, 1, -1)


def _saturated(values: Integers) -> Integers:
    clipped: Integers = np.clip(values, -(1 << 15), (1 << 15) - 1)
    return clipped
