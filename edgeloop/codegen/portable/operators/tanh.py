"""TANH of each value, int8 to int8 with scale 1/128 and zero point 0."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.node import QUANTIZE_IT, Node
from edgeloop.codegen.portable.operators.lookup import Lookup, Reals, through_reals
from edgeloop.codegen.portable.values import Value

SCALE, ZERO_POINT = 1 / 128, 0
DOUBT = 2
"""Units in the last place by which the tanhf of C libraries differs from the rounded tangent (glibc before 2.41)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tanh(Lookup):
    """The hyperbolic tangent."""

    OPERATORS = ("TANH",)

    @classmethod
    def results(cls, node: Node, source: Value, output: Value) -> NDArray[Any]:
        if (output.scale, output.zero_point) != (SCALE, ZERO_POINT):
            raise node.refuse(f"has an output of scale {output.scale:g} and zero point {output.zero_point}, where 1/128 and 0 are expected")
        below, table, above = (through_reals(source, output, partial(_tanh, units)) for units in (-DOUBT, 0, DOUBT))
        if not np.array_equal(below, above):
            raise node.refuse(f"has results beside a half at the scale {source.scale:g}, which C libraries round differently", QUANTIZE_IT)
        return table


def _tanh(units: int, values: Reals) -> Reals:
    """Rounded from double to float32, and so many units in the last place farther from zero."""
    exact = np.tanh(values.astype(np.float64)).astype(np.float32)
    return exact + np.float32(units) * np.spacing(exact).astype(np.float32)
