"""DEPTHWISE_CONV_2D with the depth multiplier 1 and without dilation."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.any_convolution import AnyConvolution
from edgeloop.codegen.portable.operators.scaled import Scaled
from edgeloop.codegen.portable.operators.tiles import aligned, cut_columns, halves
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Batch
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.weights import read_kernel
from edgeloop.codegen.portable.windows import dilation

CHANNEL_COST, WORD_COST = 100, 4
"""Instructions that it takes to begin with a channel, and to expand two input values."""
SIZES, STRIDES = (3, 5), (1, 2)
"""Of what the fast kernel computes in tiles: square windows of these sides; any other takes the plain way."""
TILE, LANES = 4, 4
"""Columns of a tile and channels that are expanded together: edgeloop_depthwise.c."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Depthwise(Scaled):
    """Weights are (height, width, channels)."""

    OPERATORS = ("DEPTHWISE_CONV_2D",)
    OPTIONS = "DepthwiseConv2DOptions"
    KERNEL = "edgeloop_depthwise"

    @classmethod
    def kind_of(cls, node: Node) -> type[Layer]:
        return AnyConvolution if node.option("DepthMultiplier") != 1 or dilation(node) != (1, 1) else cls

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 3)
        source = node.int8(0)
        kernel = read_kernel(node, channel_axis=3, dimensions=4)
        batch, height, width, channels = kernel.weights.shape
        if batch != 1 or channels != source.channels or node.option("DepthMultiplier") != 1:
            raise node.refuse(f"makes {channels} channels of {source.channels} by the depth multiplier {node.option('DepthMultiplier')}")
        weights = kernel.weights.reshape(height, width, channels)
        return cls.of_kernel(node, kernel, weights, weights.reshape(-1, channels).T, (height, width))

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[:2])

    def check(self) -> None:
        self.expect_scaled(self.window.height, self.window.width, self.inputs[0].channels)
        self.expect(self.output.channels == self.inputs[0].channels, "changes the number of channels")

    def parameters(self) -> Values:
        channels = self.weights.shape[-1]
        rows = np.ascontiguousarray(self.weights.reshape(-1, channels).T)
        return {**self.common_fields(rows, rows.reshape(-1), self.inputs[0]), "channels": channels}

    @property
    def has_tiles(self) -> bool:
        """Whether the fast kernel takes its window."""
        window = self.window
        return window.height == window.width and window.width in SIZES and window.stride_x in STRIDES

    @property
    def tiles(self) -> int:
        """Tiles of a row."""
        return -(-cut_columns(self.output.width) // TILE)

    def plane_words(self, rows: int, tiles: int) -> int:
        """Pairs of input values of one channel under so many rows and tiles."""
        window = self.window
        columns = (min(tiles * TILE, cut_columns(self.output.width)) - 1) * window.stride_x + window.width
        return ((rows - 1) * window.stride_y + window.height) * -(-columns // 2)

    def plane_bytes(self, rows: int, tiles: int) -> int:
        """Scratch memory of a call that computes `rows` rows, `tiles` tiles of them together."""
        return aligned((LANES if self.output.channels >= LANES else 1) * self.plane_words(rows, tiles) * 4)

    def cost(self, rows: int, tiles: int) -> int:
        """About how many instructions a row takes in calls of `rows` rows and `tiles` tiles, but for those that it always takes."""
        strips = -(-self.tiles // tiles)
        return self.output.channels * strips * (CHANNEL_COST + WORD_COST * self.plane_words(rows, tiles)) // rows

    def batches(self) -> tuple[Batch, ...]:
        if not self.has_tiles:
            return (Batch(1, 0),)
        return tuple(Batch(1, self.plane_bytes(1, tiles)) for tiles in halves(self.tiles))

    def gather(self, site: Site) -> list[str]:
        return site.window("const int8_t")

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_depthwise_rows({site.structure(self)}, 1u, input, 1u, output, {site.scratch_bytes}, {site.scratch});"]
