"""A layer's parameters in the form and order that the row kernels want: the structures of edgeloop_kernels.h.

The emitter prints them; nothing else knows how the kernels lay out weights and fold zero points.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.network import (
    Add,
    AveragePool,
    Convolution,
    Dense,
    Depthwise,
    Dequantize,
    Layer,
    Limits,
    Mean,
    Pad,
    Rectify,
    Requantize,
    Scaling,
    Softmax,
    Value,
)
from edgeloop.errors import ModelError

Array = NDArray[np.int8] | NDArray[np.int32] | NDArray[np.float64]
Number = int | float | tuple[int, int]

ROUND_EXACT, ROUND_FAST, ROUND_POSITIVE = range(3)
"""EDGELOOP_ROUND_... of edgeloop_kernels.h."""
_FAST_SHIFTS = range(-22, 0)
_FAST_LIMIT = 1 << 30
_ORDER_3X3 = (0, 1, 3, 4, 2, 6, 5, 7, 8)
"""Places in a 3x3 window (row * 3 + column) in the order in which a depthwise kernel's weights are stored."""
_WORD = 1 << 32


@dataclass(frozen=True)
class Parameters:
    """One constant structure: arrays are pointers in it, numbers stand in it, in the order of its fields."""

    structure: str
    """The structure's name in edgeloop_kernels.h."""
    arrays: Mapping[str, Array]
    """int8, int32 or double, flat; they come first in the structure."""
    numbers: Mapping[str, Number]
    """int (uint32_t or int32_t), float (double) or two ints (int32_t[2])."""


@singledispatch
def parameters(layer: Layer) -> Parameters:
    """The structure of one layer.

    Raises:
        ModelError: no kernel computes such a layer.
    """
    raise ModelError(f"Operator {layer.position} ({layer.operator}) has no kernel.", "Report this: the importer should have refused it.")


@parameters.register
def _convolution(layer: Convolution) -> Parameters:
    return _convolution_of(layer, layer.inputs[0])


def convolution_of_pixels(layer: Convolution, pixels: Value) -> Parameters:
    """The structure of a convolution that reads the uint8 value which a QUANTIZE before it turns into its int8 input.

    Raises:
        ModelError: that QUANTIZE does more than to subtract 128.
    """
    quantized = layer.inputs[0]
    if pixels.dtype != "uint8" or quantized.scale != pixels.scale or quantized.zero_point != pixels.zero_point - 128:
        raise ModelError(f"{pixels.name} and {quantized.name} differ by more than 128.", "Their QUANTIZE needs a kernel of its own.")
    return _convolution_of(layer, pixels)


def _convolution_of(layer: Convolution, source: Value) -> Parameters:
    channels, height, width, inputs = layer.weights.shape
    rows = layer.weights.reshape(channels, -1)
    numbers = {
        "input_width": source.width,
        "input_channels": inputs,
        "output_width": layer.output.width,
        "output_channels": channels,
        "kernel_height": height,
        "kernel_width": width,
        "stride_x": layer.window.stride_x,
        "left": layer.window.left,
        "input_is_unsigned": int(source.dtype == "uint8"),
        "input_zero_point": source.zero_point,
        **_output(layer.output, layer.limits),
        "rounding": _rounding(layer, rows),
    }
    arrays = {"weights": np.ascontiguousarray(rows).reshape(-1), **_arrays(rows, layer.bias, layer.scalings, source.zero_point)}
    return Parameters("edgeloop_convolution", arrays, numbers)


@parameters.register
def _depthwise(layer: Depthwise) -> Parameters:
    height, width, channels = layer.weights.shape
    rows = np.ascontiguousarray(layer.weights.reshape(-1, channels).T)
    stored = rows[:, _ORDER_3X3] if (height, width) == (3, 3) else rows
    source = layer.inputs[0]
    numbers = {
        "input_width": source.width,
        "channels": channels,
        "output_width": layer.output.width,
        "kernel_height": height,
        "kernel_width": width,
        "stride_x": layer.window.stride_x,
        "left": layer.window.left,
        "input_zero_point": source.zero_point,
        **_output(layer.output, layer.limits),
        "rounding": _rounding(layer, rows),
    }
    arrays = {"weights": np.ascontiguousarray(stored).reshape(-1), **_arrays(rows, layer.bias, layer.scalings, source.zero_point)}
    return Parameters("edgeloop_depthwise", arrays, numbers)


@parameters.register
def _dense(layer: Dense) -> Parameters:
    outputs, inputs = layer.weights.shape
    arrays: dict[str, Array] = {
        "weights": np.ascontiguousarray(layer.weights).reshape(-1),
        "bias": _folded_bias(layer.weights, layer.bias, layer.inputs[0].zero_point),
        "factor": np.array(layer.factors, np.float64),
    }
    return Parameters("edgeloop_dense", arrays, {"inputs": inputs, "outputs": outputs, **_output(layer.output, layer.limits)})


@parameters.register
def _mean(layer: Mean) -> Parameters:
    source = layer.inputs[0]
    numbers = {
        "width": source.width,
        "channels": source.channels,
        "offset": source.height * source.width * source.zero_point,
        "multiplier": layer.scaling.multiplier,
        "shift": layer.scaling.shift,
        "output_zero_point": layer.output.zero_point,
    }
    return Parameters("edgeloop_mean", {}, numbers)


