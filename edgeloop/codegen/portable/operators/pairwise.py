"""What operators of two operands have in common: either may be a constant, and sizes of 1 stretch over the other's (broadcasting)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node, quantization
from edgeloop.codegen.portable.parameters import Array, Number
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value

MOST_DIMENSIONS = 4


@dataclass(frozen=True, eq=False)
class Constant:
    """An operand that the file holds."""

    stored: NDArray[np.int8]
    """(height, width, channels)"""
    scale: float
    zero_point: int

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, channels = self.stored.shape
        return height, width, channels


Operand = Value | Constant


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairwise(Layer):
    """Its `inputs` are the operands that are computed, in order."""

    INPUTS = range(1, 3)

    constant: Constant | None
    constant_place: int
    """Which operand it is: 0 or 1."""

    @classmethod
    def of_operands(cls, node: Node, output: Value, first: Operand, second: Operand, **fields: Any) -> Self:
        """The layer of an operator whose operands were read by `operands`."""
        constant = next((operand for operand in (first, second) if isinstance(operand, Constant)), None)
        inputs = [operand for operand in (first, second) if isinstance(operand, Value)]
        return cls(**node.ends(output, *inputs), constant=constant, constant_place=int(constant is second), **fields)

    @property
    def weight_bytes(self) -> int:
        return 0 if self.constant is None else int(self.constant.stored.size)

    @property
    def operands(self) -> tuple[Operand, Operand]:
        if self.constant is None:
            return self.inputs[0], self.inputs[1]
        return (self.inputs[0], self.constant) if self.constant_place else (self.constant, self.inputs[0])

    def check_operands(self) -> None:
        self.expect_int8()
        self.expect(len(self.inputs) == (2 if self.constant is None else 1), "has other than two operands")
        broadcast = np.broadcast_shapes(*(operand.shape for operand in self.operands))
        self.expect(broadcast == self.output.shape, "computes another shape than its operands make")
        for operand in self.operands:
            self.expect(-128 <= operand.zero_point <= 127, "has an operand with a zero point beyond int8")

    def steps(self) -> dict[str, Array | Number | None]:
        """The fields that say how its kernel walks over a row of both operands."""
        _, width, channels = self.output.shape
        walks = [(operand.shape[1] > 1, operand.shape[2] > 1) for operand in self.operands]
        if all(walk in ((width > 1, channels > 1), (False, False)) for walk in walks):
            # Every operand has all values of a row or a single one: the row is one run.
            columns, count = 1, width * channels
            steps = [(0, int(any(walk))) for walk in walks]
        else:
            columns, count = width, channels
            steps = [(operand.shape[2] * wide, int(deep)) for operand, (wide, deep) in zip(self.operands, walks, strict=True)]
        return {
            "constant": None if self.constant is None else self.constant.stored.reshape(-1),
            "columns": columns,
            "channels": count,
            "column_step": tuple(column for column, _ in steps),
            "channel_step": tuple(channel for _, channel in steps),
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        if value.height < self.output.height:
            return Tap(buffer, value, 1, stride=0)
        return Tap(buffer, value, 1, in_place=value.row_bytes == self.output.row_bytes)

    def rows(self, site: Site) -> str:
        """Pointers to a row of each operand, in C."""
        return ", ".join(self._row(site, operand) for operand in self.operands)

    def _row(self, site: Site, operand: Operand) -> str:
        if isinstance(operand, Value):
            return site.row(site.tap(operand), "0u" if operand.height < self.output.height else "")
        start, (height, width, channels) = site.field(self, "constant"), operand.shape
        return start if height == 1 else f"{start} + {width * channels}u * y"


def operands(node: Node) -> tuple[Operand, Operand, tuple[int, ...]]:
    """Both operands, int8, one of them computed at least, and the shape (with the batch) that they make together."""
    node.expect_inputs(2, 2)
    first, second = _operand(node, 0), _operand(node, 1)
    if isinstance(first, Constant) and isinstance(second, Constant):
        raise node.refuse("computes with constants alone", "Convert the model again.")
    shapes = [node.shape_at(place) for place in (0, 1)]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise node.refuse(f"takes the shapes {shapes[0]} and {shapes[1]} together", "Convert the model again.") from None
    return first, second, shape


def _operand(node: Node, place: int) -> Operand:
    tensor = node.graph.operand(node.operator, place)
    if tensor is None or not tensor.constant_bytes or node.operator.inputs[place] in node.values:
        return node.int8(place)
    stored = node.constant(place, "INT8")
    leading = MOST_DIMENSIONS - len(tensor.shape)
    if stored is None or leading < 0 or 0 in tensor.shape or (leading == 0 and tensor.shape[0] != 1):
        raise node.refuse(f"takes a constant of shape {tensor.shape}, where at most (1, height, width, channels) is expected")
    scale, zero_point = quantization(tensor, node.refuse)
    height, width, channels = ((1,) * leading + tensor.shape)[1:]
    return Constant(stored.reshape(height, width, channels).astype(np.int8, copy=False), scale, zero_point)
