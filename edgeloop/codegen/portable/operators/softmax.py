"""SOFTMAX over the channels of each position, int8 to int8 with scale 1/256 and zero point -128."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable.fixed_point import LARGEST_INT32, normalised
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site

SCALE, ZERO_POINT = 1 / 256, -128
INTEGER_BITS = 5
"""Bits before the point of a scaled difference (kScaledDiffIntegerBits, kernels/activations.cc)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Layer):
    """Differences to the largest input are scaled to fixed point, and exponentials of these divided by their sum."""

    OPERATORS = ("SOFTMAX",)
    OPTIONS = "SoftmaxOptions"
    KERNEL = "edgeloop_softmax"
    NODE_TYPE = 0x10C

    multiplier: int
    left_shift: int
    lowest_difference: int
    """Differences to the largest input below this one count as 0 (CalculateInputRadius)."""

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 1)
        source = node.int8(0)
        output = node.int8_output(*node.shape(source))
        if (output.scale, output.zero_point) != (SCALE, ZERO_POINT):
            raise node.refuse(
                f"has an output of scale {output.scale:g} and zero point {output.zero_point}, where 1/256 and -128 are expected"
            )
        beta = node.options.get("Beta")
        if not isinstance(beta, float):
            raise node.refuse("does not say its Beta", "Convert the model again.")
        multiplier, left_shift, lowest = _scaling(beta, source.scale)
        return cls(**node.ends(output, source), multiplier=multiplier, left_shift=left_shift, lowest_difference=lowest)

    def check(self) -> None:
        self.expect_int8()
        self.expect_same_shape()
        self.expect((self.output.scale, self.output.zero_point) == (SCALE, ZERO_POINT), "has another output scale than 1/256")
        self.expect(1 << 30 <= self.multiplier < 1 << 31 and 0 <= self.left_shift <= 31, "has a multiplier beyond 32 bits")
        self.expect(-(self.lowest_difference << self.left_shift) < 1 << 31, "leaves 32 bits")

    def parameters(self) -> Values:
        return {
            "width": self.output.width,
            "channels": self.output.channels,
            "multiplier": self.multiplier,
            "left_shift": self.left_shift,
            "lowest_difference": self.lowest_difference,
        }

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_softmax_row({site.structure(self)}, {site.row(site.taps[0])}, output);"]


def _scaling(beta: float, input_scale: float) -> tuple[int, int, int]:
    """Multiplier, left shift and the lowest difference that counts (PreprocessSoftmaxScaling, CalculateInputRadius).

    A difference d becomes the number beta * scale * d with 26 bits behind the point. Where that would need more than five
    bits before it, exp of it is 0 in the output's 8 bits: the radius is the largest |d| for which d * 2^shift still fits.
    """
    fraction_bits = 31 - INTEGER_BITS
    real = min(beta * input_scale * (1 << fraction_bits), float(LARGEST_INT32))
    if not real > 1:
        raise ValueError(f"its input's scale {input_scale:g} times its beta {beta:g} is too small")
    multiplier, shift = normalised(real)
    radius = (((1 << INTEGER_BITS) - 1) << fraction_bits) >> shift
    return multiplier, shift, -radius
