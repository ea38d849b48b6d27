"""PAD of rows and columns with the input's zero point."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Layer):
    """Rows and columns around the input; what is added below and at the right follows from the output's shape."""

    OPERATORS = ("PAD",)
    KERNEL = "edgeloop_pad"

    top: int
    left: int
    fill: int
    """The stored value that is written."""

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 2)
        source = node.int8(0)
        paddings, constant = node.integers(1, dimensions=2), node.graph.operand(node.operator, 1)
        if constant is None or constant.shape != (4, 2) or len(node.shape(source)) != 4:
            raise node.refuse("pads other than four dimensions")
        _, _, top, bottom, left, right, *_ = paddings
        if min(paddings) < 0 or any(paddings[:2]) or any(paddings[6:]):
            raise node.refuse(f"pads by {paddings}, and the kernel pads rows and columns")
        output = node.of_shape(node.like(source), 1, source.height + top + bottom, source.width + left + right, source.channels)
        return cls(**node.ends(output, source), top=top, left=left, fill=output.zero_point)

    def check(self) -> None:
        source, output = self.inputs[0], self.output
        self.expect_int8()
        self.expect_same_scale()
        self.expect(self.top >= 0 and self.left >= 0 and output.channels == source.channels, "pads other than rows and columns")
        self.expect(self.top + source.height <= output.height and self.left + source.width <= output.width, "cuts its input")
        self.expect(-128 <= self.fill <= 127, "fills with more than int8")

    def parameters(self) -> Values:
        source = self.inputs[0]
        return {
            "input_width": source.width,
            "channels": source.channels,
            "output_width": self.output.width,
            "left": self.left,
            "fill": self.fill,
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, 1, 1, self.top, padded=True)

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_pad_row({site.structure(self)}, {site.row(site.taps[0])}, output);"]
