"""CONCATENATION along rows, columns or channels; all values are quantized alike."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import INDENT, Site
from edgeloop.codegen.portable.values import Limits, Value
from edgeloop.codegen.portable.weights import fused_limits

MOST_INPUTS = 64
ROWS, COLUMNS, CHANNELS = range(3)
"""Dimensions of a value."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Concatenation(Layer):
    """The inputs one after the other along `axis`."""

    OPERATORS = ("CONCATENATION",)
    OPTIONS = "ConcatenationOptions"
    KERNEL = "edgeloop_concatenation"
    INPUTS = range(1, MOST_INPUTS + 1)

    axis: int

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, MOST_INPUTS)
        values = [node.int8(place) for place in range(len(node.operator.inputs))]
        shapes = [list(node.shape(value)) for value in values]
        axis = node.option("Axis")
        axis += len(shapes[0]) if axis < 0 else 0
        if not 0 < axis < len(shapes[0]):
            raise node.refuse(f"joins along dimension {node.option('Axis')} of {len(shapes[0])}")
        joined = [*shapes[0][:axis], sum(shape[axis] for shape in shapes if len(shape) > axis), *shapes[0][axis + 1 :]]
        if any([*shape[:axis], joined[axis], *shape[axis + 1 :]] != joined for shape in shapes):
            raise node.refuse(f"joins the shapes {shapes} along dimension {axis}", "Convert the model again.")
        output = node.int8_output(*joined)
        for value in values:
            node.expect_like(value, output)
        if fused_limits(node, output) != Limits():
            raise node.refuse("is fused with an activation")
        # Dimensions of a value are the last ones of the file's.
        return cls(**node.ends(output, *values), axis=axis + 3 - len(joined))

    def check(self) -> None:
        self.expect_int8()
        self.expect(self.axis in (ROWS, COLUMNS, CHANNELS), "joins along another dimension")
        self.expect(sum(value.shape[self.axis] for value in self.inputs) == self.output.shape[self.axis], "computes another shape")
        for value in self.inputs:
            self.expect(self._without_axis(value) == self._without_axis(self.output), "joins other shapes")
            self.expect((value.scale, value.zero_point) == (self.output.scale, self.output.zero_point), "changes the scale")

    def _without_axis(self, value: Value) -> tuple[int, ...]:
        return value.shape[: self.axis] + value.shape[self.axis + 1 :]

    def parameters(self) -> Values:
        return {"pieces": self._pieces, "output_step": self.output.row_bytes // self._pieces}

    @property
    def _pieces(self) -> int:
        """Of a row, each of which gets values from all inputs."""
        return self.output.width if self.axis == CHANNELS else 1

    def tap(self, buffer: int, value: Value) -> Tap:
        if self.axis != ROWS:
            return Tap(buffer, value, 1)
        if self.inputs.count(value) > 1:
            return Tap(buffer, value, value.height, stride=0)
        return Tap(buffer, value, 1, top=self._starts()[self.inputs.index(value)])

    def call(self, site: Site) -> list[str]:
        structure, lines = site.structure(self), []
        for value, start in zip(self.inputs, self._starts(), strict=True):
            tap = site.tap(value)
            if self.axis == ROWS:
                lines += [
                    f"if (y >= {start}u && y < {start + value.height}u) {{" if start else f"if (y < {value.height}u) {{",
                    f"{INDENT}edgeloop_concatenation_row({structure}, {site.row(tap, f'y - {start}u')}, {value.row_bytes}u, output);",
                    "}",
                ]
            else:
                size = value.row_bytes // self._pieces
                offset = start * (self.output.channels if self.axis == COLUMNS else 1)
                lines.append(f"edgeloop_concatenation_row({structure}, {site.row(tap)}, {size}u, (int8_t *)output + {offset});")
        return lines

    def _starts(self) -> list[int]:
        """Where each input begins along the axis."""
        sizes = [value.shape[self.axis] for value in self.inputs]
        return [sum(sizes[:place]) for place in range(len(sizes))]
