"""PRELU: negative values are multiplied by an alpha, mostly one for each channel."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.multiply import LARGEST_PRODUCT
from edgeloop.codegen.portable.operators.pairwise import Pairwise, operands
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Scaling
from edgeloop.codegen.portable.weights import WORST_FACTOR, check_scaled


@dataclass(frozen=True, eq=False, kw_only=True)
class Prelu(Pairwise):
    """The first operand; where it is negative, its product with the second one."""

    OPERATORS = ("PRELU",)
    KERNEL = "edgeloop_prelu"

    positive: Scaling
    negative: Scaling

    @classmethod
    def read(cls, node: Node) -> Self:
        source, alpha, shape = operands(node)
        if shape != node.shape_at(0):
            raise node.refuse(f"takes the shapes {node.shape_at(0)} and {node.shape_at(1)} together")
        output = node.int8_output(*shape)
        # kernels/activations.cc: PreluPrepare, in float32.
        with np.errstate(over="ignore", under="ignore"):
            taken, given = np.float32(source.scale), np.float32(output.scale)
            positive, negative = (fixed_point.scaling(float(real)) for real in (taken / given, taken * np.float32(alpha.scale) / given))
        check_scaled(node, WORST_FACTOR, positive)
        check_scaled(node, LARGEST_PRODUCT, negative, "its products")
        return cls.of_operands(node, output, source, alpha, positive=positive, negative=negative)

    def check(self) -> None:
        self.check_operands()
        self.expect(self.operands[0].shape == self.output.shape, "changes the shape")
        for scaling in (self.positive, self.negative):
            self.expect_scaling(scaling)

    def parameters(self) -> Values:
        return {
            **self.steps(),
            "input_zero_point": tuple(operand.zero_point for operand in self.operands),
            "output_zero_point": self.output.zero_point,
            "multiplier": (self.positive.multiplier, self.negative.multiplier),
            "shift": (self.positive.shift, self.negative.shift),
        }

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_prelu_row({site.structure(self)}, {self.rows(site)}, output);"]
