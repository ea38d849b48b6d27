"""LEAKY_RELU of each value: negative ones are multiplied by alpha."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable import fixed_point
from edgeloop.codegen.portable.node import Node
from edgeloop.codegen.portable.operators.lookup import STORED, Lookup
from edgeloop.codegen.portable.values import Value
from edgeloop.codegen.portable.weights import WORST_FACTOR, check_scaled


@dataclass(frozen=True, eq=False, kw_only=True)
class LeakyRelu(Lookup):
    """Each side of zero with a scaling of its own."""

    OPERATORS = ("LEAKY_RELU",)
    OPTIONS = "LeakyReluOptions"

    @classmethod
    def results(cls, node: Node, source: Value, output: Value) -> NDArray[Any]:
        alpha = node.options.get("Alpha")
        if not isinstance(alpha, float):
            raise node.refuse("does not say its Alpha", "Convert the model again.")
        # LeakyReluPrepare (kernels/activations.cc): products and quotients are float32.
        with np.errstate(over="ignore", under="ignore"):
            taken, given = np.float32(source.scale), np.float32(output.scale)
            above, below = (fixed_point.scaling(float(real)) for real in (taken / given, taken * np.float32(alpha) / given))
        for scaling in (above, below):
            check_scaled(node, WORST_FACTOR, scaling)
        centred = STORED.astype(np.int64) - source.zero_point
        positive, negative = fixed_point.multiplied(centred, above), fixed_point.multiplied(centred, below)
        return np.where(centred >= 0, positive, negative) + output.zero_point
