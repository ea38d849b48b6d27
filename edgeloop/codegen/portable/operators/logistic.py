"""LOGISTIC: the sigmoid of each value, int8 to int8 with scale 1/256 and zero point -128."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.lookup import Lookup, Reals, through_reals
from edgeloop.codegen.portable.values import Value

SCALE, ZERO_POINT = 1 / 256, -128


@dataclass(frozen=True, eq=False, kw_only=True)
class Logistic(Lookup):
    """1 / (1 + exp(-x))."""

    OPERATORS = ("LOGISTIC",)

    @classmethod
    def results(cls, node: Node, source: Value, output: Value) -> NDArray[Any]:
        if (output.scale, output.zero_point) != (SCALE, ZERO_POINT):
            raise node.refuse(
                f"has an output of scale {output.scale:g} and zero point {output.zero_point}, where 1/256 and -128 are expected"
            )
        return through_reals(source, output, _logistic)


def _logistic(values: Reals) -> Reals:
    """In float32 (kernels/activations.cc), the exponential rounded from double: as the C library's expf gives it."""
    with np.errstate(over="ignore"):
        powers = np.exp(-values.astype(np.float64)).astype(np.float32)
    return np.float32(1) / (np.float32(1) + powers)
