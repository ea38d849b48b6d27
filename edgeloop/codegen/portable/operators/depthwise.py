"""DEPTHWISE_CONV_2D with the depth multiplier 1."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.scaled import Scaled
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.weights import read_kernel

SIZES = (3, 5)
_ORDER_3X3 = (0, 1, 3, 4, 2, 6, 5, 7, 8)
"""Places in a 3x3 window (row * 3 + column) in the order in which the kernel's weights are stored: edgeloop_depthwise.h says why."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Depthwise(Scaled):
    """Weights are (height, width, channels)."""

    OPERATORS = ("DEPTHWISE_CONV_2D",)
    OPTIONS = "DepthwiseConv2DOptions"
    KERNEL = "edgeloop_depthwise"

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 3)
        source = node.int8(0)
        kernel = read_kernel(node, channel_axis=3, dimensions=4)
        batch, height, width, channels = kernel.weights.shape
        if batch != 1 or channels != source.channels or node.option("DepthMultiplier") != 1:
            raise node.refuse(f"makes {channels} channels of {source.channels}, and the kernels take the depth multiplier 1")
        if height != width or height not in SIZES:
            raise node.refuse(f"has a window of {height}x{width}, and the kernels take 3x3 and 5x5")
        weights = kernel.weights.reshape(height, width, channels)
        return cls.of_kernel(node, kernel, weights, weights.reshape(-1, channels).T, (height, width))

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[:2])

    def check(self) -> None:
        self.expect_scaled(self.window.height, self.window.width, self.inputs[0].channels)
        self.expect(self.output.channels == self.inputs[0].channels, "changes the number of channels")

    def parameters(self) -> Values:
        height, width, channels = self.weights.shape
        rows = np.ascontiguousarray(self.weights.reshape(-1, channels).T)
        stored = rows[:, _ORDER_3X3] if (height, width) == (3, 3) else rows
        return {**self.common_fields(rows, stored, self.inputs[0]), "channels": channels}

    def gather(self, site: Site) -> list[str]:
        return site.window("const int8_t")

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_depthwise_row({site.structure(self)}, input, output);"]
