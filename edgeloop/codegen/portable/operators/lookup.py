"""Operators that make each int8 value another one by itself: a table of all 256 results, computed when code is generated."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.parameters import Values
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value

STORED = np.arange(-128, 128)
"""Every stored value, in the order of the table."""
Reals = NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lookup(Layer):
    """What the output is for each stored input; the same kernel for all."""

    KERNEL = "edgeloop_lookup"

    table: NDArray[np.int8]
    """(256,), for the stored values from -128 to 127."""

    @classmethod
    def read(cls, node: Node) -> Self:
        node.expect_inputs(1, 1)
        source = node.int8(0)
        output = node.int8_output(*node.shape(source))
        table = cls.results(node, source, output)
        return cls(**node.ends(output, source), table=np.clip(table, -128, 127).astype(np.int8))

    @classmethod
    @abstractmethod
    def results(cls, node: Node, source: Value, output: Value) -> NDArray[Any]:
        """The output for each of `STORED`, not yet clamped to int8.

        Raises:
            ModelError: the reference kernel does not take these scales.
            ValueError: a scale has no multiplier.
        """

    def check(self) -> None:
        self.expect_int8()
        self.expect_same_shape()
        self.expect(self.table.shape == (256,) and self.table.dtype == np.int8, "has no table of 256 values")

    def parameters(self) -> Values:
        return {"table": self.table, "count": self.output.width * self.output.channels}

    def call(self, site: Site) -> list[str]:
        return [f"edgeloop_lookup_row({site.structure(self)}, {site.row(site.taps[0])}, output);"]


def through_reals(source: Value, output: Value, function: Callable[[Reals], Reals]) -> NDArray[np.int64]:
    """The output for each of `STORED` where the reference kernel fills a table itself.

    That is done in float32 (PopulateLookupTable, kernels/internal/common.h).
    """
    inverse_scale = np.float32(1) / np.float32(output.scale)
    with np.errstate(over="ignore"):
        reals = np.float32(source.scale) * (STORED - source.zero_point).astype(np.float32)
        scaled = function(reals) * inverse_scale
    # Halves away from zero, as std::round does. float32 values of this size are exact in double.
    rounded = np.copysign(np.floor(np.abs(scaled.astype(np.float64)) + 0.5), scaled)
    stored: NDArray[np.int64] = np.clip(rounded, -(1 << 20), 1 << 20).astype(np.int64) + output.zero_point
    return stored
