"""SPACE_TO_DEPTH, as somebody would add it."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value


@dataclass(frozen=True, eq=False, kw_only=True)
class SpaceToDepth(Layer):
    """The values of a square become the channels of one position."""

    OPERATORS = ("SPACE_TO_DEPTH",)
    OPTIONS = "SpaceToDepthOptions"
    KERNEL = "edgeloop_space_to_depth"

    block: int

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 1)
        source, block = node.int8(0), node.option("BlockSize")
        if block < 1 or source.height % block or source.width % block:
            raise node.refuse(f"cuts {source.height}x{source.width} into squares of {block}")
        output = node.of_shape(node.like(source), 1, source.height // block, source.width // block, source.channels * block * block)
        return cls(**node.ends(output, source), block=block)

    def check(self) -> None:
        self.expect_int8()
        self.expect(self.output.elements == self.inputs[0].elements, "changes the number of values")

    def parameters(self) -> Values:
        return {"width": self.output.width, "run": self.block * self.inputs[0].channels, "block": self.block}

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, self.block, self.block)

    def gather(self, site: Site) -> list[str]:
        return site.window("const int8_t")

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_space_to_depth_row({site.structure(self)}, input, output);"]
