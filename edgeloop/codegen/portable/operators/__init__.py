"""The operators of TensorFlow Lite that the portable generator takes, one room each, and the pairs that are computed together.

What an operator computes, and what its attributes mean, is that of the reference kernels (tensorflow/lite/kernels).
A new one is a module beside these (a `Layer`), its kernel <KERNEL>.h and <KERNEL>.c, and a line here.
"""

from typing import Any

from edgeloop.codegen.portable.fusion import Fusion
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.operators.add import Add
from edgeloop.codegen.portable.operators.average_pool import AveragePool
from edgeloop.codegen.portable.operators.convolution import Convolution
from edgeloop.codegen.portable.operators.dense import Dense
from edgeloop.codegen.portable.operators.depthwise import Depthwise
from edgeloop.codegen.portable.operators.dequantize import Dequantize
from edgeloop.codegen.portable.operators.mean import Mean
from edgeloop.codegen.portable.operators.pad import Pad
from edgeloop.codegen.portable.operators.pixels import Pixels
from edgeloop.codegen.portable.operators.rescale import Rectify, Requantize
from edgeloop.codegen.portable.operators.reshape import Reshape
from edgeloop.codegen.portable.operators.separable import Separable
from edgeloop.codegen.portable.operators.softmax import Softmax
from edgeloop.codegen.portable.work import Work

KINDS: list[type[Layer]] = [
    Convolution,
    Depthwise,
    Dense,
    Mean,
    AveragePool,
    Add,
    Rectify,
    Requantize,
    Pad,
    Reshape,
    Softmax,
    Dequantize,
]
FUSIONS: list[type[Fusion[Any, Any]]] = [Pixels, Separable]

__all__ = [
    "FUSIONS",
    "KINDS",
    "Add",
    "AveragePool",
    "Convolution",
    "Dense",
    "Depthwise",
    "Dequantize",
    "Mean",
    "Pad",
    "Pixels",
    "Rectify",
    "Requantize",
    "Reshape",
    "Separable",
    "Softmax",
    "find_kind",
    "rooms",
]


def find_kind(operator: str) -> type[Layer] | None:
    """The kind of layer of an operator of the file."""
    return next((kind for kind in KINDS if operator in kind.OPERATORS), None)


def rooms() -> list[type[Work]]:
    """Everything that may have a kernel of its own."""
    return [*KINDS, *FUSIONS]
