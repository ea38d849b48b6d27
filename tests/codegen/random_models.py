"""Random small networks as TensorFlow Lite files: odd sizes, odd channel counts, scales and zero points of every kind.

`random_model(seed)` makes the same file for the same seed, in milliseconds and without TensorFlow; `random_converted_model`
makes Keras models and converts them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from model_file import ModelFile

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
SPREAD = 45.0
"""What outputs are scaled to: their standard deviation in steps of int8, so that most values differ and few are clipped."""
STEPS = 40
"""An activation leaves at least so many values, where nothing extreme is drawn."""


@dataclass(frozen=True)
class Drawn:
    """A value of the network that is being drawn."""

    tensor: int
    shape: tuple[int, ...]
    """With the batch."""
    scale: float
    zero_point: int


def random_model(seed: int, *, extreme: bool = False) -> bytes:
    """A network of 2 to 12 operators; `extreme` draws scales and zero points from the ends of what is possible."""
    return _Drawer(np.random.default_rng(seed), extreme).model()


class _Drawer:
    def __init__(self, rng: np.random.Generator, extreme: bool) -> None:
        self.rng = rng
        self.extreme = extreme
        self.file = ModelFile()
        self.earlier: list[Drawn] = []

    def model(self) -> bytes:
        shape = (1, self._between(1, 14), self._between(1, 14), self._between(1, 9))
        kind = self._one_of("uint8", "int8")
        scale, zero_point = self._input_quantization(kind)
        image = self.file.tensor(shape, kind, scale, zero_point)
        value = Drawn(image, shape, scale, zero_point)
        if kind == "uint8":
            value = self._to_int8(value)
        for _ in range(self._between(1, 7)):
            self.earlier.append(value)
            value = self._layer(value)
        value = self._head(value)
        return self.file.content([image], [self._finish(value)])

    def _layer(self, value: Drawn) -> Drawn:
        layers: list[Callable[[Drawn], Drawn]] = [self.convolution, self.convolution, self.depthwise, self.depthwise, self.add]
        layers += [self.pad, self.average_pool, self.rectify, self.requantize]
        return layers[self._between(0, len(layers) - 1)](value)

    def _head(self, value: Drawn) -> Drawn:
        """The end of a classifier, as long as it is drawn to be."""
        kind = self._one_of("none", "mean", "flat", "pooled")
        if kind in ("mean", "pooled"):
            value = self.mean(value)
        if kind in ("flat", "pooled"):
            value = self.dense(self.reshape(value) if self._flip() else value)
        return self.softmax(value) if kind != "none" and self._flip() else value

    def _finish(self, value: Drawn) -> int:
        """int8 as it is, or uint8, or float32."""
        kind = self._one_of("int8", "uint8", "float32", "float32")
        if kind == "int8":
            return value.tensor
        if kind == "float32":
            output = self.file.tensor(value.shape, "float32")
            self.file.operator("DEQUANTIZE", [value.tensor], [output])
            return output
        output = self.file.tensor(value.shape, "uint8", value.scale, value.zero_point + 128)
        self.file.operator("QUANTIZE", [value.tensor], [output])
        return output

    def convolution(self, value: Drawn) -> Drawn:
        channels = value.shape[3]
        outputs = self._between(1, 11)
        size = self._one_of((1, 1), (1, 1), (3, 3), (5, 5), (1, 3), (7, 7))
        window = self._window(value, size, (1, 2))
        weights = self._weights((outputs, *size, channels))
        return self._multiplied("CONV_2D", "Conv2DOptions", value, weights, 0, (1, *window.pop("shape"), outputs), window)

    def depthwise(self, value: Drawn) -> Drawn:
        channels = value.shape[3]
        size = self._one_of((3, 3), (3, 3), (5, 5))
        window = self._window(value, size, (1, 2))
        weights = self._weights((1, *size, channels))
        window["depthMultiplier"] = 1
        return self._multiplied(
            "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", value, weights, 3, (1, *window.pop("shape"), channels), window
        )

    def dense(self, value: Drawn) -> Drawn:
        count, outputs = math.prod(value.shape), self._between(2, 13)
        keep = self._flip() and value.shape[:-1] == (1,) * (len(value.shape) - 1)
        shape = (*value.shape[:-1], outputs) if keep else (1, outputs)
        weights = self._weights((outputs, count))
        return self._multiplied("FULLY_CONNECTED", "FullyConnectedOptions", value, weights, 0, shape, {"keepNumDims": keep})

    def mean(self, value: Drawn) -> Drawn:
        _, height, width, channels = value.shape
        keep = self._flip()
        scale = self._output_scale(value.scale * 60 / (height * width) ** 0.3)
        output = self._output((1, 1, 1, channels) if keep else (1, channels), scale)
        axes = self.file.numbers(self._one_of([1, 2], [2, 1], [-3, -2]))
        self.file.operator("MEAN", [value.tensor, axes], [output.tensor], "ReducerOptions", keepDims=keep)
        return output

    def average_pool(self, value: Drawn) -> Drawn:
        size = (self._between(1, 4), self._between(1, 4))
        window = self._window(value, size, (1, 2, 3))
        shape = (1, *window.pop("shape"), value.shape[3])
        output = Drawn(self.file.tensor(shape, "int8", value.scale, value.zero_point), shape, value.scale, value.zero_point)
        del window["dilationHFactor"], window["dilationWFactor"]
        window |= {"filterHeight": size[0], "filterWidth": size[1], "fusedActivationFunction": self._activation(value.scale)}
        self.file.operator("AVERAGE_POOL_2D", [value.tensor], [output.tensor], "Pool2DOptions", **window)
        return output

    def add(self, value: Drawn) -> Drawn:
        """With an earlier value of the same shape, if need be with itself."""
        partners = [other for other in [*self.earlier, value] if other.shape == value.shape]
        other = partners[self._between(0, len(partners) - 1)]
        scale = self._output_scale(60 * math.hypot(value.scale, other.scale))
        activation = self._activation(scale)
        output = self._output(value.shape, scale, rectified=activation > 0)
        pair = [value.tensor, other.tensor][:: 1 if self._flip() else -1]
        self.file.operator("ADD", pair, [output.tensor], "AddOptions", fusedActivationFunction=activation)
        return output

    def rectify(self, value: Drawn) -> Drawn:
        scale = self._output_scale(value.scale * 60)
        output = self._output(value.shape, scale, rectified=True)
        name = "RELU6" if self._flip() and (self.extreme or scale < 6 / STEPS) else "RELU"
        self.file.operator(name, [value.tensor], [output.tensor])
        return output

    def requantize(self, value: Drawn) -> Drawn:
        output = self._output(value.shape, self._output_scale(value.scale * 60))
        self.file.operator("QUANTIZE", [value.tensor], [output.tensor])
        return output

    def pad(self, value: Drawn) -> Drawn:
        _, height, width, channels = value.shape
        top, bottom, left, right = (self._between(0, 2) for _ in range(4))
        shape = (1, height + top + bottom, width + left + right, channels)
        output = Drawn(self.file.tensor(shape, "int8", value.scale, value.zero_point), shape, value.scale, value.zero_point)
        paddings = self.file.numbers(np.array([[0, 0], [top, bottom], [left, right], [0, 0]]))
        self.file.operator("PAD", [value.tensor, paddings], [output.tensor])
        return output

    def reshape(self, value: Drawn) -> Drawn:
        count = math.prod(value.shape)
        shape = self._one_of((1, count), (1, 1, 1, count))
        output = Drawn(self.file.tensor(shape, "int8", value.scale, value.zero_point), shape, value.scale, value.zero_point)
        asked = self.file.numbers(self._one_of(shape, (*shape[:-1], -1)))
        self.file.operator("RESHAPE", [value.tensor, asked], [output.tensor])
        return output

    def softmax(self, value: Drawn) -> Drawn:
        output = Drawn(self.file.tensor(value.shape, "int8", 1 / 256, -128), value.shape, 1 / 256, -128)
        beta = float(10 ** self.rng.uniform(-3, 3)) if self.extreme else self._one_of(1.0, 1.0, 0.5)
        beta *= float(self.rng.uniform(0.01, 0.1)) / value.scale
        self.file.operator("SOFTMAX", [value.tensor], [output.tensor], "SoftmaxOptions", beta=beta)
        return output

    def _multiplied(
        self, name: str, table: str, value: Drawn, weights: np.ndarray[Any, Any], axis: int, shape: tuple[int, ...], options: dict[str, Any]
    ) -> Drawn:
        """A layer with weights, a bias (or none), and scales for each channel (or one)."""
        outputs, count = weights.shape[axis], weights.size // weights.shape[axis]
        sums = 60 * math.sqrt(count) * max(1.0, float(weights.std()))
        target = self._output_scale(SPREAD * float(10 ** self.rng.uniform(-2.2, -0.8)))
        activation = self._activation(target)
        output = self._output(shape, target, rectified=activation > 0)
        # Weight scales follow, so that sums spread over the output's range.
        share = self.rng.uniform(0.4, 1, outputs if self._flip() else 1)
        largest = target * SPREAD / (value.scale * sums) * (float(10 ** self.rng.uniform(-2.5, 3)) if self.extreme else 1)
        scales = np.maximum(share * largest, 1e-30).astype(np.float32)
        stored = self.file.tensor(weights.shape, "int8", scales, data=weights, axis=axis)
        inputs = [value.tensor, stored]
        if name != "FULLY_CONNECTED" or self._flip(0.7):  # LiteRT's convolutions want a bias.
            bias = self.rng.normal(0, sums * 0.4, outputs).astype(np.int32)
            inputs.append(self.file.tensor((outputs,), "int32", np.float32(value.scale) * scales, data=bias))
        elif self._flip():
            inputs.append(-1)
        self.file.operator(name, inputs, [output.tensor], table, fusedActivationFunction=activation, **options)
        return output

    def _window(self, value: Drawn, size: tuple[int, int], strides: tuple[int, ...]) -> dict[str, Any]:
        """Fields of an options table, and the (rows, columns) of the output as `shape`."""
        _, height, width, _ = value.shape
        strides = (self._one_of(*strides), self._one_of(*strides))
        same = self._flip(0.7) or size[0] > height or size[1] > width
        shape = tuple(
            -(-length // stride) if same else (length - window) // stride + 1
            for length, window, stride in zip((height, width), size, strides, strict=True)
        )
        return {
            "padding": 0 if same else 1,
            "strideH": strides[0],
            "strideW": strides[1],
            "dilationHFactor": 1,
            "dilationWFactor": 1,
            "shape": shape,
        }

    def _weights(self, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if self.extreme and self._flip(0.4):
            return self.rng.choice(np.array(self._one_of((-128, -127, 0, 127), (-1, 0, 0, 1)), np.int8), shape)
        return self.rng.integers(-127, 128, shape, np.int8)

    def _to_int8(self, value: Drawn) -> Drawn:
        """The QUANTIZE after a uint8 input: mostly only the zero point moves."""
        scale = value.scale if self._flip(0.8) else value.scale * float(self.rng.uniform(0.5, 2))
        output = Drawn(self.file.tensor(value.shape, "int8", scale, value.zero_point - 128), value.shape, scale, value.zero_point - 128)
        self.file.operator("QUANTIZE", [value.tensor], [output.tensor])
        return output

    def _output(self, shape: tuple[int, ...], scale: float, *, rectified: bool = False) -> Drawn:
        zero_point = self._zero_point(rectified)
        return Drawn(self.file.tensor(shape, "int8", scale, zero_point), shape, scale, zero_point)

    def _zero_point(self, rectified: bool) -> int:
        """Mostly where a converter would put it, so that not all values are clipped to one."""
        if self._flip(0.5 if self.extreme else 0.03):
            return int(self._one_of(-128, 127, self._between(-128, 127)))
        return max(-128, self._between(-166, -90)) if rectified else self._between(-40, 40)

    def _output_scale(self, deviation: float) -> float:
        """The scale of an output with that standard deviation, in real numbers."""
        factor = float(10 ** self.rng.uniform(-2.5, 2)) if self.extreme else float(self.rng.uniform(0.7, 1.4))
        return float(np.float32(deviation / SPREAD * factor))

    def _input_quantization(self, kind: str) -> tuple[float, int]:
        lowest = 0 if kind == "uint8" else -128
        scale = float(np.float32(10 ** self.rng.uniform(-3, -1)))
        return scale, lowest + self._one_of(0, 127, 128, 255, self._between(0, 255))

    def _activation(self, scale: float) -> int:
        """The code of a fused activation; of those that leave the range some steps of that scale."""
        name = self._one_of("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")
        widest = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0}.get(name, math.inf)
        return ACTIVATIONS["NONE" if not self.extreme and widest / scale < STEPS else name]

    def _between(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def _flip(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def _one_of(self, *choices: Any) -> Any:
        return choices[self._between(0, len(choices) - 1)]


def random_images(shape: tuple[int, ...], dtype: str, count: int, seed: int) -> list[np.ndarray[Any, Any]]:
    """Inputs that differ much: noise, patches, and the ends of the range."""
    rng, low = np.random.default_rng(seed), -128 if dtype == "int8" else 0
    images = []
    for number in range(count):
        image = rng.integers(0, 256, shape)
        if number % 3 == 1:
            image = np.broadcast_to(rng.integers(0, 256, (1, 1, shape[-1])), shape) + rng.integers(-9, 10, shape)
        if number % 3 == 2:
            image = np.where(rng.random(shape) < 0.5, 0, 255)
        images.append((np.clip(image, 0, 255) + low).astype(dtype))
    return images
