"""DEQUANTIZE to float32: scale * (stored - zero_point) in double, then rounded to float."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import QUANTIZE_IT, Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value


@dataclass(frozen=True, eq=False, kw_only=True)
class Dequantize(Layer):
    """Integers as real numbers."""

    OPERATORS = ("DEQUANTIZE",)
    KERNEL = "edgeloop_dequantize"

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 1)
        source, output = node.value(0), node.output()
        if source.dtype == "float32" or output.dtype != "float32":
            raise node.refuse(f"makes {output.dtype} of {source.dtype}, and the kernel makes float32 of integers", QUANTIZE_IT)
        return cls(**node.ends(node.of_shape(output, *node.shape(source)), source))

    def check(self) -> None:
        self.expect(self.inputs[0].dtype != "float32" and self.output.dtype == "float32", "makes no float32 of integers")
        self.expect_same_shape()

    def parameters(self) -> Values:
        source = self.inputs[0]
        return {
            "count": source.width * source.channels,
            "scale": float(np.float32(source.scale)),
            "zero_point": source.zero_point,
            "input_is_unsigned": int(source.dtype == "uint8"),
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, 1)

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_dequantize_row({site.structure(self)}, {site.row(site.taps[0])}, output);"]
