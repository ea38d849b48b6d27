"""RELU, RELU6 as operators of their own, and QUANTIZE from one integer type to another: all scale each value, in one kernel."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import QUANTIZE_IT, Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Limits, Scaling
from edgeloop.codegen.portable.weights import WORST_FACTOR, check_scaled


@dataclass(frozen=True, eq=False, kw_only=True)
class Rescale(Layer):
    """Each value alone, from one scale to another."""

    KERNEL = "edgeloop_rescale"

    scaling: Scaling

    @abstractmethod
    def range(self) -> Limits:
        """What the output is clamped to."""

    def parameters(self) -> Values:
        source, limits = self.inputs[0], self.range()
        return {
            "count": source.width * source.channels,
            "input_zero_point": source.zero_point,
            "output_zero_point": self.output.zero_point,
            "multiplier": self.scaling.multiplier,
            "shift": self.scaling.shift,
            "low": limits.low,
            "high": limits.high,
            "input_is_unsigned": int(source.dtype == "uint8"),
            "output_is_unsigned": int(self.output.dtype == "uint8"),
        }

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_rescale_row({site.structure(self)}, {site.row(site.taps[0])}, output);"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Rectify(Rescale):
    """RELU or RELU6."""

    OPERATORS = ("RELU", "RELU6")

    limits: Limits

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 1)
        source = node.int8(0)
        output = node.int8_output(*node.shape(source))
        # ReluPrepare (kernels/activations.cc): the quotient is a float32 number.
        with np.errstate(over="ignore", under="ignore"):
            quotient = np.float32(source.scale) / np.float32(output.scale)
        scaling = fixed_point.scaling(float(quotient))
        check_scaled(node, WORST_FACTOR, scaling)
        limits = fixed_point.activation_limits(node.operator.name, output.scale, output.zero_point)
        return cls(**node.ends(output, source), scaling=scaling, limits=limits)

    def check(self) -> None:
        self.expect_int8()
        self.expect_same_shape()
        self.expect_scaling(self.scaling)
        self.expect_limits(self.limits)

    def range(self) -> Limits:
        return self.limits


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Rescale):
    """QUANTIZE from int8 or uint8 to int8 or uint8 of other scale or zero point."""

    OPERATORS = ("QUANTIZE",)

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 1)
        source, output = node.value(0), node.output()
        if "float32" in (source.dtype, output.dtype):
            raise node.refuse(f"makes {output.dtype} of {source.dtype}, and the kernel takes int8 and uint8", QUANTIZE_IT)
        # kernels/quantize.cc: Prepare, in double.
        scaling = fixed_point.scaling(source.scale / output.scale)
        check_scaled(node, WORST_FACTOR, scaling)
        return cls(**node.ends(node.of_shape(output, *node.shape(source)), source), scaling=scaling)

    def check(self) -> None:
        self.expect("float32" not in (self.inputs[0].dtype, self.output.dtype), "works on float32")
        self.expect_same_shape()
        self.expect_scaling(self.scaling)

    def range(self) -> Limits:
        return Limits(0, 255) if self.output.dtype == "uint8" else Limits()
