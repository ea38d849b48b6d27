"""Whether a `Network` holds together: C code that reads and writes memory is generated from it without asking again.

Independent of where the network comes from: sizes are compared with sizes, and no operand is used before it exists.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
    Network,
    Pad,
    Rectify,
    Requantize,
    Reshape,
    Scaling,
    Softmax,
    Value,
    Window,
)
from edgeloop.errors import ModelError

_RANGES = {"int8": (-128, 127), "uint8": (0, 255), "float32": (0, 0)}


def check(network: Network, path: Path) -> None:
    """Check every value, every layer and the order.

    Raises:
        ModelError: something does not fit together; the message names the layer.
    """
    try:
        _check_network(network)
    except _Unfit as error:
        raise ModelError(f"{path} does not hold together: {error}.", "Convert the model again.") from error


class _Unfit(Exception):
    """What does not fit, without the file's name."""


def _check_network(network: Network) -> None:
    _check_value(network.input)
    known = {network.input.tensor: network.input}
    for layer in network.layers:
        for value in layer.inputs:
            _expect(known.get(value.tensor) is value, layer, f"uses {value.name!r} before it is computed")
        _expect(layer.output.tensor not in known, layer, "computes what is there already")
        _check_value(layer.output)
        _expect(type(layer) in _CHECKS, layer, "is of no known kind")
        inputs, one_check = _CHECKS[type(layer)]
        _expect(len(layer.inputs) == inputs, layer, f"has {len(layer.inputs)} inputs")
        one_check(layer)
        known[layer.output.tensor] = layer.output
    if known.get(network.output.tensor) is not network.output or network.output is network.input:
        raise _Unfit("no layer computes its output")
    positions = [layer.position for layer in network.layers]
    if positions != sorted(set(positions)):
        raise _Unfit("its layers are not in order")


def _expect(holds: bool, layer: Layer, what: str) -> None:
    if not holds:
        raise _Unfit(f"layer {layer.position} ({layer.operator}) {what}")


def _check_value(value: Value) -> None:
    low, high = _RANGES[value.dtype]
    scaled = value.scale == 0 if value.dtype == "float32" else math.isfinite(value.scale) and value.scale > 0
    if min(value.shape) < 1 or not low <= value.zero_point <= high or not scaled:
        raise _Unfit(f"the value {value.name!r} has the shape {value.shape}, scale {value.scale} and zero point {value.zero_point}")


def _convolution(layer: Convolution) -> None:
    taken, given = layer.inputs[0], layer.output
    _expect_int8(layer)
    window = layer.window
    _expect(layer.weights.shape == (given.channels, window.height, window.width, taken.channels), layer, "has weights of another shape")
    _check_arrays(layer)
    _check_scalings(layer)
    _check_window(layer, window)


def _depthwise(layer: Depthwise) -> None:
    taken, given = layer.inputs[0], layer.output
    _expect_int8(layer)
    window = layer.window
    _expect(layer.weights.shape == (window.height, window.width, taken.channels), layer, "has weights of another shape")
    _expect(given.channels == taken.channels, layer, "changes the number of channels")
    _check_arrays(layer)
    _check_scalings(layer)
    _check_window(layer, window)


def _dense(layer: Dense) -> None:
    _expect_int8(layer)
    _expect(layer.weights.shape == (layer.output.elements, layer.inputs[0].elements), layer, "has weights of another shape")
    _expect(layer.output.shape == (1, 1, layer.output.channels), layer, "computes more than one vector")
    _check_arrays(layer)
    _expect(len(layer.factors) == layer.output.channels, layer, "has too many or too few factors")
    _expect(all(0 <= factor < 1 << 31 for factor in layer.factors), layer, "has a factor that is no number from 0 to 2^31")


def _mean(layer: Mean) -> None:
    _expect_int8(layer)
    _expect(layer.output.shape == (1, 1, layer.inputs[0].channels), layer, "computes another shape")
    _check_scaling(layer, layer.scaling, lowest=0)


def _average_pool(layer: AveragePool) -> None:
    _expect_int8(layer)
    _expect(layer.output.channels == layer.inputs[0].channels, layer, "changes the number of channels")
    _check_same_scale(layer)
    _check_window(layer, layer.window)
    _check_limits(layer, layer.limits)


def _add(layer: Add) -> None:
    _expect_int8(layer)
    _expect(layer.inputs[0].shape == layer.inputs[1].shape == layer.output.shape, layer, "adds other shapes")
    for scaling in (*layer.input_scalings, layer.output_scaling):
        _check_scaling(layer, scaling)
        _expect(scaling.shift <= 0, layer, "scales up")
    _check_limits(layer, layer.limits)


