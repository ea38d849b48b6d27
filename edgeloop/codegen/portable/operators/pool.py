"""What AVERAGE_POOL_2D and MAX_POOL_2D have in common: a window, and an input and output that are quantized alike."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Limits, Value, Window
from edgeloop.codegen.portable.weights import fused_limits
from edgeloop.codegen.portable.windows import expect_window, sliding, window_tap


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Layer):
    """One value for those under a window; padding is not counted."""

    OPTIONS = "Pool2DOptions"
    NODE_TYPE = 0x10B

    window: Window
    limits: Limits

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 1)
        source = node.int8(0)
        window, rows, columns = sliding(node, source, node.option("FilterHeight"), node.option("FilterWidth"))
        output = node.int8_output(1, rows, columns, source.channels)
        node.like(source)
        return cls(**node.ends(output, source), window=window, limits=fused_limits(node, output))

    def check(self) -> None:
        self.expect_int8()
        self.expect(self.output.channels == self.inputs[0].channels, "changes the number of channels")
        self.expect_same_scale()
        expect_window(self, self.window)
        self.expect_limits(self.limits)

    def parameters(self) -> Values:
        source = self.inputs[0]
        return {
            "input_width": source.width,
            "channels": source.channels,
            "output_width": self.output.width,
            "kernel_height": self.window.height,
            "kernel_width": self.window.width,
            "stride_x": self.window.stride_x,
            "left": self.window.left,
            "low": self.limits.low,
            "high": self.limits.high,
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        return window_tap(buffer, value, self.window)

    def gather(self, site: Site) -> list[str]:
        return site.window("const int8_t")

    def call(self, site: Site) -> list[str]:
        return [f"{self.KERNEL}_row({site.structure(self)}, input, output);"]
