"""From uint8 pixels to a model's input: the one way, for evaluation, benchmarks and reference outputs alike.

A float input takes the pixel mapped to the stated range. An integer input takes the raw pixel where no range is stated; else the
mapped value through its own scale and zero point (TensorFlow Lite, quantization specification: value = scale * (stored - zero
point)), which is a table of the 256 levels that a pixel has.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import InputError

if TYPE_CHECKING:  # it brings OpenCV, which a look into a file does not need
    from edgeloop.preprocessing import Pixels, Preprocessing, Range

LEVELS = np.arange(256)
HALF_A_LEVEL = 0.51
"""A raw pixel so near to what it is to stand for is it, to a rounding: the range -1 to 1 has its zero between two levels."""
MOST_OUTSIDE = 128
"""A range of which half the levels or more lie outside what the input can hold is not the model's."""
LEAST_DISTINCT = 16
"""Nor is one that leaves a pixel fewer levels than four bits."""


class InputTensor(Protocol):
    """An input, as an interpreter or a report describes it."""

    @property
    def dtype(self) -> str: ...
    @property
    def scale(self) -> float | None: ...
    @property
    def zero_point(self) -> int | None: ...


class Encoder:
    """Encodes pixels for one model's input.

    Raises:
        InputError: a float input without a stated range, or a range that an integer input cannot have.
    """

    def __init__(self, path: Path, tensor: InputTensor, preprocessing: "Preprocessing") -> None:
        self._dtype, self._preprocessing = tensor.dtype, preprocessing
        self._table: NDArray[Any] | None = None
        if tensor.dtype == "float32":
            if preprocessing.input_range is None:
                raise InputError(
                    f"{path} takes float32, and nothing says which range its pixels are mapped to.",
                    "Give the range, such as 0 1 or -1 1, or put its preprocessing.json beside it.",
                )
        elif preprocessing.input_range is not None and not stands_for(tensor, preprocessing.input_range):
            self._table = _table(path, tensor, preprocessing.input_range)

    def __call__(self, pixels: "Pixels") -> NDArray[Any]:
        """uint8 pixels of any shape as the input takes them, in its own type."""
        if self._dtype == "float32":
            return self._preprocessing.normalised(pixels)
        return raw(pixels, self._dtype) if self._table is None else self._table.take(pixels)


def raw(pixels: "Pixels", dtype: str) -> NDArray[Any]:
    """Raw pixels in an integer type: uint8 as they are, int8 shifted by 128."""
    return pixels if dtype == "uint8" else (pixels ^ np.uint8(0x80)).view(np.int8)


def stands_for(tensor: InputTensor, input_range: "Range") -> bool:
    """Whether the raw pixel in an integer input is, to a rounding, the pixel mapped to a range."""
    return bool(np.abs(_levels(tensor, input_range) - raw(LEVELS.astype(np.uint8), tensor.dtype)).max() <= HALF_A_LEVEL)


def raw_range(tensor: InputTensor) -> "Range":
    """What the darkest and the brightest raw pixel stand for in an integer input."""
    scale, zero_point = _quantized(tensor)
    limits = np.iinfo(tensor.dtype)
    return scale * (limits.min - zero_point), scale * (limits.max - zero_point)


def _quantized(tensor: InputTensor) -> tuple[float, int]:
    """Integers without a scale stand for themselves."""
    return tensor.scale or 1.0, tensor.zero_point or 0


def _levels(tensor: InputTensor, input_range: "Range") -> NDArray[np.float64]:
    """What each of the 256 levels of a pixel would be stored as, neither rounded nor clipped."""
    (low, high), (scale, zero_point) = input_range, _quantized(tensor)
    levels: NDArray[np.float64] = (low + LEVELS * (high - low) / 255) / scale + zero_point
    return levels


def _table(path: Path, tensor: InputTensor, input_range: "Range") -> NDArray[Any]:
    limits, zero_point = np.iinfo(tensor.dtype), _quantized(tensor)[1]
    values = _levels(tensor, input_range) - zero_point
    levels = np.copysign(np.floor(np.abs(values) + 0.5), values) + zero_point  # as TensorFlow Lite's own QUANTIZE rounds
    table: NDArray[Any] = levels.clip(limits.min, limits.max).astype(tensor.dtype)
    outside, distinct = int(((levels < limits.min) | (levels > limits.max)).sum()), len(np.unique(table))
    if outside >= MOST_OUTSIDE or distinct < LEAST_DISTINCT:
        too_wide = f"{outside} of the 256 levels of a pixel lie outside"
        lost = too_wide if outside >= MOST_OUTSIDE else f"a pixel would have {distinct} levels only"
        low, high = raw_range(tensor)
        raise InputError(
            f"{path} is not made for the range {input_range[0]:g} to {input_range[1]:g}: its {tensor.dtype} input (scale "
            f"{_quantized(tensor)[0]:g}, zero point {_quantized(tensor)[1]}) holds {low:g} to {high:g}; {lost}.",
            f"Give the range that it was trained with, or none: it then takes the raw pixel, which stands for {low:g} to {high:g}.",
        )
    return table
