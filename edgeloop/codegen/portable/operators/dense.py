"""FULLY_CONNECTED on one vector: the input's elements in their order in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable.node import QUANTIZE_IT, Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.pipeline import Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value
from edgeloop.codegen.portable.weights import MOST_SCALED, Weighted, fused_limits, reaches, read_kernel

DEFAULT_WEIGHTS_FORMAT = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Weighted):
    """Weights are (outputs, inputs)."""

    OPERATORS = ("FULLY_CONNECTED",)
    OPTIONS = "FullyConnectedOptions"
    KERNEL = "edgeloop_dense"
    NODE_TYPE = 0x104
    READS_WHOLE = True

    factors: tuple[float, ...]
    """For each output, a double: the sum is multiplied by it in double and rounded, halves away from zero, to an integer
    (reference/integer_ops/fully_connected.h since LiteRT 2). An integer multiplier would differ where a sum is near a half."""

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(2, 3)
        source = node.int8(0)
        if node.option("WeightsFormat") != DEFAULT_WEIGHTS_FORMAT:
            raise node.refuse("has shuffled weights", QUANTIZE_IT)
        kernel = read_kernel(node, channel_axis=0, dimensions=2)
        outputs, count = kernel.weights.shape
        if count != source.elements:
            raise node.refuse(f"takes vectors of {count} from an input of {source.elements}, and the kernel takes one vector")
        leading = (1,) * (len(node.shape(source)) - 1 if node.option("KeepNumDims") else 1)
        output = node.int8_output(*leading, outputs)
        factors = _factors(source.scale, kernel.scales, output.scale)
        for reach, factor in zip(reaches(kernel.weights, kernel.bias), factors, strict=True):
            if max(reach, reach * factor) > MOST_SCALED:
                raise node.refuse(f"can leave 32 bits: its sums reach {reach}, scaled by {factor:g}", QUANTIZE_IT)
        limits = fused_limits(node, output)
        return cls(**node.ends(output, source), weights=kernel.weights, bias=kernel.bias, factors=factors, limits=limits)

    @property
    def macs(self) -> int:
        return int(self.weights.size)

    def check(self) -> None:
        self.expect_int8()
        self.expect_arrays(self.output.elements, self.inputs[0].elements)
        self.expect(self.output.shape == (1, 1, self.output.channels), "computes more than one vector")
        self.expect(len(self.factors) == self.output.channels, "has too many or too few factors")
        self.expect(all(0 <= factor < 1 << 31 for factor in self.factors), "has a factor that is no number from 0 to 2^31")

    def parameters(self) -> Values:
        outputs, inputs = self.weights.shape
        return {
            "weights": np.ascontiguousarray(self.weights).reshape(-1),
            "bias": self.folded_bias(self.weights, self.inputs[0].zero_point),
            "factor": np.array(self.factors, np.float64),
            "inputs": inputs,
            "outputs": outputs,
            **self.output_fields(),
        }

    def tap(self, buffer: int, value: Value) -> Tap:
        return Tap(buffer, value, value.height)

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_dense_row({site.structure(self)}, {site.row(site.taps[0], '0u')}, output);"]


def _factors(input_scale: float, weight_scales: Iterable[float], output_scale: float) -> tuple[float, ...]:
    """One double for each weight scale (reference/integer_ops/fully_connected.h), which is not made an integer."""
    return tuple(input_scale * weight_scale / output_scale for weight_scale in weight_scales)
