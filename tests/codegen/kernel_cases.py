"""Single layers with inputs and expected outputs: drawn at random with parameters up to their ends, or out of LiteRT's hands."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from interpret import compute
from numpy.typing import NDArray
from random_models import random_images, random_model
from reference import Reference

from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.operators import (
    Add,
    AnyConvolution,
    AveragePool,
    Concatenation,
    Convolution,
    Dense,
    Depthwise,
    Dequantize,
    LeakyRelu,
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
    RgbConvolution,
    Softmax,
)
from edgeloop.codegen.portable.operators.pairwise import Constant, Pairwise
from edgeloop.codegen.portable.operators.resize import Resize
from edgeloop.codegen.portable.operators.slices import StridedSlice
from edgeloop.codegen.portable.parameters import Structure
from edgeloop.codegen.portable.values import Limits, Scaling, Value, ValueType, Window
from edgeloop.errors import ModelError

DTYPES: dict[str, Any] = {"int8": np.int8, "uint8": np.uint8, "float32": np.float32}


@dataclass(frozen=True)
class Case:
    """A layer (with a second one behind it: a depthwise layer and its pointwise one), what goes in and what must come out."""

    layers: tuple[Layer, ...]
    structures: tuple[Structure, ...]
    inputs: tuple[NDArray[Any], ...]
    """(height, width, channels) each, as the kernel reads them."""
    expected: tuple[NDArray[Any], ...]
    """The output of each layer."""


def case_of(layer: Layer, *inputs: NDArray[Any]) -> Case:
    """A case whose expected output is the NumPy interpreter's."""
    expected = compute(layer, list(inputs)).reshape(layer.output.shape).astype(DTYPES[layer.output.dtype])
    return Case((layer,), (layer.structure(layer.parameters()),), inputs, (expected,))


