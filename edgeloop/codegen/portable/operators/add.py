"""ADD and SUB of two operands."""

from dataclasses import dataclass, replace
from typing import Self

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.pairwise import Pairwise, operands
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Limits, Scaling
from edgeloop.codegen.portable.weights import fused_limits

LEFT_SHIFT = 20
"""Both inputs are shifted left by this before they are scaled (kernels/add.cc), so that scaling loses none of their 8 bits."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Pairwise):
    """Both inputs are shifted left and scaled, added, and scaled again."""

    OPERATORS = ("ADD",)
    OPTIONS = "AddOptions"
    KERNEL = "edgeloop_add"
    NODE_TYPE = 0x113
    SIGN = 1
    """Of the second operand."""

    input_scalings: tuple[Scaling, Scaling]
    """The multiplier of the second one is negative where it is subtracted (kernels/sub.cc)."""
    output_scaling: Scaling
    limits: Limits

    @classmethod
    def read(cls, node: Node) -> Self:
        first, second, shape = operands(node)
        output = node.int8_output(*shape)
        one, other, both = _scalings(first.scale, second.scale, output.scale)
        scalings = (one, replace(other, multiplier=cls.SIGN * other.multiplier))
        limits = fused_limits(node, output)
        return cls.of_operands(node, output, first, second, input_scalings=scalings, output_scaling=both, limits=limits)

    def check(self) -> None:
        self.check_operands()
        for scaling in (*self.input_scalings, self.output_scaling):
            self.expect_scaling(replace(scaling, multiplier=abs(scaling.multiplier)))
            # A shift to the left would leave 32 bits: the inputs were shifted as far as they go.
            self.expect(scaling.shift <= 0, "scales up")
        self.expect_limits(self.limits)

    def parameters(self) -> Values:
        return {
            **self.steps(),
            "input_zero_point": tuple(operand.zero_point for operand in self.operands),
            "input_multiplier": tuple(scaling.multiplier for scaling in self.input_scalings),
            "input_shift": tuple(scaling.shift for scaling in self.input_scalings),
            "output_zero_point": self.output.zero_point,
            "output_multiplier": self.output_scaling.multiplier,
            "output_shift": self.output_scaling.shift,
            "low": self.limits.low,
            "high": self.limits.high,
        }

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_add_row({site.structure(self)}, {self.rows(site)}, output);"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Subtract(Add):
    """The second operand is scaled by a negative multiplier and added."""

    OPERATORS = ("SUB",)
    OPTIONS = "SubOptions"
    SIGN = -1


def _scalings(first_scale: float, second_scale: float, output_scale: float) -> tuple[Scaling, Scaling, Scaling]:
    """The scalings of both inputs, and of their sum (kernels/add.cc: Prepare).

    Inputs are scaled by half of their ratio to the larger scale, so that neither multiplier is above 1/2 and the sum cannot
    overflow; what is too small by that, and by the left shift, is made up for in the scaling of the sum.
    """
    twice_largest = 2 * max(first_scale, second_scale)
    last = fixed_point.scaling(twice_largest / ((1 << LEFT_SHIFT) * output_scale))
    if last.shift > 0:
        raise ValueError(f"its output's scale {output_scale:g} is too small for those of its inputs")
    return fixed_point.scaling(first_scale / twice_largest), fixed_point.scaling(second_scale / twice_largest), last
