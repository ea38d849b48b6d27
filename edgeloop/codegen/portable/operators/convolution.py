"""CONV_2D without groups and dilation; a 1x1 window with stride 1 is the pointwise case."""

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.any_convolution import AnyConvolution
from edgeloop.codegen.portable.operators.scaled import Scaled
from edgeloop.codegen.portable.operators.tiles import aligned, filled, pair_bytes, row_bytes
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Batch
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value, Window
from edgeloop.codegen.portable.weights import read_kernel
from edgeloop.codegen.portable.windows import dilation
from edgeloop.errors import ModelError

RESIDENT_WEIGHT_BYTES = 2048
"""Up to this size, the weights of all output channels are expanded once for a row; as in edgeloop_convolution.c."""
RESIDENT_COLUMNS = 16
"""Then, at least so many columns are expanded before they are multiplied, for that is little beside the weights."""
WIDTHS, GROUP = (32, 16, 8, 4), 4
"""Columns that may be expanded at once, and those of a group."""
_ORDER_3X9 = [*(row * 9 + place for row in range(3) for place in range(8)), 8, 17, 26]
"""Inputs of a 3x3 window with three channels in the order in which the kernel takes them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(Scaled):
    """Weights are (output channels, height, width, input channels)."""

    OPERATORS: ClassVar[tuple[str, ...]] = ("CONV_2D",)
    OPTIONS = "Conv2DOptions"
    KERNEL = "edgeloop_convolution"

    @classmethod
    def kind_of(cls, node: Node) -> type[Layer]:
        from edgeloop.codegen.portable.operators.rgb_convolution import RgbConvolution

        weights, source = node.graph.operand(node.operator, 1), node.graph.operand(node.operator, 0)
        grouped = weights is not None and source is not None and weights.shape[3:] != source.shape[3:]
        if grouped or dilation(node) != (1, 1):
            return AnyConvolution
        return RgbConvolution if weights is not None and RgbConvolution.takes(weights.shape, node.option("StrideW")) else cls

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 3)
        source = node.int8(0)
        kernel = read_kernel(node, channel_axis=0, dimensions=4)
        outputs, height, width, channels = kernel.weights.shape
        if channels != source.channels:
            raise node.refuse(f"has weights for {channels} of {source.channels} input channels", "Convert the model again.")
        return cls.of_kernel(node, kernel, kernel.weights, kernel.weights.reshape(outputs, -1), (height, width))

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[1:])

    @property
    def is_pointwise(self) -> bool:
        """Whether each output position depends on the same position of the input alone."""
        return self.window == Window(1, 1, 1, 1, 0, 0)

    def check(self) -> None:
        self.expect_scaled(self.output.channels, self.window.height, self.window.width, self.inputs[0].channels)

    def parameters(self) -> Values:
        return self.parameters_of(self.inputs[0])

    def parameters_of_pixels(self, pixels: Value) -> Values:
        """Those of a convolution that reads the uint8 value which a QUANTIZE before it turns into its int8 input.

        Raises:
            ModelError: that QUANTIZE does more than to subtract 128.
        """
        quantized = self.inputs[0]
        if pixels.dtype != "uint8" or quantized.scale != pixels.scale or quantized.zero_point != pixels.zero_point - 128:
            raise ModelError(f"{pixels.name} and {quantized.name} differ by more than 128.", "Their QUANTIZE needs a kernel of its own.")
        return self.parameters_of(pixels)

    def parameters_of(self, source: Value) -> Values:
        """The fields of the structure where this is read as the input."""
        rows = self.weights.reshape(self.output.channels, -1)
        return {
            **self.common_fields(rows, self._stored(rows), source),
            "input_channels": source.channels,
            "output_channels": self.output.channels,
            "input_is_unsigned": int(source.dtype == "uint8"),
        }

    def _stored(self, rows: NDArray[np.int8]) -> NDArray[np.int32]:
        """Weights in the order and with the zeros that edgeloop_convolution.h states."""
        outputs, inputs = rows.shape
        if (self.window.height, inputs) == (3, 27) and self.window.width * self.inputs[0].channels == 9:
            rows = rows[:, _ORDER_3X9]
        whole = np.zeros((aligned(outputs, 2), filled(inputs)), np.int8)
        whole[:outputs, :inputs] = rows
        fours = whole.reshape(-1, 2, filled(inputs) // 4, 4).transpose(0, 2, 1, 3)
        return np.frombuffer(fours.tobytes(), "<i4").astype(np.int32)

    def batches(self) -> tuple[Batch, ...]:
        """Expanded input values of groups of columns (of all, if 1x1) and weights."""
        channels, *window = self.weights.shape
        inputs = filled(math.prod(window))
        # As the C code decides; it does not see the vertical stride.
        if (self.window.height, self.window.width, self.window.stride_x) == (1, 1, 1):
            return (Batch(1, row_bytes(self.output.width, inputs) + pair_bytes(inputs)),)
        pairs = -(-channels // 2)
        resident = pairs * pair_bytes(inputs) <= RESIDENT_WEIGHT_BYTES
        # Stored input values under a group of columns, where some of them are padding.
        columns = (GROUP - 1) * self.window.stride_x + self.window.width
        gathered = self.window.height * columns * self.inputs[0].channels
        weights = (pairs if resident else 1) * pair_bytes(inputs) + aligned(gathered)
        least = RESIDENT_COLUMNS if resident else GROUP
        widths = (width for width in WIDTHS if width == least or least < width < self.output.width + GROUP)
        # Unless they stay, weights are expanded for every group of columns.
        expanded = 0 if resident else self.output.height * aligned(channels, 2) * inputs
        return tuple(Batch(1, width * inputs * 2 + weights, width, -(-self.output.width // width) * expanded) for width in widths)

    def gather(self, site: Site) -> list[str]:
        return site.window("const void")

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_convolution_row({site.structure(self)}, input, {site.width}, output, {site.scratch});"]
