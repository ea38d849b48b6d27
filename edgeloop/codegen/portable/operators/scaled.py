"""What CONV_2D and DEPTHWISE_CONV_2D have in common: a window, a scaling for each output channel, and how it rounds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.fixed_point import scaling
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Array, Number
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.values import Limits, Scaling, Value, Window
from edgeloop.codegen.portable.weights import Kernel, Weighted, check_sums, fused_limits
from edgeloop.codegen.portable.windows import expect_window, sliding, window_tap

ROUND_EXACT, ROUND_FAST, ROUND_POSITIVE = range(3)
"""EDGELOOP_ROUND_... of edgeloop_rounding.h."""
_FAST_SHIFTS = range(-22, 0)
_FAST_LIMIT = 1 << 30
_ZERO = Scaling(0, -1)
"""Scales to 0, in any rounding."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scaled(Weighted):
    """A convolution of either sort."""

    NODE_TYPE = 0x103

    scalings: tuple[Scaling, ...]
    """One for each output channel, also where the file has one scale for all."""
    window: Window

    @classmethod
    def of_kernel(cls, node: Node, kernel: Kernel, weights: NDArray[np.int8], rows: NDArray[np.int8], size: tuple[int, int]) -> Self:
        """The layer of an operator whose window has this size; `weights` as it keeps them, `rows` those of each output channel."""
        source = node.int8(0)
        window, height, width = sliding(node, source, *size)
        output = node.int8_output(1, height, width, len(rows))
        scalings = _scalings(source.scale, kernel.scales, output.scale)
        check_sums(node, rows, kernel.bias, scalings)
        limits = fused_limits(node, output)
        return cls(**node.ends(output, source), weights=weights, bias=kernel.bias, scalings=scalings, window=window, limits=limits)

    def expect_scaled(self, *shape: int) -> None:
        self.expect_int8()
        self.expect_arrays(*shape)
        self.expect(len(self.scalings) == self.output.channels, "has too many or too few scalings")
        for each in self.scalings:
            self.expect_scaling(each)
        expect_window(self, self.window)

    def tap(self, buffer: int, value: Value) -> Tap:
        return window_tap(buffer, value, self.window)

    def common_fields(self, rows: NDArray[np.int8], stored: Array, source: Value) -> dict[str, Array | Number]:
        """Those of the kernels that round in the cheapest way that is exact."""
        return {**self.window_fields(rows, stored, source), "rounding": self._rounding(rows, self._kernel_scalings(rows))}

    def window_fields(self, rows: NDArray[np.int8], stored: Array, source: Value) -> dict[str, Array | Number]:
        """Fields of all structures; `rows` are the weights of each output channel, `stored` the same as the kernel wants them."""
        scalings = self._kernel_scalings(rows)
        return {
            "weights": stored,
            "bias": self.folded_bias(rows, source.zero_point),
            "multiplier": np.array([each.multiplier for each in scalings], np.int32),
            "shift": np.array([each.shift for each in scalings], np.int8),
            "input_width": source.width,
            "output_width": self.output.width,
            "kernel_height": self.window.height,
            "kernel_width": self.window.width,
            "stride_x": self.window.stride_x,
            "left": self.window.left,
            "input_zero_point": source.zero_point,
            **self.output_fields(),
        }

    def _kernel_scalings(self, rows: NDArray[np.int8]) -> tuple[Scaling, ...]:
        """Those of the channels whose results are always 0, as pruned ones are, in the form that fast rounding takes."""
        reach = self._largest_accumulators(rows)
        return tuple(_ZERO if _is_zero(each, int(most)) else each for each, most in zip(self.scalings, reach, strict=True))

    def _rounding(self, rows: NDArray[np.int8], scalings: tuple[Scaling, ...]) -> int:
        """The cheapest rounding that gives equal results, as edgeloop_rounding.h states its conditions."""
        if self.limits != Limits() or any(each.shift not in _FAST_SHIFTS for each in scalings):
            return ROUND_EXACT
        # The fast ways double the accumulator, which must leave its sign alone.
        if self._largest_accumulators(rows).max(initial=0) >= _FAST_LIMIT:
            return ROUND_EXACT
        return ROUND_POSITIVE if self.output.zero_point == -128 else ROUND_FAST

    def _largest_accumulators(self, rows: NDArray[np.int8]) -> NDArray[np.int64]:
        """A bound of the absolute value of each channel's accumulators, whatever the input is."""
        zero_point = self.inputs[0].zero_point
        largest_input = max(127 - zero_point, zero_point + 128)
        bound: NDArray[np.int64] = np.abs(rows.astype(np.int64)).sum(axis=1) * largest_input + np.abs(self.bias.astype(np.int64))
        return bound


def _is_zero(scaling: Scaling, largest: int) -> bool:
    """Whether every accumulator is scaled to 0: a product with a fraction is no larger than it, and below a half is rounded to 0."""
    return scaling.multiplier == 0 or (scaling.shift < 0 and 2 * largest < 1 << -scaling.shift)


def _scalings(input_scale: float, weight_scales: Iterable[float], output_scale: float) -> tuple[Scaling, ...]:
    """One scaling for each weight scale (PopulateConvolutionQuantizationParams, kernels/kernel_util.cc): all in double."""
    return tuple(scaling(input_scale * weight_scale / output_scale) for weight_scale in weight_scales)
