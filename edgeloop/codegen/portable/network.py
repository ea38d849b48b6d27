"""The network as the generator sees it: values and layers, typed, in order of execution.

Everything is resolved here: shapes without the batch dimension, integer multipliers instead of scales, limits instead
of activations. Arithmetic: TensorFlow Lite's reference kernels (tensorflow/lite/kernels/internal/reference) and its
quantization specification.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ValueType = Literal["int8", "uint8", "float32"]
ITEM_BYTES: dict[ValueType, int] = {"int8": 1, "uint8": 1, "float32": 4}


@dataclass(frozen=True, eq=False)
class Value:
    """What flows from one layer to the next, of one image."""

    tensor: int
    """Its place among the tensors of the file, by which an interpreter's tensors are compared with it."""
    name: str
    height: int
    """Rows. A vector is (1, 1, n)."""
    width: int
    channels: int
    dtype: ValueType
    scale: float
    """real = scale * (stored - zero_point), float32 as in the file; 0 for float32 values."""
    zero_point: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def row_bytes(self) -> int:
        return self.width * self.channels * ITEM_BYTES[self.dtype]

    @property
    def bytes(self) -> int:
        return self.height * self.row_bytes


@dataclass(frozen=True)
class Scaling:
    """x * multiplier * 2^(shift - 31), rounded as MultiplyByQuantizedMultiplier does (reference/common.h)."""

    multiplier: int
    """0, or 2^30 .. 2^31 - 1; of a mean, whose division comes after, any number below 2^31."""
    shift: int
    """Positive to the left, -31 .. 30."""


@dataclass(frozen=True)
class Window:
    """How a kernel moves over its input."""

    height: int
    width: int
    stride_y: int
    stride_x: int
    top: int
    """Rows of padding above the input; what is missing below follows from the output's height."""
    left: int


@dataclass(frozen=True)
class Limits:
    """The range that an output is clamped to: the type's, narrowed by a fused activation."""

    low: int = -128
    high: int = 127


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """One operator of the file that computes something."""

    position: int
    """Its place among the operators of the file."""
    operator: str
    """Its name in the file, e.g. CONV_2D."""
    inputs: tuple[Value, ...]
    output: Value

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference; biases and scaling are not counted."""
        return 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(Layer):
    """CONV_2D; a 1x1 window with stride 1 is the pointwise case."""

    weights: NDArray[np.int8]
    """(output channels, height, width, input channels), zero point 0."""
    bias: NDArray[np.int32]
    """(output channels,); zeros where the file has none."""
    scalings: tuple[Scaling, ...]
    """One for each output channel, also where the file has one scale for all."""
    window: Window
    limits: Limits

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[1:])


@dataclass(frozen=True, eq=False, kw_only=True)
class Depthwise(Layer):
    """DEPTHWISE_CONV_2D with multiplier 1."""

    weights: NDArray[np.int8]
    """(height, width, channels), zero point 0."""
    bias: NDArray[np.int32]
    scalings: tuple[Scaling, ...]
    window: Window
    limits: Limits

    @property
    def macs(self) -> int:
        return self.output.elements * math.prod(self.weights.shape[:2])


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Layer):
    """FULLY_CONNECTED on one vector: the input's elements in their order in memory."""

    weights: NDArray[np.int8]
    """(outputs, inputs), zero point 0."""
    bias: NDArray[np.int32]
    factors: tuple[float, ...]
    """For each output, a double: the sum is multiplied by it in double and rounded, halves away from zero, to an integer
    (reference/integer_ops/fully_connected.h since LiteRT 2). An integer multiplier would differ where a sum is near a half."""
    limits: Limits

    @property
    def macs(self) -> int:
        return int(self.weights.size)


@dataclass(frozen=True, eq=False, kw_only=True)
class Mean(Layer):
    """MEAN over height and width: (h, w, c) to (1, 1, c)."""

    scaling: Scaling
    """Applied to sum - count * input zero point; already divided by the count, as the reference kernel does."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AveragePool(Layer):
    """AVERAGE_POOL_2D: input and output are quantized alike; padding is not counted."""

    window: Window
    limits: Limits


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Layer):
    """ADD of two values of one shape: both are shifted left by 20 and scaled, added, and scaled again."""

    input_scalings: tuple[Scaling, Scaling]
    output_scaling: Scaling
    limits: Limits


@dataclass(frozen=True, eq=False, kw_only=True)
class Rectify(Layer):
    """RELU or RELU6 as an operator of its own."""

    scaling: Scaling
    limits: Limits


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Layer):
    """PAD of rows and columns with the input's zero point."""

    top: int
    left: int
    fill: int
    """The stored value that is written."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Layer):
    """The same bytes under another shape: no code is generated for it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Layer):
    """SOFTMAX over the channels of each position, int8 to int8 with scale 1/256 and zero point -128."""

    multiplier: int
    left_shift: int
    lowest_difference: int
    """Differences to the largest input below this one count as 0 (CalculateInputRadius)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Requantize(Layer):
    """QUANTIZE from int8 or uint8 to int8 or uint8 of other scale or zero point."""

    scaling: Scaling


@dataclass(frozen=True, eq=False, kw_only=True)
class Dequantize(Layer):
    """DEQUANTIZE to float32: scale * (stored - zero_point) in double, then rounded to float."""


@dataclass(frozen=True, eq=False)
class Network:
    """A model of one input and one output; every layer's inputs are the network's input or outputs of earlier layers."""

    input: Value
    output: Value
    layers: tuple[Layer, ...] = field(repr=False)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)
