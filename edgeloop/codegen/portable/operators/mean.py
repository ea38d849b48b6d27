"""MEAN over height and width: (h, w, c) to (1, 1, c)."""

from dataclasses import dataclass
from typing import Self

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import INDENT, Site
from edgeloop.codegen.portable.values import Scaling, Value
from edgeloop.codegen.portable.weights import WORST_FACTOR, check_scaled


@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(Layer):
    """The mean of each channel."""

    OPERATORS = ("MEAN",)
    OPTIONS = "ReducerOptions"
    KERNEL = "edgeloop_mean"
    NODE_TYPE = 0x10B
    READS_WHOLE = True

    scaling: Scaling
    """Applied to sum - count * input zero point; already divided by the count, as the reference kernel does."""

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 2)
        source = node.int8(0)
        dimensions = len(node.shape(source))
        axes = node.integers(1)
        if dimensions != 4 or {axis + dimensions if axis < 0 else axis for axis in axes} != {1, 2}:
            raise node.refuse(f"averages the dimensions {axes} of {dimensions}, and the kernel averages height and width")
        output = node.int8_output(*((1, 1, 1) if node.option("KeepDims") else (1,)), source.channels)
        count = source.height * source.width
        scaling = _scaling(source.scale, output.scale, count)
        check_scaled(node, WORST_FACTOR * count, scaling)
        return cls(**node.ends(output, source), scaling=scaling)

    def check(self) -> None:
        self.expect_int8()
        self.expect(self.output.shape == (1, 1, self.inputs[0].channels), "computes another shape")
        self.expect_scaling(self.scaling, lowest=0)

    def parameters(self) -> Values:
        source = self.inputs[0]
        return {
            "width": source.width,
            "channels": source.channels,
            "offset": source.height * source.width * source.zero_point,
            "multiplier": self.scaling.multiplier,
            "shift": self.scaling.shift,
            "output_zero_point": self.output.zero_point,
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, value.height)

    def scratch_bytes(self) -> int:
        """An int32 sum for each channel."""
        return 4 * self.output.channels

    def call(self, site: Site) -> list[str]:
        structure, source = site.structure(self), site.taps[0]
        return [
            f"int32_t *sums = {site.scratch};",
            f"for (uint32_t c = 0; c < {source.value.channels}u; c++) {{",
            f"{INDENT}sums[c] = 0;",
            "}",
            f"for (uint32_t i = 0; i < {source.value.height}u; i++) {{",
            f"{INDENT}edgeloop_mean_add_row({structure}, {site.row(source, 'i')}, sums);",
            "}",
            f"edgeloop_mean_finish({structure}, sums, output);",
        ]


def _scaling(input_scale: float, output_scale: float, count: int) -> Scaling:
    """The scaling of a sum of `count` values, the division included (QuantizedMeanOrSum, reference/reduce.h).

    The reference divides the multiplier after it was normalised, and rounds down. To lose few bits it first shifts it to the
    left by log2(count), at most by 32 and so far that the whole shift stays above -32. The quotient may be any number below
    2^31: multiplier * 2^shift < 2^31 * count.
    """
    whole = fixed_point.scaling(input_scale / output_scale)
    shift = min(count.bit_length() - 1, 32, 31 + whole.shift)
    return Scaling((whole.multiplier << shift) // count, whole.shift - shift)
