"""RESIZE_NEAREST_NEIGHBOR and RESIZE_BILINEAR: where each row and column is taken from is known when code is generated."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value

ONE = 1 << 10
"""Fractions between two rows or columns are counted in 1/1024 (ResizeBilinearInteger, reference/resize_bilinear.h)."""
Places = NDArray[np.int32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Resize(Layer):
    """Input and output are quantized alike."""

    rows: Places
    """For each output row the input row, or the first of the two, that it is computed from; never falling."""
    columns: Places

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 2)
        source, sizes = node.int8(0), node.integers(1, dimensions=1)
        if len(node.shape(source)) != 4 or len(sizes) != 2 or min(sizes) < 1:
            raise node.refuse(f"resizes {node.shape(source)} to {sizes}")
        corners, centers = bool(node.option("AlignCorners")), bool(node.option("HalfPixelCenters"))
        if corners and centers:
            raise node.refuse("aligns both corners and centers", "Convert the model again.")
        output = node.of_shape(node.like(source), 1, *sizes, source.channels)
        return cls.between(node, source, output, corners=corners, centers=centers)

    @classmethod
    @abstractmethod
    def between(cls, node: Node, source: Value, output: Value, *, corners: bool, centers: bool) -> Self:
        """The layer, whichever of the two ways to lay one grid over the other is asked for."""

    def check(self) -> None:
        self.expect_int8()
        self.expect_same_scale()
        self.expect(self.output.channels == self.inputs[0].channels, "changes the number of channels")
        for places, count, size in zip((self.rows, self.columns), self.output.shape, self.inputs[0].shape, strict=False):
            self.expect(places.shape == (count,) and places.dtype == np.int32, "has places for another size")
            self.expect(bool(np.all((places >= 0) & (places < size)) and np.all(np.diff(places) >= 0)), "reads beyond its input")


@dataclass(frozen=True, eq=False, kw_only=True)
class ResizeNearest(Resize):
    """One input value for each output value."""

    OPERATORS = ("RESIZE_NEAREST_NEIGHBOR",)
    OPTIONS = "ResizeNearestNeighborOptions"
    KERNEL = "edgeloop_resize_nearest"

    @classmethod
    def between(cls, node: Node, source: Value, output: Value, *, corners: bool, centers: bool) -> Self:
        rows, columns = (
            _nearest(size, count, corners=corners, centers=centers)
            for size, count in ((source.height, output.height), (source.width, output.width))
        )
        return cls(**node.ends(output, source), rows=rows, columns=columns)

    def parameters(self) -> Values:
        return {"rows": self.rows, "columns": self.columns, "output_width": self.output.width, "channels": self.output.channels}

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, 1, starts=tuple(self.rows.tolist()))

    def call(self, site: Site) -> list[str]:
        row = site.row(site.taps[0], f"(uint32_t){site.field(self, 'rows')}[y]")
        return [f"edgeloop_resize_nearest_row({site.structure(self)}, {row}, output);"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ResizeBilinear(Resize):
    """Four input values for each output value, in integers."""

    OPERATORS = ("RESIZE_BILINEAR",)
    OPTIONS = "ResizeBilinearOptions"
    KERNEL = "edgeloop_resize_bilinear"

    row_fractions: Places
    """How far each output row is on the way to the input row after its first one, in 1/1024; 0 where that does not count."""
    column_fractions: Places

    @classmethod
    def between(cls, node: Node, source: Value, output: Value, *, corners: bool, centers: bool) -> Self:
        rows, row_fractions = _between(source.height, output.height, corners=corners, centers=centers)
        columns, column_fractions = _between(source.width, output.width, corners=corners, centers=centers)
        ends = node.ends(output, source)
        return cls(**ends, rows=rows, columns=columns, row_fractions=row_fractions, column_fractions=column_fractions)

    def check(self) -> None:
        super().check()
        for places, fractions, size in zip(
            (self.rows, self.columns), (self.row_fractions, self.column_fractions), self.inputs[0].shape, strict=False
        ):
            self.expect(fractions.shape == places.shape and fractions.dtype == np.int32, "has fractions for another size")
            self.expect(bool(np.all((fractions >= 0) & (fractions < ONE))), "has a fraction beyond 1")
            self.expect(bool(np.all(places[fractions > 0] < size - 1)), "reads beyond its input")

    def parameters(self) -> Values:
        return {
            "rows": self.rows,
            "row_fraction": self.row_fractions,
            "columns": self.columns,
            "column_fraction": self.column_fractions,
            "output_width": self.output.width,
            "channels": self.output.channels,
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, 2, starts=tuple(self.rows.tolist()))

    def call(self, site: Site) -> list[str]:
        start, fraction = (f"{site.field(self, name)}[y]" for name in ("rows", "row_fraction"))
        first, second = (site.row(site.taps[0], row) for row in ("start", f"{fraction} > 0 ? start + 1u : start"))
        return [
            f"const uint32_t start = (uint32_t){start};",
            f"edgeloop_resize_bilinear_row({site.structure(self)}, {first}, {second}, {fraction}, output);",
        ]


def _nearest(size: int, count: int, *, corners: bool, centers: bool) -> Places:
    """GetNearestNeighbor (reference/resize_nearest_neighbor.h), in float32."""
    scale = np.float32(size - 1) / np.float32(count - 1) if corners and count > 1 else np.float32(size) / np.float32(count)
    places = (np.arange(count, dtype=np.float32) + np.float32(0.5 if centers else 0)) * scale
    # Halves away from zero; there are no negative ones.
    whole = np.floor(places.astype(np.float64) + 0.5) if corners else np.floor(places)
    return np.minimum(whole, size - 1).astype(np.int32)


def _between(size: int, count: int, *, corners: bool, centers: bool) -> tuple[Places, Places]:
    """The first of both places, and the way to the second (ComputeInterpolationValuesInteger, reference/resize_bilinear.h)."""
    steps, of = (size - 1, count - 1) if corners and count > 1 else (size, count)
    scale = (ONE * steps + of // 2) // of
    scaled = np.arange(count, dtype=np.int64) * scale + (scale // 2 - ONE // 2 if centers else 0)
    first = np.maximum(scaled, 0) // ONE
    second = np.minimum((np.maximum(scaled, 1 - ONE) + ONE - 1) // ONE, size - 1)
    # Beside the input both are its last row, and the fraction means nothing.
    first = np.minimum(first, size - 1)
    return first.astype(np.int32), np.where(second > first, scaled - ONE * first, 0).astype(np.int32)
