"""MUL of two operands."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.pairwise import Pairwise, operands
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Limits, Scaling
from edgeloop.codegen.portable.weights import check_scaled, fused_limits

LARGEST_PRODUCT = 255 * 255


@dataclass(frozen=True, eq=False, kw_only=True)
class Multiply(Pairwise):
    """The product of both, less their zero points, scaled once."""

    OPERATORS = ("MUL",)
    OPTIONS = "MulOptions"
    KERNEL = "edgeloop_multiply"

    scaling: Scaling
    limits: Limits

    @classmethod
    def read(cls, node: Node) -> Self:
        first, second, shape = operands(node)
        output = node.int8_output(*shape)
        # kernels/mul.cc: Prepare, in float32.
        with np.errstate(over="ignore", under="ignore"):
            real = np.float32(first.scale) * np.float32(second.scale) / np.float32(output.scale)
        scaling = fixed_point.scaling(float(real))
        check_scaled(node, LARGEST_PRODUCT, scaling, "its products")
        return cls.of_operands(node, output, first, second, scaling=scaling, limits=fused_limits(node, output))

    def check(self) -> None:
        self.check_operands()
        self.expect_scaling(self.scaling)
        self.expect_limits(self.limits)

    def parameters(self) -> Values:
        return {
            **self.steps(),
            "input_zero_point": tuple(operand.zero_point for operand in self.operands),
            "output_zero_point": self.output.zero_point,
            "multiplier": self.scaling.multiplier,
            "shift": self.scaling.shift,
            "low": self.limits.low,
            "high": self.limits.high,
        }

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_multiply_row({site.structure(self)}, {self.rows(site)}, output);"]
