"""A slow and clear interpreter of `Network` in NumPy, which computes with the integers that generated C computes with.

That it equals LiteRT's reference kernels on every tensor proves the import and every scaling, before there is any C.
"""

from collections.abc import Iterator
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators import (
    Add,
    AnyConvolution,
    AveragePool,
    Concatenation,
    Convolution,
    Dense,
    Depthwise,
    Dequantize,
    MaxPool,
    Mean,
    Multiply,
    Pad,
    Prelu,
    Rectify,
    Requantize,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Softmax,
)
from edgeloop.codegen.portable.operators.add import LEFT_SHIFT
from edgeloop.codegen.portable.operators.lookup import Lookup
from edgeloop.codegen.portable.operators.pairwise import Constant, Pairwise
from edgeloop.codegen.portable.values import Limits, Scaling, Value, Window

Integers = NDArray[np.int64]
DTYPES = {"int8": np.int8, "uint8": np.uint8, "float32": np.float32}


def interpret(network: Network, image: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """Every value (height, width, channels) in its own type, by tensor."""
    values = {network.input.tensor: image.reshape(network.input.shape)}
    for layer in network.layers:
        computed = compute(layer, [values[value.tensor] for value in layer.inputs])
        values[layer.output.tensor] = computed.reshape(layer.output.shape).astype(DTYPES[layer.output.dtype])
    return values


@singledispatch
def compute(layer: Layer, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    """What a layer makes of its inputs; values outside the output's type would be an error of the import."""
    raise NotImplementedError(type(layer))


@compute.register
def _(layer: Convolution, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    sums = np.zeros((*layer.output.shape,), np.int64)
    for y, x, patch in _patches(_centred(layer, inputs), layer.window, layer.output):
        sums += np.einsum("hwi,oi->hwo", patch, layer.weights[:, y, x, :].astype(np.int64))
    return _scaled(sums + layer.bias, layer.scalings, layer.output, layer.limits)


@compute.register
def _(layer: Depthwise, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    sums = np.zeros((*layer.output.shape,), np.int64)
    for y, x, patch in _patches(_centred(layer, inputs), layer.window, layer.output):
        sums += patch * layer.weights[y, x].astype(np.int64)
    return _scaled(sums + layer.bias, layer.scalings, layer.output, layer.limits)


@compute.register
def _(layer: AnyConvolution, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    sums = np.zeros((*layer.output.shape,), np.int64)
    outputs, width = layer.output.channels // layer.groups, layer.weights.shape[3]
    for y, x, patch in _patches(_centred(layer, inputs), layer.window, layer.output):
        for group in range(layer.groups):
            made, taken = slice(group * outputs, (group + 1) * outputs), slice(group * width, (group + 1) * width)
            sums[..., made] += np.einsum("hwi,oi->hwo", patch[..., taken], layer.weights[made, y, x, :].astype(np.int64))
    return _scaled(sums + layer.bias, layer.scalings, layer.output, layer.limits)


@compute.register
def _(layer: Dense, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    sums = layer.weights.astype(np.int64) @ _centred(layer, inputs).reshape(-1) + layer.bias
    real = sums.astype(np.float64) * np.array(layer.factors)
    whole = np.trunc(real)
    rounded = (whole + np.where(np.abs(real - whole) >= 0.5, np.sign(real), 0)).astype(np.int64)
    return _clamped(rounded + layer.output.zero_point, layer.limits)


@compute.register
def _(layer: Mean, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    return _scaled(_centred(layer, inputs).sum(axis=(0, 1)), (layer.scaling,), layer.output, Limits())


@compute.register
def _(layer: AveragePool, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    stored = inputs[0].astype(np.int64)
    sums, counts = np.zeros(layer.output.shape, np.int64), np.zeros(layer.output.shape, np.int64)
    for _, _, patch in _patches(stored, layer.window, layer.output):
        sums += patch
    for _, _, patch in _patches(np.ones_like(stored), layer.window, layer.output):
        counts += patch
    rounded = (np.abs(sums) + counts // 2) // counts * np.sign(sums)
    return _clamped(rounded, layer.limits)


@compute.register
def _(layer: MaxPool, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    # Values are moved so that the zeros beside the input are below all of them.
    patches = _patches(inputs[0].astype(np.int64) + 129, layer.window, layer.output)
    return _clamped(np.maximum.reduce([patch for _, _, patch in patches]) - 129, layer.limits)


@compute.register
def _(layer: Add, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    sums = np.zeros(layer.output.shape, np.int64)
    for centred, scaling in zip(_centred_operands(layer, inputs), layer.input_scalings, strict=True):
        sums += multiply(centred << LEFT_SHIFT, scaling)
    return _scaled(sums, (layer.output_scaling,), layer.output, layer.limits)


@compute.register
def _(layer: Multiply, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    first, second = _centred_operands(layer, inputs)
    return _scaled(first * second, (layer.scaling,), layer.output, layer.limits)


@compute.register
def _(layer: Prelu, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    source, alpha = _centred_operands(layer, inputs)
    real = np.where(source >= 0, multiply(np.maximum(source, 0), layer.positive), multiply(np.minimum(source, 0) * alpha, layer.negative))
    return _clamped(real + layer.output.zero_point, Limits())


@compute.register
def _(layer: Rectify, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    return _scaled(_centred(layer, inputs), (layer.scaling,), layer.output, layer.limits)


@compute.register
def _(layer: Pad, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    taken, given = layer.inputs[0], layer.output
    padded = np.full(given.shape, layer.fill, np.int64)
    padded[layer.top : layer.top + taken.height, layer.left : layer.left + taken.width] = inputs[0]
    return padded


@compute.register
def _(layer: Concatenation, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(inputs, axis=layer.axis)


@compute.register
def _(layer: Slice, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    ends = zip(layer.begins, layer.output.shape, layer.steps, strict=True)
    return inputs[0][tuple(slice(begin, begin + (count - 1) * step + 1, step) for begin, count, step in ends)]


@compute.register
def _(layer: ResizeNearest, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    return inputs[0][layer.rows][:, layer.columns]


@compute.register
def _(layer: ResizeBilinear, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    sums = inputs[0].astype(np.int64)
    for axis, places, fractions in ((0, layer.rows, layer.row_fractions), (1, layer.columns, layer.column_fractions)):
        to = fractions.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        sums = sums.take(places, axis) * (1024 - to) + sums.take(places + (fractions > 0), axis) * to
    return divide_rounded(sums, 20)


@compute.register
def _(layer: Reshape, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    return inputs[0]


@compute.register
def _(layer: Requantize, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    limits = Limits() if layer.output.dtype == "int8" else Limits(0, 255)
    return _scaled(_centred(layer, inputs), (layer.scaling,), layer.output, limits)


@compute.register
def _(layer: Lookup, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    return layer.table[inputs[0].astype(np.int64) + 128]


@compute.register
def _(layer: Dequantize, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    return layer.inputs[0].scale * _centred(layer, inputs).astype(np.float64)


@compute.register
def _(layer: Softmax, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    """reference/softmax.h: exponentials with 5 bits before the point, their sum with 12, one reciprocal for each position."""
    stored = inputs[0].astype(np.int64)
    differences = stored - stored.max(axis=-1, keepdims=True)
    counted = differences >= layer.lowest_difference
    scaled = high_multiply(np.where(counted, differences, 0) << layer.left_shift, layer.multiplier)
    exponentials = np.array([_exponential(int(number)) for number in scaled.reshape(-1)]).reshape(stored.shape)
    sums = np.where(counted, divide_rounded(exponentials, 12), 0).sum(axis=-1)
    result = np.empty_like(stored)
    for place in np.ndindex(sums.shape):
        zeros = 32 - int(sums[place]).bit_length()
        fraction = _one_over_one_plus((int(sums[place]) << zeros) - (1 << 31))
        bits = 12 - zeros
        result[place] = divide_rounded(high_multiply(exponentials[place], fraction), bits + 31 - 8) - 128
    return np.where(counted, np.clip(result, -128, 127), -128)


def multiply(numbers: Integers, scaling: Scaling) -> Integers:
    """MultiplyByQuantizedMultiplier, checked to stay within 32 bits where C would have to."""
    shifted = numbers << max(scaling.shift, 0)
    assert np.abs(shifted).max(initial=0) < 1 << 31
    return divide_rounded(high_multiply(shifted, scaling.multiplier), max(-scaling.shift, 0))


def high_multiply(numbers: Integers, multiplier: int) -> Integers:
    """SaturatingRoundingDoublingHighMul (gemmlowp/fixedpoint.h): the upper half of twice the product, ties up and away below 0."""
    product = numbers * np.int64(multiplier)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    upper: Integers = np.sign(nudged) * (np.abs(nudged) >> 31)
    return upper


def divide_rounded(numbers: Integers, exponent: int) -> Integers:
    """RoundingDivideByPOT (gemmlowp/fixedpoint.h): by 2^exponent, ties away from zero."""
    mask = (1 << exponent) - 1
    remainder, threshold = numbers & mask, (mask >> 1) + (numbers < 0)
    return (numbers >> exponent) + (remainder > threshold)


def _scaled(sums: Integers, scalings: tuple[Scaling, ...], output: Value, limits: Limits) -> Integers:
    """The last dimension by one scaling each, or all by one; then the zero point and the limits."""
    if len(scalings) == 1:
        scaled = multiply(sums, scalings[0])
    else:
        scaled = np.stack([multiply(sums[..., channel], scaling) for channel, scaling in enumerate(scalings)], axis=-1)
    return _clamped(scaled + output.zero_point, limits)


def _clamped(numbers: Integers, limits: Limits) -> Integers:
    clamped: Integers = np.clip(numbers, limits.low, limits.high)
    return clamped


def _centred_operands(layer: Pairwise, inputs: list[NDArray[Any]]) -> list[Integers]:
    """Both operands, the constant one included."""
    computed = iter(inputs)
    stored = [operand.stored if isinstance(operand, Constant) else next(computed) for operand in layer.operands]
    return [values.astype(np.int64) - operand.zero_point for values, operand in zip(stored, layer.operands, strict=True)]


def _centred(layer: Layer, inputs: list[NDArray[Any]]) -> Integers:
    return inputs[0].astype(np.int64) - layer.inputs[0].zero_point


def _patches(values: Integers, window: Window, output: Value) -> Iterator[tuple[int, int, Integers]]:
    """For each place of the window, what lies under it at every output position; zeros beside the input."""
    down, across = (output.height - 1) * window.stride_y, (output.width - 1) * window.stride_x
    rows, columns = values.shape[:2]
    height, width = max(down + window.reach_y, window.top + rows), max(across + window.reach_x, window.left + columns)
    padded = np.zeros((height, width, values.shape[2]), np.int64)
    padded[window.top : window.top + rows, window.left : window.left + columns] = values
    for y in range(window.height):
        for x in range(window.width):
            top, left = y * window.dilation_y, x * window.dilation_x
            yield y, x, padded[top : top + down + 1 : window.stride_y, left : left + across + 1 : window.stride_x]


def _saturating(number: int, multiplier: int) -> int:
    """high_multiply of two numbers, which may both be the lowest one."""
    if number == multiplier == -(1 << 31):
        return (1 << 31) - 1
    return int(high_multiply(np.array(number), multiplier))


def _divide(number: int, exponent: int) -> int:
    return int(divide_rounded(np.array(number), exponent))


def _exponential(number: int) -> int:
    """exp_on_negative_values of a number with 5 bits before the point; the result has none."""
    quarter = 1 << 24
    remainder = (number & (quarter - 1)) - quarter
    result = _exponential_between(remainder << 5)
    rest = remainder - number
    barrels = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, barrel in zip(range(-2, 5), barrels, strict=True):
        if rest & (1 << (26 + exponent)):
            result = _saturating(result, barrel)
    return (1 << 31) - 1 if number == 0 else result


def _exponential_between(number: int) -> int:
    """exp of a number in [-1/4, 0) without bits before the point: a Taylor polynomial around -1/8."""
    centred = number + (1 << 28)
    square = _saturating(centred, centred)
    cube, fourth = _saturating(square, centred), _saturating(square, square)
    fourth_over_4 = _divide(fourth, 2)
    terms = _divide(_saturating(fourth_over_4 + cube, 715827883) + square, 1)
    return 1895147668 + _saturating(1895147668, centred + terms)


def _one_over_one_plus(number: int) -> int:
    """1 / (1 + x) for x in [0, 1) without bits before the point: three Newton steps with 2 bits before the point."""
    half = (number + (1 << 31) + 1) >> 1
    x = 1515870810 + _saturating(half, -1010580540)
    for _ in range(3):
        product = _saturating(half, x)
        x += _shift_saturating(_saturating(x, (1 << 29) - product), 2)
    return _shift_saturating(x, 1)


def _shift_saturating(number: int, exponent: int) -> int:
    return max(-(1 << 31), min((1 << 31) - 1, number << exponent))
