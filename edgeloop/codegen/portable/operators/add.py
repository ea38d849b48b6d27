"""ADD of two values of one shape."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Limits, Scaling
from edgeloop.codegen.portable.weights import fused_limits

LEFT_SHIFT = 20
"""Both inputs are shifted left by this before they are scaled (kernels/add.cc), so that scaling loses none of their 8 bits."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Layer):
    """Both inputs are shifted left and scaled, added, and scaled again."""

    OPERATORS = ("ADD",)
    OPTIONS = "AddOptions"
    KERNEL = "edgeloop_add"
    NODE_TYPE = 0x113
    INPUTS = 2

    input_scalings: tuple[Scaling, Scaling]
    output_scaling: Scaling
    limits: Limits

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 2)
        first, second = node.int8(0), node.int8(1)
        if node.shape(first) != node.shape(second):
            raise node.refuse(f"adds the shapes {node.shape(first)} and {node.shape(second)}, and the kernel adds values of one shape")
        output = node.int8_output(*node.shape(first))
        one, other, both = _scalings(first.scale, second.scale, output.scale)
        limits = fused_limits(node, output)
        return cls(**node.ends(output, first, second), input_scalings=(one, other), output_scaling=both, limits=limits)

    def check(self) -> None:
        self.expect_int8()
        self.expect(self.inputs[0].shape == self.inputs[1].shape == self.output.shape, "adds other shapes")
        for scaling in (*self.input_scalings, self.output_scaling):
            self.expect_scaling(scaling)
            # A shift to the left would leave 32 bits: the inputs were shifted as far as they go.
            self.expect(scaling.shift <= 0, "scales up")
        self.expect_limits(self.limits)

    def parameters(self) -> Values:
        first, second = self.inputs
        return {
            "count": self.output.width * self.output.channels,
            "input_zero_point": (first.zero_point, second.zero_point),
            "input_multiplier": tuple(scaling.multiplier for scaling in self.input_scalings),
            "input_shift": tuple(scaling.shift for scaling in self.input_scalings),
            "output_zero_point": self.output.zero_point,
            "output_multiplier": self.output_scaling.multiplier,
            "output_shift": self.output_scaling.shift,
            "low": self.limits.low,
            "high": self.limits.high,
        }

    def call(self, site: Site) -> list[str]:
        # A value that is added to itself is read through one tap.
        first, second = site.row(site.taps[0]), site.row(site.taps[-1])
        return [f"edgeloop_add_row({site.structure(self)}, {first}, {second}, output);"]


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