def _rectify(layer: Rectify) -> None:
    _expect_int8(layer)
    _expect(layer.inputs[0].shape == layer.output.shape, layer, "changes the shape")
    _check_scaling(layer, layer.scaling)
    _check_limits(layer, layer.limits)


def _pad(layer: Pad) -> None:
    taken, given = layer.inputs[0], layer.output
    _expect_int8(layer)
    _check_same_scale(layer)
    _expect(layer.top >= 0 and layer.left >= 0 and given.channels == taken.channels, layer, "pads other than rows and columns")
    _expect(layer.top + taken.height <= given.height and layer.left + taken.width <= given.width, layer, "cuts its input")
    _expect(-128 <= layer.fill <= 127, layer, "fills with more than int8")


def _reshape(layer: Reshape) -> None:
    _expect(layer.inputs[0].bytes == layer.output.bytes, layer, "changes the number of bytes")
    _expect(layer.inputs[0].dtype == layer.output.dtype, layer, "changes the type")
    _check_same_scale(layer)


def _softmax(layer: Softmax) -> None:
    _expect_int8(layer)
    _expect(layer.inputs[0].shape == layer.output.shape, layer, "changes the shape")
    _expect((layer.output.scale, layer.output.zero_point) == (1 / 256, -128), layer, "has another output scale than 1/256")
    _expect(1 << 30 <= layer.multiplier < 1 << 31 and 0 <= layer.left_shift <= 31, layer, "has a multiplier beyond 32 bits")
    _expect(-(layer.lowest_difference << layer.left_shift) < 1 << 31, layer, "leaves 32 bits")


def _requantize(layer: Requantize) -> None:
    _expect("float32" not in (layer.inputs[0].dtype, layer.output.dtype), layer, "works on float32")
    _expect(layer.inputs[0].shape == layer.output.shape, layer, "changes the shape")
    _check_scaling(layer, layer.scaling)


def _dequantize(layer: Dequantize) -> None:
    _expect(layer.inputs[0].dtype != "float32" and layer.output.dtype == "float32", layer, "makes no float32 of integers")
    _expect(layer.inputs[0].shape == layer.output.shape, layer, "changes the shape")


_CHECKS: dict[type[Layer], tuple[int, Callable[[Any], None]]] = {
    Convolution: (1, _convolution),
    Depthwise: (1, _depthwise),
    Dense: (1, _dense),
    Mean: (1, _mean),
    AveragePool: (1, _average_pool),
    Add: (2, _add),
    Rectify: (1, _rectify),
    Pad: (1, _pad),
    Reshape: (1, _reshape),
    Softmax: (1, _softmax),
    Requantize: (1, _requantize),
    Dequantize: (1, _dequantize),
}


def _expect_int8(layer: Layer) -> None:
    _expect(all(value.dtype == "int8" for value in (*layer.inputs, layer.output)), layer, "works on other than int8")


def _check_arrays(layer: "Convolution | Depthwise | Dense") -> None:
    channels = layer.output.channels
    _expect(layer.weights.dtype == np.int8 and layer.bias.dtype == np.int32, layer, "has weights of another type")
    _expect(layer.bias.shape == (channels,), layer, "has too many or too few biases")
    _check_limits(layer, layer.limits)


def _check_scalings(layer: "Convolution | Depthwise") -> None:
    _expect(len(layer.scalings) == layer.output.channels, layer, "has too many or too few scalings")
    for scaling in layer.scalings:
        _check_scaling(layer, scaling)


def _check_scaling(layer: Layer, scaling: Scaling, lowest: int = 1 << 30) -> None:
    multiplier = scaling.multiplier
    _expect(multiplier == 0 or lowest <= multiplier < 1 << 31, layer, f"has the multiplier {multiplier}")
    _expect(-31 <= scaling.shift <= 30, layer, f"has the shift {scaling.shift}")


def _check_limits(layer: Layer, limits: Limits) -> None:
    _expect(-128 <= limits.low <= limits.high <= 127, layer, f"has the limits {limits.low} and {limits.high}")


def _check_same_scale(layer: Layer) -> None:
    taken, given = layer.inputs[0], layer.output
    _expect((taken.scale, taken.zero_point) == (given.scale, given.zero_point), layer, "changes the scale")


def _check_window(layer: Layer, window: Window) -> None:
    """Every window must cover at least one row and one column of the input."""
    taken, given = layer.inputs[0], layer.output
    _expect(min(window.stride_y, window.stride_x) > 0, layer, "does not move on")
    for size, count, length, stride, before in (
        (taken.height, given.height, window.height, window.stride_y, window.top),
        (taken.width, given.width, window.width, window.stride_x, window.left),
    ):
        _expect(0 <= before < length, layer, "has a window beside its input")
        _expect((count - 1) * stride - before < size, layer, "has more windows than its input")
