"""What the kernels of CONV_2D and DEPTHWISE_CONV_2D do not take: dilation, groups of channels, a depth multiplier above 1."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.scaled import Scaled
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.weights import read_kernel


@dataclass(frozen=True, eq=False, kw_only=True)
class AnyConvolution(Scaled):
    """Weights are (output channels, height, width, input channels of a group); each group makes as many outputs.

    A depthwise convolution has a group for each input channel.
    """

    OPERATORS = ()
    """Convolution and Depthwise hand over what they do not take."""
    KERNEL = "edgeloop_any_convolution"

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 3)
        return cls._depthwise(node) if node.operator.name == "DEPTHWISE_CONV_2D" else cls._grouped(node)

    @classmethod
    def _depthwise(cls, node: Node) -> Self:
        kernel, channels = read_kernel(node, channel_axis=3, dimensions=4), node.int8(0).channels
        batch, height, width, outputs = kernel.weights.shape
        multiplier = node.option("DepthMultiplier")
        if batch != 1 or outputs != channels * multiplier:
            raise node.refuse(f"makes {outputs} channels of {channels} by the depth multiplier {multiplier}", "Convert the model again.")
        rows = kernel.weights.reshape(-1, outputs).T
        return cls.of_kernel(node, kernel, rows.reshape(outputs, height, width, 1), rows, (height, width))

    @classmethod
    def _grouped(cls, node: Node) -> Self:
        kernel, channels = read_kernel(node, channel_axis=0, dimensions=4), node.int8(0).channels
        outputs, height, width, inputs = kernel.weights.shape
        if channels % inputs or outputs % (channels // inputs):
            raise node.refuse(f"has weights for {inputs} of {channels} input channels, which are no groups", "Convert the model again.")
        return cls.of_kernel(node, kernel, kernel.weights, kernel.weights.reshape(outputs, -1), (height, width))

    @property
    def groups(self) -> int:
        return self.inputs[0].channels // int(self.weights.shape[3])

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[1:])

    def check(self) -> None:
        inputs = self.weights.shape[-1]
        self.expect_scaled(self.output.channels, self.window.height, self.window.width, inputs)
        self.expect(self.inputs[0].channels % inputs == 0 and self.output.channels % self.groups == 0, "has channels beside its groups")

    def parameters(self) -> Values:
        rows = self.weights.reshape(self.output.channels, -1)
        return {
            **self.window_fields(rows, np.ascontiguousarray(rows).reshape(-1), self.inputs[0]),
            "input_channels": self.inputs[0].channels,
            "group_inputs": self.weights.shape[3],
            "group_outputs": self.output.channels // self.groups,
            "output_channels": self.output.channels,
            "dilation_y": self.window.dilation_y,
            "dilation_x": self.window.dilation_x,
        }

    def gather(self, site: Site) -> list[str]:
        return site.window("const int8_t")

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_any_convolution_row({site.structure(self)}, input, output);"]
