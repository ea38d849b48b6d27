"""RESHAPE: the same bytes under another shape, for which no code is generated."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Layer):
    """To a shape that the file knows, or that follows from a batch of 1."""

    OPERATORS = ("RESHAPE",)
    OPTIONS = "ReshapeOptions"

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 2)
        source = node.int8(0)
        output, asked = node.like(source), _asked_shape(node)
        claimed = node.shape(output)
        if _resolved(asked, source.elements) != list(claimed) or output.elements != source.elements:
            raise node.refuse(f"makes {claimed} of {source.elements} values where {asked} is asked for", "Convert the model again.")
        return cls(**node.ends(output, source))

    def check(self) -> None:
        self.expect(self.inputs[0].bytes == self.output.bytes, "changes the number of bytes")
        self.expect(self.inputs[0].dtype == self.output.dtype, "changes the type")
        self.expect_same_scale()


def _asked_shape(node: Node) -> list[int]:
    """What it says: its second input or, without one, its options."""
    if node.graph.operand(node.operator, 1) is not None:
        return node.integers(1, dimensions=1)
    asked = node.options.get("NewShape")
    return list(asked) if isinstance(asked, tuple) else []


def _resolved(shape: list[int], elements: int) -> list[int]:
    """The shape with its one open size (-1) filled in; empty where that is not possible."""
    known = 1
    for size in shape:
        known *= size if size != -1 else 1
    if shape.count(-1) == 0:
        return shape
    if shape.count(-1) > 1 or known <= 0 or elements % known:
        return []
    return [elements // known if size == -1 else size for size in shape]