@parameters.register
def _average_pool(layer: AveragePool) -> Parameters:
    source = layer.inputs[0]
    numbers = {
        "input_width": source.width,
        "channels": source.channels,
        "output_width": layer.output.width,
        "kernel_height": layer.window.height,
        "kernel_width": layer.window.width,
        "stride_x": layer.window.stride_x,
        "left": layer.window.left,
        "low": layer.limits.low,
        "high": layer.limits.high,
    }
    return Parameters("edgeloop_average_pool", {}, numbers)


@parameters.register
def _add(layer: Add) -> Parameters:
    first, second = layer.inputs
    numbers: dict[str, Number] = {
        "count": layer.output.width * layer.output.channels,
        "input_zero_point": (first.zero_point, second.zero_point),
        "input_multiplier": (layer.input_scalings[0].multiplier, layer.input_scalings[1].multiplier),
        "input_shift": (layer.input_scalings[0].shift, layer.input_scalings[1].shift),
        "output_zero_point": layer.output.zero_point,
        "output_multiplier": layer.output_scaling.multiplier,
        "output_shift": layer.output_scaling.shift,
        "low": layer.limits.low,
        "high": layer.limits.high,
    }
    return Parameters("edgeloop_add", {}, numbers)


@parameters.register
def _rectify(layer: Rectify) -> Parameters:
    return _rescale(layer, layer.scaling, layer.limits)


@parameters.register
def _requantize(layer: Requantize) -> Parameters:
    return _rescale(layer, layer.scaling, Limits(0, 255) if layer.output.dtype == "uint8" else Limits())


def _rescale(layer: Layer, scaling: Scaling, limits: Limits) -> Parameters:
    source = layer.inputs[0]
    numbers = {
        "count": source.width * source.channels,
        "input_zero_point": source.zero_point,
        "output_zero_point": layer.output.zero_point,
        "multiplier": scaling.multiplier,
        "shift": scaling.shift,
        "low": limits.low,
        "high": limits.high,
        "input_is_unsigned": int(source.dtype == "uint8"),
        "output_is_unsigned": int(layer.output.dtype == "uint8"),
    }
    return Parameters("edgeloop_rescale", {}, numbers)


@parameters.register
def _pad(layer: Pad) -> Parameters:
    source = layer.inputs[0]
    numbers = {
        "input_width": source.width,
        "channels": source.channels,
        "output_width": layer.output.width,
        "left": layer.left,
        "fill": layer.fill,
    }
    return Parameters("edgeloop_pad", {}, numbers)


@parameters.register
def _softmax(layer: Softmax) -> Parameters:
    numbers = {
        "width": layer.output.width,
        "channels": layer.output.channels,
        "multiplier": layer.multiplier,
        "left_shift": layer.left_shift,
        "lowest_difference": layer.lowest_difference,
    }
    return Parameters("edgeloop_softmax", {}, numbers)


@parameters.register
def _dequantize(layer: Dequantize) -> Parameters:
    source = layer.inputs[0]
    numbers: dict[str, Number] = {
        "count": source.width * source.channels,
        "scale": float(np.float32(source.scale)),
        "zero_point": source.zero_point,
        "input_is_unsigned": int(source.dtype == "uint8"),
    }
    return Parameters("edgeloop_dequantize", {}, numbers)


def _output(output: Value, limits: Limits) -> dict[str, int]:
    return {"output_zero_point": output.zero_point, "low": limits.low, "high": limits.high}


def _arrays(rows: NDArray[np.int8], bias: NDArray[np.int32], scalings: tuple[Scaling, ...], zero_point: int) -> dict[str, Array]:
    """Bias with the zero point folded in, multipliers and shifts of each output channel; rows: its weights, in any order."""
    return {
        "bias": _folded_bias(rows, bias, zero_point),
        "multiplier": np.array([scaling.multiplier for scaling in scalings], np.int32),
        "shift": np.array([scaling.shift for scaling in scalings], np.int8),
    }


def _folded_bias(rows: NDArray[np.int8], bias: NDArray[np.int32], zero_point: int) -> NDArray[np.int32]:
    folded = bias.astype(np.int64) - zero_point * rows.sum(axis=1, dtype=np.int64)
    wrapped: NDArray[np.int32] = ((folded + _WORD // 2) % _WORD - _WORD // 2).astype(np.int32)
    return wrapped


def _rounding(layer: Convolution | Depthwise, rows: NDArray[np.int8]) -> int:
    """The cheapest rounding that gives equal results, as edgeloop_kernels.h states its conditions."""
    if layer.limits != Limits() or any(scaling.shift not in _FAST_SHIFTS for scaling in layer.scalings):
        return ROUND_EXACT
    if _largest_accumulator(layer, rows) >= _FAST_LIMIT:
        return ROUND_EXACT
    return ROUND_POSITIVE if layer.output.zero_point == -128 else ROUND_FAST


def _largest_accumulator(layer: Convolution | Depthwise, rows: NDArray[np.int8]) -> int:
    """A bound of the absolute value of any accumulator, whatever the input is."""
    zero_point = layer.inputs[0].zero_point
    largest_input = max(127 - zero_point, zero_point + 128)
    sums = np.abs(rows.astype(np.int64)).sum(axis=1) * largest_input + np.abs(layer.bias.astype(np.int64))
    return int(sums.max(initial=0))
