"""The operators of TensorFlow Lite that the portable generator takes, one room each, and the pairs that are computed together.

What an operator computes, and what its attributes mean, is that of the reference kernels (tensorflow/lite/kernels).
A new one is a module beside these (a `Layer`), its kernel <KERNEL>.h and <KERNEL>.c, and a line here.
"""

from typing import Any

from edgeloop.codegen.portable.fusion import Fusion
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.operators.add import Add, Subtract
from edgeloop.codegen.portable.operators.any_convolution import AnyConvolution
from edgeloop.codegen.portable.operators.average_pool import AveragePool
from edgeloop.codegen.portable.operators.concatenation import Concatenation
from edgeloop.codegen.portable.operators.convolution import Convolution
from edgeloop.codegen.portable.operators.dense import Dense
from edgeloop.codegen.portable.operators.depthwise import Depthwise
from edgeloop.codegen.portable.operators.dequantize import Dequantize
from edgeloop.codegen.portable.operators.hard_swish import HardSwish
from edgeloop.codegen.portable.operators.leaky_relu import LeakyRelu
from edgeloop.codegen.portable.operators.logistic import Logistic
from edgeloop.codegen.portable.operators.max_pool import MaxPool
from edgeloop.codegen.portable.operators.mean import Mean
from edgeloop.codegen.portable.operators.multiply import Multiply
from edgeloop.codegen.portable.operators.pad import Pad
from edgeloop.codegen.portable.operators.pixels import Pixels
from edgeloop.codegen.portable.operators.prelu import Prelu
from edgeloop.codegen.portable.operators.rescale import Rectify, Requantize
from edgeloop.codegen.portable.operators.reshape import Reshape
from edgeloop.codegen.portable.operators.resize import ResizeBilinear, ResizeNearest
from edgeloop.codegen.portable.operators.rgb_convolution import RgbConvolution
from edgeloop.codegen.portable.operators.separable import Separable
from edgeloop.codegen.portable.operators.slices import PlainSlice, Slice, Split, StridedSlice
from edgeloop.codegen.portable.operators.softmax import Softmax
from edgeloop.codegen.portable.operators.tanh import Tanh
from edgeloop.codegen.portable.work import Work

KINDS: list[type[Layer]] = [
    Convolution,
    RgbConvolution,
    Depthwise,
    AnyConvolution,
    Dense,
    Mean,
    AveragePool,
    MaxPool,
    Add,
    Subtract,
    Multiply,
    Prelu,
    Rectify,
    Requantize,
    Pad,
    Concatenation,
    StridedSlice,
    PlainSlice,
    Split,
    ResizeNearest,
    ResizeBilinear,
    Reshape,
    Logistic,
    Tanh,
    HardSwish,
    LeakyRelu,
    Softmax,
    Dequantize,
]
FUSIONS: list[type[Fusion[Any, Any]]] = [Pixels, Separable]

__all__ = [
    "FUSIONS",
    "KINDS",
    "Add",
    "AnyConvolution",
    "AveragePool",
    "Concatenation",
    "Convolution",
    "Dense",
    "Depthwise",
    "Dequantize",
    "HardSwish",
    "LeakyRelu",
    "Logistic",
    "MaxPool",
    "Mean",
    "Multiply",
    "Pad",
    "Pixels",
    "Prelu",
    "Rectify",
    "Requantize",
    "Reshape",
    "ResizeBilinear",
    "ResizeNearest",
    "RgbConvolution",
    "Separable",
    "Slice",
    "Softmax",
    "Subtract",
    "Tanh",
    "find_kind",
    "rooms",
]


def find_kind(operator: str) -> type[Layer] | None:
    """The kind of layer of an operator of the file."""
    return next((kind for kind in KINDS if operator in kind.OPERATORS), None)


def rooms() -> list[type[Work]]:
    """Everything that may have a kernel of its own."""
    return [*KINDS, *FUSIONS]
