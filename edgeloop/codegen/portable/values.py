"""What layers compute with: values, integer scalings in place of scales, windows, and limits in place of activations."""

import math
from dataclasses import dataclass
from typing import Literal

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
    def shape_text(self) -> str:
        """The shape as readers write it, e.g. 56x56x16."""
        return "x".join(map(str, self.shape))

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
    dilation_y: int = 1
    """Rows from one of its own to the next."""
    dilation_x: int = 1

    @property
    def reach_y(self) -> int:
        """Input rows from its first to its last."""
        return (self.height - 1) * self.dilation_y + 1

    @property
    def reach_x(self) -> int:
        return (self.width - 1) * self.dilation_x + 1


@dataclass(frozen=True)
class Limits:
    """The range that an output is clamped to: the type's, narrowed by a fused activation."""

    low: int = -128
    high: int = 127
