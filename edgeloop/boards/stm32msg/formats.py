"""What the protocol says of a tensor (format word, dimensions, scale) as an array's type and shape, checked.

The format word: bit 23 signed, 20..17 type, 13..7 bits, 6..0 fraction bits + 64; the bits above 23 do not matter here.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import ProtocolError
from edgeloop.firmware.protocol.messages import TensorDescription

FLOAT, INTEGER, BOOLEAN = 1, 2, 3
DTYPES = {
    (FLOAT, True, 16): "float16",
    (FLOAT, True, 32): "float32",
    (INTEGER, True, 8): "int8",
    (INTEGER, False, 8): "uint8",
    (INTEGER, True, 16): "int16",
    (INTEGER, False, 16): "uint16",
    (INTEGER, True, 32): "int32",
    (INTEGER, False, 32): "uint32",
    (INTEGER, True, 64): "int64",
    (BOOLEAN, False, 8): "bool",
}
BCWH, BCHW, ST_AI = 1, 3, 4
HAS_BATCH = 0x40
MOST_DIMENSIONS = 8
SIZE_TOLERANCE = 3
"""Elements by which a device's count may be above or below the product of the dimensions (padding)."""


@dataclass(frozen=True)
class TensorForm:
    """A tensor as the device describes it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    """real = scale * (stored - zero_point); 0 where it is not quantized."""
    zero_point: int

    @property
    def stored_bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def values(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """What stored elements mean: float32 of the same shape."""
        values = stored.astype(np.float32)
        return (values - np.float32(self.zero_point)) * np.float32(self.scale) if self.scale else values

    def array(self, content: bytes) -> NDArray[Any]:
        """The elements (little-endian, row-major) as an array of the tensor's shape.

        Raises:
            ProtocolError: there are too many or too few.
        """
        if len(content) != self.stored_bytes:
            raise ProtocolError(
                f"The board sent {len(content)} bytes for the tensor '{self.name}', {self.dtype} {list(self.shape)}.",
                "Something was lost or doubled on the way: check the cable, and run it again.",
            )
        return np.frombuffer(content, np.dtype(self.dtype).newbyteorder("<")).astype(self.dtype).reshape(self.shape)


def tensor_form(description: TensorDescription) -> TensorForm:
    """Type and shape of a described tensor.

    Raises:
        ProtocolError: the description contradicts itself, or is of a kind that edgeloop does not know.
    """
    form = TensorForm(
        name=description.name,
        dtype=_dtype(description),
        shape=_shape(description),
        scale=description.scale,
        zero_point=description.zeropoint,
    )
    if not math.isfinite(form.scale) or form.scale < 0:
        raise _unusable(description, f"has the scale {form.scale}")
    if abs(description.size - math.prod(form.shape)) > SIZE_TOLERANCE:
        raise _unusable(description, f"has {description.size} elements in the shape {list(form.shape)}")
    return form


def _dtype(description: TensorDescription) -> str:
    word = description.format
    is_signed, kind, bits, fraction = bool(word >> 23 & 1), word >> 17 & 15, word >> 7 & 127, (word & 127) - 64
    if fraction or (kind, is_signed, bits) not in DTYPES:
        raise _unusable(description, f"has the format 0x{word:08x}, which edgeloop does not know")
    return DTYPES[kind, is_signed, bits]


def _shape(description: TensorDescription) -> tuple[int, ...]:
    kind, count, dims = description.n_dims >> 24, description.n_dims & 0xFFFFFF, description.dims
    if count != len(dims) or count > MOST_DIMENSIONS:
        raise _unusable(description, f"has {len(dims)} dimensions and says {count}")
    if kind & 0x0F == ST_AI:
        return dims if kind & HAS_BATCH and dims[:1] == (1,) else (1, *dims)
    if kind == BCWH and count == 1:
        return 1, 1, 1, dims[0]
    if kind == BCWH and count == 4:
        return dims[0], dims[3], dims[2], dims[1]
    if kind == BCHW and count == 4:
        return dims[0], dims[3], dims[1], dims[2]
    return dims


def _unusable(description: TensorDescription, what: str) -> ProtocolError:
    return ProtocolError(
        f"The board describes a tensor '{description.name}' that {what}.", "Check which tool and version made its firmware."
    )