class Drawer:
    """Random layers; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def convolution(self) -> Case:
        layer = self._convolution(*self._one_of((1, 1), (1, 1), (3, 3), (3, 3), (5, 5), (1, 3), (3, 1), (2, 2), (10, 4)))
        return case_of(layer, self._values(layer.inputs[0]))

    def rgb_convolution(self) -> Case:
        layer = self._convolution(3, 3, channels=3)
        return case_of(layer, self._values(layer.inputs[0]))

    def any_convolution(self) -> Case:
        groups, inputs, outputs = self._between(1, 5), self._one_of(1, 1, self._between(1, 7)), self._between(1, 3)
        source = self._value(self._between(1, 11), self._between(1, 19), groups * inputs)
        size, dilation = (self._between(1, 3), self._between(1, 4)), (self._between(1, 3), self._between(1, 3))
        window, rows, columns = self._window(source, *size, dilation=dilation)
        weights = self._weights(groups * outputs, *size, inputs)
        ends = self._ends(source, self._value(rows, columns, len(weights)))
        layer = AnyConvolution(**ends, weights=weights, window=window, **self._scaled(weights.reshape(len(weights), -1)))
        return case_of(layer, self._values(source))

    def pixels(self) -> Case:
        """A first layer: three channels, uint8 pixels whose QUANTIZE is folded in."""
        layer = self._convolution(3, 3, channels=self._one_of(3, 3, 3, 1, 4))
        quantized = layer.inputs[0]
        stored = self._values(quantized)
        plain = case_of(layer, stored)
        shape = (quantized.height, quantized.width, quantized.channels)
        pixels = Value(0, "pixels", *shape, "uint8", quantized.scale, quantized.zero_point + 128)
        seen = (stored.astype(np.int16) + 128).astype(np.uint8)
        return Case(plain.layers, (layer.structure(layer.parameters_of_pixels(pixels)),), (seen,), plain.expected)

    def depthwise(self) -> Case:
        layer = self._depthwise()
        return case_of(layer, self._values(layer.inputs[0]))

    def separable(self) -> Case:
        first = next(layer for layer in iter(self._depthwise, None) if layer.has_tiles)
        second = self._convolution(1, 1, source=first.output)
        between = case_of(first, self._values(first.inputs[0]))
        last = case_of(second, between.expected[0])
        return Case((first, second), between.structures + last.structures, between.inputs, between.expected + last.expected)

    def narrow(self, width: int, size: int, stride: int) -> tuple[Case, Case]:
        """A depthwise layer and a convolution whose input, some rows high, has this width."""
        source = self._value(self._between(1, 5), width, self._one_of(1, 2, 3, 4, 5, 7, 8))
        window, rows, columns = self._window(source, size, size, (stride, stride))
        weights = self._weights(size, size, source.channels)
        ends = self._ends(source, self._value(rows, columns, source.channels))
        depthwise = Depthwise(**ends, weights=weights, window=window, **self._scaled(weights.reshape(-1, source.channels).T))
        weights = self._weights(self._between(1, 5), size, size, source.channels)
        ends = self._ends(source, self._value(rows, columns, len(weights)))
        convolution = Convolution(**ends, weights=weights, window=window, **self._scaled(weights.reshape(len(weights), -1)))
        return case_of(depthwise, self._values(source)), case_of(convolution, self._values(source))

    def dense(self) -> Case:
        source = self._value(1, 1, self._between(1, 70))
        outputs = self._between(1, 12)
        weights = self._weights(outputs, source.channels)
        sums = self._sums(weights, 1)
        factors = tuple(float(10 ** self.rng.uniform(-1.5, 0.3)) * 80 / sums for _ in range(outputs))
        layer = Dense(
            **self._ends(source, self._value(1, 1, outputs)),
            weights=weights,
            bias=self._bias(outputs, sums),
            factors=factors,
            limits=self._limits(),
        )
        return case_of(layer, self._values(source))

    def mean(self) -> Case:
        source = self._value(self._between(1, 9), self._between(1, 9), self._between(1, 40))
        count = source.height * source.width
        scaling = Scaling(int(self.rng.integers(1 << 28, 1 << 31)), -int(math.log2(count)) - self._between(0, 1))
        return case_of(Mean(**self._ends(source, self._value(1, 1, source.channels)), scaling=scaling), self._values(source))

    def average_pool(self) -> Case:
        return self._pool(AveragePool)

    def max_pool(self) -> Case:
        return self._pool(MaxPool)

    def _pool(self, kind: type[AveragePool | MaxPool]) -> Case:
        source = self._value(self._between(1, 9), self._between(1, 9), self._between(1, 17))
        window, height, width = self._window(source, self._between(1, 4), self._between(1, 4))
        output = Value(1, "output", height, width, source.channels, "int8", source.scale, source.zero_point)
        return case_of(kind(**self._ends(source, output), window=window, limits=self._limits()), self._values(source))

    def add(self) -> Case:
        scalings = (self._scaling(-4, 0), self._scaling(-4, 0))
        return self._pairwise(Add, input_scalings=scalings, output_scaling=self._scaling(-21, -18), limits=self._limits())

    def multiply(self) -> Case:
        return self._pairwise(Multiply, scaling=self._scaling(-9, -5), limits=self._limits())

    def prelu(self) -> Case:
        return self._pairwise(Prelu, positive=self._scaling(-3, 1), negative=self._scaling(-9, -5))

    def _pairwise(self, kind: type[Pairwise], **fields: Any) -> Case:
        """Two operands, sizes of 1 among them; at times one that the file holds."""
        shape = (self._between(1, 3), self._between(1, 9), self._between(1, 17))
        stretched = (self._one_of(1, shape[0]), self._one_of(1, shape[1]), self._one_of(1, shape[2]))
        shapes = [shape, stretched if self.rng.random() < 0.7 else shape]
        order = 1 if kind is Prelu else self._one_of(1, -1)
        first, second = (self._value(*each) for each in shapes[::order])
        values = [self._values(first), self._values(second)]
        inputs, constant, place = [first, second], None, self._between(0, 1)
        if self.rng.random() < 0.4:
            constant = Constant(values.pop(place), inputs[place].scale, inputs.pop(place).zero_point)
        ends = self._ends(first, self._value(*shape)) | {"inputs": tuple(inputs)}
        return case_of(kind(**ends, constant=constant, constant_place=place, **fields), *values)

    def rectify(self) -> Case:
        source = self._value(2, self._between(1, 9), self._between(1, 17))
        layer = Rectify(**self._ends(source, self._value(*source.shape)), scaling=self._scaling(-3, 3), limits=self._limits())
        return case_of(layer, self._values(source))

    def requantize(self) -> Case:
        source = self._value(2, self._between(1, 9), self._between(1, 17), self._one_of("int8", "uint8"))
        output = self._value(*source.shape, self._one_of("int8", "uint8"))
        return case_of(Requantize(**self._ends(source, output), scaling=self._scaling(-3, 3)), self._values(source))

    def dequantize(self) -> Case:
        source = self._value(1, self._between(1, 9), self._between(1, 17), self._one_of("int8", "uint8"))
        output = Value(1, "output", *source.shape, "float32", 0.0, 0)
        return case_of(Dequantize(**self._ends(source, output)), self._values(source))

    def lookup(self) -> Case:
        source = self._value(2, self._between(1, 9), self._between(1, 17))
        table = self.rng.integers(-128, 128, 256).astype(np.int8)
        return case_of(LeakyRelu(**self._ends(source, self._value(*source.shape)), table=table), self._values(source))

    def concatenation(self) -> Case:
        axis, shape = self._between(0, 2), [self._between(1, 3), self._between(1, 9), self._between(1, 17)]
        inputs = []
        for _ in range(self._between(1, 4)):
            shape[axis] = self._between(1, 6)
            inputs.append(replace(self._value(shape[0], shape[1], shape[2]), scale=0.5, zero_point=3))
        shape[axis] = sum(value.shape[axis] for value in inputs)
        output = Value(1, "output", shape[0], shape[1], shape[2], "int8", 0.5, 3)
        ends = self._ends(inputs[0], output) | {"inputs": tuple(inputs)}
        return case_of(Concatenation(**ends, axis=axis), *(self._values(value) for value in inputs))

    def slice(self) -> Case:
        source = self._value(self._between(1, 4), self._between(1, 9), self._between(1, 17))
        begins = (self._between(0, source.height - 1), self._between(0, source.width - 1), self._between(0, source.channels - 1))
        steps = (self._between(1, 3), self._between(1, 3), self._between(1, 3))
        shape = [self._between(1, -(-(size - begin) // step)) for size, begin, step in zip(source.shape, begins, steps, strict=True)]
        output = Value(1, "output", shape[0], shape[1], shape[2], "int8", source.scale, source.zero_point)
        layer = StridedSlice(**self._ends(source, output), begins=begins, steps=steps)
        return case_of(layer, self._values(source))

    def resize_nearest(self) -> Case:
        return self._resize(ResizeNearest)

    def resize_bilinear(self) -> Case:
        return self._resize(ResizeBilinear)

    def _resize(self, kind: type[Resize]) -> Case:
        source = self._value(self._between(1, 5), self._between(1, 9), self._between(1, 5))
        sizes = (self._between(1, 9), self._between(1, 9))
        places = [np.sort(self.rng.integers(0, size, count)).astype(np.int32) for size, count in zip(source.shape, sizes, strict=False)]
        fields: dict[str, Any] = {"rows": places[0], "columns": places[1]}
        if kind is ResizeBilinear:
            ways = [self.rng.integers(0, 1024, each.size).astype(np.int32) for each in places]
            fields["row_fractions"], fields["column_fractions"] = (
                np.where(each < size - 1, way, 0).astype(np.int32) for each, way, size in zip(places, ways, source.shape, strict=False)
            )
        output = Value(1, "output", *sizes, source.channels, "int8", source.scale, source.zero_point)
        return case_of(kind(**self._ends(source, output), **fields), self._values(source))

    def pad(self) -> Case:
        source = self._value(self._between(1, 4), self._between(1, 9), self._between(1, 17))
        top, left = self._between(0, 2), self._between(0, 2)
        shape = (source.height + top + self._between(0, 2), source.width + left + self._between(0, 2), source.channels)
        layer = Pad(**self._ends(source, self._value(*shape)), top=top, left=left, fill=self._between(-128, 127))
        return case_of(layer, self._values(source))

    def softmax(self) -> Case:
        source = self._value(1, self._between(1, 3), self._between(1, 130))
        output = Value(1, "output", *source.shape, "int8", 1 / 256, -128)
        left_shift = self._between(16, 26)
        radius = (31 << 26) >> left_shift
        layer = Softmax(
            **self._ends(source, output), multiplier=self._between(1 << 30, (1 << 31) - 1), left_shift=left_shift, lowest_difference=-radius
        )
        return case_of(layer, self._values(source))

    def _convolution(self, height: int, width: int, channels: int | None = None, source: Value | None = None) -> Convolution:
        most = 40 if height * width == 1 else 9
        read = source or self._value(self._between(1, 11), self._between(1, 19), channels or self._between(1, most))
        stride = (1, 1) if source else None
        window, rows, columns = self._window(read, height, width, stride)
        weights = self._weights(self._between(1, 12), height, width, read.channels)
        output = self._value(rows, columns, len(weights))
        kind = RgbConvolution if RgbConvolution.takes(weights.shape, window.stride_x) else Convolution
        return kind(**self._ends(read, output), weights=weights, window=window, **self._scaled(weights.reshape(len(weights), -1)))

    def _depthwise(self) -> Depthwise:
        size = self._one_of((3, 3), (3, 3), (3, 3), (3, 3), (3, 3), (5, 5), (3, 1), (2, 4))
        source = self._value(self._between(1, 11), self._between(1, 19), self._between(1, 40))
        window, rows, columns = self._window(source, *size)
        weights = self._weights(*size, source.channels)
        output = self._value(rows, columns, source.channels)
        return Depthwise(
            **self._ends(source, output),
            weights=weights,
            window=window,
            **self._scaled(weights.reshape(-1, source.channels).T),
        )

    def _scaled(self, rows: NDArray[np.int8]) -> dict[str, Any]:
        """Bias, scalings and limits: mostly such that the DSP kernels' fast rounding applies, else up to the ends."""
        outputs, inputs = rows.shape
        sums = self._sums(rows, inputs)
        bias = self._bias(outputs, sums)
        bound = int(np.abs(rows.astype(np.int64)).sum(axis=1).max()) * 255 + int(np.abs(bias.astype(np.int64)).max())
        kind = self._one_of("fast", "fast", "zeros", "limits", "ends")
        if kind == "ends":
            return {"bias": bias, "scalings": tuple(self._end(bound) for _ in range(outputs)), "limits": self._limits()}
        real = 80 / sums
        scalings = tuple(_scaling_of(real * float(self.rng.uniform(0.3, 2))) for _ in range(outputs))
        if kind == "zeros":
            scalings = tuple(self._one_of(each, Scaling(0, 0), Scaling(each.multiplier, -31)) for each in scalings)
        return {"bias": bias, "scalings": scalings, "limits": self._limits() if kind == "limits" else Limits()}

    def _end(self, bound: int) -> Scaling:
        """A multiplier and a shift at the ends of what can be, as far as 32 bits hold the shifted sum."""
        most = 31 - bound.bit_length()
        multiplier = self._one_of(0, 1 << 30, (1 << 31) - 1, int(self.rng.integers(1 << 30, 1 << 31)))
        return Scaling(multiplier, self._one_of(-31, -30, -23, -22, -21, -12, -8, -1, 0, min(1, most), most) if multiplier else 0)

    def _sums(self, rows: NDArray[np.int8], inputs: int) -> float:
        """About how large the sums of a layer become."""
        return 74 * math.sqrt(rows.shape[-1] if inputs == 1 else inputs) * max(1.0, float(rows.std()))

    def _bias(self, outputs: int, sums: float) -> NDArray[np.int32]:
        return self.rng.normal(0, sums, outputs).astype(np.int32)

    def _weights(self, *shape: int) -> NDArray[np.int8]:
        if self.rng.random() < 0.1:
            return self.rng.choice(np.array([-128, -127, 127], np.int8), shape)
        return self.rng.integers(-127, 128, shape).astype(np.int8)

    def _window(
        self, source: Value, height: int, width: int, stride: tuple[int, int] | None = None, dilation: tuple[int, int] = (1, 1)
    ) -> tuple[Window, int, int]:
        """A window with SAME or VALID padding, and the output's height and width."""
        down, across = stride or (self._one_of(1, 1, 2, 2, 3), self._one_of(1, 1, 2, 2, 3))
        window = Window(height, width, down, across, 0, 0, *dilation)
        if self.rng.random() < 0.7 or window.reach_y > source.height or window.reach_x > source.width:
            rows, columns = -(-source.height // down), -(-source.width // across)
            top = max((rows - 1) * down + window.reach_y - source.height, 0) // 2
            left = max((columns - 1) * across + window.reach_x - source.width, 0) // 2
        else:
            rows, columns = (source.height - window.reach_y) // down + 1, (source.width - window.reach_x) // across + 1
            top = left = 0
        return replace(window, top=top, left=left), rows, columns

    def _value(self, height: int, width: int, channels: int, dtype: ValueType = "int8") -> Value:
        zero_point = self._one_of(-128, -128, -128, 127, 0, int(self.rng.integers(-128, 128))) + (128 if dtype == "uint8" else 0)
        return Value(0, "value", height, width, channels, dtype, float(np.float32(10 ** self.rng.uniform(-3, 1))), zero_point)

    def _values(self, value: Value) -> NDArray[Any]:
        low, high = (0, 256) if value.dtype == "uint8" else (-128, 128)
        if self.rng.random() < 0.1:
            return self.rng.choice(np.array([low, high - 1]), value.shape).astype(DTYPES[value.dtype])
        return self.rng.integers(low, high, value.shape).astype(DTYPES[value.dtype])

    def _scaling(self, lowest: int, highest: int) -> Scaling:
        return Scaling(int(self.rng.integers(1 << 30, 1 << 31)), self._between(lowest, highest))

    def _limits(self) -> Limits:
        low, high = sorted(self.rng.integers(-128, 128, 2).tolist())
        return Limits(low, high) if self.rng.random() < 0.5 else Limits()

    def _ends(self, source: Value, output: Value) -> dict[str, Any]:
        return {"position": 0, "operator": "DRAWN", "inputs": (source,), "output": output}

    def _between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def _one_of(self, *choices: Any) -> Any:
        return choices[self._between(0, len(choices) - 1)]


KINDS = tuple(name for name in vars(Drawer) if not name.startswith("_") and name != "narrow")


def drawn_cases(kind: str, count: int, seed: int = 0) -> list[Case]:
    """`count` cases of a kind in KINDS."""
    drawer = Drawer(seed)
    return [getattr(drawer, kind)() for _ in range(count)]


def narrow_cases(seed: int = 0) -> list[Case]:
    """Every width of 1 to 13, with windows of both sizes and both strides."""
    drawer = Drawer(seed)
    ways = itertools.product(range(1, 14), (3, 5), (1, 2))
    return [case for way in ways for case in drawer.narrow(*way)]


def reference_cases(seed: int, folder: Path, *, extreme: bool = False) -> Iterator[Case]:
    """Each layer of a random model with what LiteRT's reference kernels read and wrote there."""
    path = folder / f"{seed}.tflite"
    path.write_bytes(random_model(seed, extreme=extreme))
    try:
        network = read_network(path)
    except ModelError:
        assert extreme
        return
    reference = Reference(path)
    (image,) = random_images(network.input.shape, network.input.dtype, 1, seed)
    reference.run(image)
    for layer in network.layers:
        if not isinstance(layer, Reshape):
            inputs = tuple(reference.tensor(value.tensor).reshape(value.shape) for value in layer.inputs)
            expected = reference.tensor(layer.output.tensor).reshape(layer.output.shape)
            yield Case((layer,), (layer.structure(layer.parameters()),), inputs, (expected,))


def _scaling_of(real: float) -> Scaling:
    fraction, shift = math.frexp(real)
    return Scaling(min(int(fraction * (1 << 31)), (1 << 31) - 1), shift)
