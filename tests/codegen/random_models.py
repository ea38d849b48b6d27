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
        self.sigmoids: set[int] = set()

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
        layers += [self.pad, self.pool, self.pool, self.rectify, self.requantize, self.curve, self.leaky_relu]
        layers += [self.multiply, self.gate, self.prelu, self.join, self.join, self.slice, self.split, self.resize]
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
        if value.tensor in self.sigmoids and math.prod(value.shape) > 1:
            value = self.rectify(value)  # Several classes that are active at once are refused.
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
        outputs, groups = self._between(1, 11), 1
        if self._flip(0.1):
            groups = self._one_of(*(size for size in range(1, channels + 1) if channels % size == 0))
            outputs = groups * self._between(1, 3)
        size = self._one_of((1, 1), (1, 1), (3, 3), (5, 5), (1, 3), (7, 7), (2, 2), (4, 3))
        window = self._window(value, size, (1, 1, 2, 2, 3))
        weights = self._weights((outputs, *size, channels // groups))
        return self._multiplied("CONV_2D", "Conv2DOptions", value, weights, 0, (1, *window.pop("shape"), outputs), window)

    def depthwise(self, value: Drawn) -> Drawn:
        multiplier = self._one_of(1, 1, 1, 1, 2, 3)
        channels = value.shape[3] * multiplier
        size = self._one_of((3, 3), (3, 3), (5, 5), (3, 1), (2, 2), (1, 4))
        window = self._window(value, size, (1, 1, 2, 2, 3))
        weights = self._weights((1, *size, channels))
        window["depthMultiplier"] = multiplier
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

    def pool(self, value: Drawn) -> Drawn:
        size = (self._between(1, 4), self._between(1, 4))
        window = self._window(value, size, (1, 2, 3), dilated=False)
        output = self._moved(value, (1, *window.pop("shape"), value.shape[3]))
        del window["dilationHFactor"], window["dilationWFactor"]
        window |= {"filterHeight": size[0], "filterWidth": size[1], "fusedActivationFunction": self._activation(value.scale)}
        name = self._one_of("AVERAGE_POOL_2D", "MAX_POOL_2D")
        self.file.operator(name, [value.tensor], [output.tensor], "Pool2DOptions", **window)
        return output

    def add(self, value: Drawn) -> Drawn:
        """Or subtract: with an earlier value, if need be with itself, or with a constant."""
        other = self._partner(value)
        scale = self._output_scale(60 * math.hypot(value.scale, other.scale))
        return self._paired(self._one_of("ADD", "ADD", "SUB"), value, other, scale, self._activation(scale))

    def multiply(self, value: Drawn) -> Drawn:
        other = self._partner(value)
        scale = self._output_scale(3000 * value.scale * other.scale)
        return self._paired("MUL", value, other, scale, self._activation(scale))

    def prelu(self, value: Drawn) -> Drawn:
        output = self._output(value.shape, self._output_scale(60 * value.scale))
        alpha = self._constant((1,) * (len(value.shape) - 2) + value.shape[-1:], float(self.rng.uniform(0.001, 0.01)))
        self.file.operator("PRELU", [value.tensor, alpha.tensor], [output.tensor])
        return output

    def _partner(self, value: Drawn) -> Drawn:
        """Of the same shape, or one that stretches over it."""
        if self._flip(0.3):
            return self._constant(self._one_of((), value.shape[-1:], (1, *value.shape[1:])), value.scale * float(self.rng.uniform(0.2, 3)))
        fitting = [other for other in [*self.earlier, value] if _stretches(other.shape, value.shape)]
        return fitting[self._between(0, len(fitting) - 1)]

    def _constant(self, shape: tuple[int, ...], scale: float) -> Drawn:
        zero_point, stored = self._between(-128, 127), self.rng.integers(-128, 128, shape)
        return Drawn(self.file.tensor(shape, "int8", scale, zero_point, data=stored), shape, scale, zero_point)

    def _paired(self, name: str, value: Drawn, other: Drawn, scale: float, activation: int) -> Drawn:
        output = self._output(value.shape, scale, rectified=activation > 0)
        pair = [value.tensor, other.tensor][:: 1 if self._flip() else -1]
        self.file.operator(name, pair, [output.tensor], f"{name.title()}Options", fusedActivationFunction=activation)
        return output

    def rectify(self, value: Drawn) -> Drawn:
        scale = self._output_scale(value.scale * 60)
        output = self._output(value.shape, scale, rectified=True)
        name = "RELU6" if self._flip() and (self.extreme or scale < 6 / STEPS) else "RELU"
        self.file.operator(name, [value.tensor], [output.tensor])
        return output

    def curve(self, value: Drawn) -> Drawn:
        """A function of each value."""
        name = self._one_of("LOGISTIC", "TANH", "HARD_SWISH")
        scale, zero_point = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(name, (self._output_scale(value.scale * 60), -100))
        output = Drawn(self.file.tensor(value.shape, "int8", scale, zero_point), value.shape, scale, zero_point)
        self.file.operator(name, [value.tensor], [output.tensor])
        if name == "LOGISTIC":
            self.sigmoids.add(output.tensor)
        return output

    def gate(self, value: Drawn) -> Drawn:
        """Squeeze and excite: the mean of each channel, through a dense layer and a sigmoid, times all of the channel."""
        channels = value.shape[-1]
        weights = self._weights((channels, channels))
        dense = self._multiplied(
            "FULLY_CONNECTED", "FullyConnectedOptions", self.mean(value), weights, 0, (1, channels), {"keepNumDims": False}
        )
        factor = self._reshaped(self.curve(dense), (1, 1, 1, channels))
        return self._paired("MUL", value, factor, self._output_scale(3000 * value.scale * factor.scale), 0)

    def leaky_relu(self, value: Drawn) -> Drawn:
        output = self._output(value.shape, self._output_scale(value.scale * 60))
        self.file.operator("LEAKY_RELU", [value.tensor], [output.tensor], "LeakyReluOptions", alpha=float(self.rng.uniform(0.01, 1.5)))
        return output

    def requantize(self, value: Drawn) -> Drawn:
        output = self._output(value.shape, self._output_scale(value.scale * 60))
        self.file.operator("QUANTIZE", [value.tensor], [output.tensor])
        return output

    def pad(self, value: Drawn) -> Drawn:
        _, height, width, channels = value.shape
        top, bottom, left, right = (self._between(0, 2) for _ in range(4))
        shape = (1, height + top + bottom, width + left + right, channels)
        output = self._moved(value, shape)
        paddings = self.file.numbers(np.array([[0, 0], [top, bottom], [left, right], [0, 0]]))
        self.file.operator("PAD", [value.tensor, paddings], [output.tensor])
        return output

    def join(self, value: Drawn) -> Drawn:
        """With an earlier value that fits but for one dimension; both are brought to one scale first, where they differ."""
        axis = self._between(1, 3)
        fitting = [other for other in [*self.earlier, value] if all(other.shape[at] == value.shape[at] for at in (1, 2, 3) if at != axis)]
        parts = [value, *(fitting[self._between(0, len(fitting) - 1)] for _ in range(self._between(0, 2)))]
        parts = [part if self._alike(part, value) else self._requantized(part, value) for part in parts][:: 1 if self._flip() else -1]
        shape = tuple(sum(part.shape[at] for part in parts) if at == axis else size for at, size in enumerate(value.shape))
        output = self._moved(value, shape)
        axis -= 4 if self._flip() else 0
        self.file.operator("CONCATENATION", [part.tensor for part in parts], [output.tensor], "ConcatenationOptions", axis=axis)
        return output

    def slice(self, value: Drawn) -> Drawn:
        begins = [0, *(self._between(0, size - 1) for size in value.shape[1:])]
        sizes = [self._between(1, size - begin) for size, begin in zip(value.shape, begins, strict=True)]
        if self._flip(0.4):
            output = self._moved(value, tuple(sizes))
            to_end = [begin + count == size for begin, count, size in zip(begins, sizes, value.shape, strict=True)]
            taken = [-1 if last and self._flip() else count for last, count in zip(to_end, sizes, strict=True)]
            inputs = [value.tensor, self.file.numbers(begins), self.file.numbers(taken)]
            self.file.operator("SLICE", inputs, [output.tensor], "SliceOptions")
            return output
        steps = [1, *(self._between(1, 3) for _ in range(3))]
        output = self._moved(value, tuple(-(-size // step) for size, step in zip(sizes, steps, strict=True)))
        ends = [begin + size for begin, size in zip(begins, sizes, strict=True)]
        # Places count from the end as well.
        said = [
            [place - size if place < size and self._flip(0.3) else place for place, size in zip(places, value.shape, strict=True)]
            for places in (begins, ends)
        ]
        numbers = [self.file.numbers(each) for each in (*said, steps)]
        masks = {"beginMask": 1, "endMask": sum(1 << at for at in range(4) if ends[at] == value.shape[at])}
        self.file.operator("STRIDED_SLICE", [value.tensor, *numbers], [output.tensor], "StridedSliceOptions", **masks)
        return output

    def resize(self, value: Drawn) -> Drawn:
        kind, sizes = self._one_of("Bilinear", "NearestNeighbor"), [self._between(1, 14), self._between(1, 14)]
        output = self._moved(value, (1, *sizes, value.shape[3]))
        grid = self._one_of({"alignCorners": True}, {"halfPixelCenters": True}, {})
        name = {"Bilinear": "RESIZE_BILINEAR", "NearestNeighbor": "RESIZE_NEAREST_NEIGHBOR"}[kind]
        self.file.operator(name, [value.tensor, self.file.numbers(sizes)], [output.tensor], f"Resize{kind}Options", **grid)
        return output

    def split(self, value: Drawn) -> Drawn:
        """One of the parts goes on, another one may be joined later."""
        axis = self._between(1, 3)
        size = value.shape[axis]
        count = self._one_of(*(count for count in range(1, min(size, 4) + 1) if size % count == 0))
        sizes = [size // count] * count
        uneven = size > 1 and self._flip()
        if uneven:
            sizes = [(cut := self._between(1, size - 1)), size - cut]
        parts = [self._moved(value, (*value.shape[:axis], part, *value.shape[axis + 1 :])) for part in sizes]
        outputs, place = [part.tensor for part in parts], self.file.numbers(np.array(axis - 4 if self._flip() else axis))
        if uneven:
            inputs = [value.tensor, self.file.numbers([*sizes[:-1], -1] if self._flip() else sizes), place]
            self.file.operator("SPLIT_V", inputs, outputs, "SplitVOptions", numSplits=len(sizes))
        else:
            self.file.operator("SPLIT", [place, value.tensor], outputs, "SplitOptions", numSplits=count)
        self.earlier.append(parts[-1])
        return parts[0]

    def _alike(self, one: Drawn, other: Drawn) -> bool:
        return (one.scale, one.zero_point) == (other.scale, other.zero_point)

    def _requantized(self, value: Drawn, like: Drawn) -> Drawn:
        output = self._moved(like, value.shape)
        self.file.operator("QUANTIZE", [value.tensor], [output.tensor])
        return output

    def reshape(self, value: Drawn) -> Drawn:
        count = math.prod(value.shape)
        return self._reshaped(value, self._one_of((1, count), (1, 1, 1, count)))

    def _reshaped(self, value: Drawn, shape: tuple[int, ...]) -> Drawn:
        output = self._moved(value, shape)
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

    def _window(self, value: Drawn, size: tuple[int, int], strides: tuple[int, ...], *, dilated: bool = True) -> dict[str, Any]:
        """Fields of an options table, and the (rows, columns) of the output as `shape`."""
        _, height, width, _ = value.shape
        strides = (self._one_of(*strides), self._one_of(*strides))
        dilation = (self._between(1, 3), self._between(1, 3)) if dilated and self._flip(0.15) else (1, 1)
        reach = [(length - 1) * apart + 1 for length, apart in zip(size, dilation, strict=True)]
        same = self._flip(0.7) or reach[0] > height or reach[1] > width
        shape = tuple(
            -(-length // stride) if same else (length - window) // stride + 1
            for length, window, stride in zip((height, width), reach, strides, strict=True)
        )
        return {
            "padding": 0 if same else 1,
            "strideH": strides[0],
            "strideW": strides[1],
            "dilationHFactor": dilation[0],
            "dilationWFactor": dilation[1],
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

    def _moved(self, value: Drawn, shape: tuple[int, ...]) -> Drawn:
        """An output of other shape that is quantized as its input."""
        return Drawn(self.file.tensor(shape, "int8", value.scale, value.zero_point), shape, value.scale, value.zero_point)

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


def red_or_not(ending: str) -> bytes:
    """Two classes by the red of 16x16 pixels: one `sigmoid`, two `logits`, or `labels` of which several may be active."""
    file, outputs = ModelFile(), 1 if ending == "sigmoid" else 2
    image = file.tensor((1, 16, 16, 3), "uint8", 1 / 255, 0)
    shifted, mean = file.tensor((1, 16, 16, 3), scale=1 / 255, zero_point=-128), file.tensor((1, 3), scale=1 / 255, zero_point=-128)
    file.operator("QUANTIZE", [image], [shifted])
    file.operator("MEAN", [shifted, file.numbers([1, 2])], [mean], "ReducerOptions", keepDims=False)
    weights = file.tensor((outputs, 3), scale=0.1, data=np.array([[-120, 60, 60], [120, -60, -60]])[-outputs:])
    logits = file.tensor((1, outputs), scale=0.1)
    file.operator("FULLY_CONNECTED", [mean, weights, -1], [logits], "FullyConnectedOptions")
    if ending == "logits":
        return file.content([image], [logits])
    scores, reals = file.tensor((1, outputs), scale=1 / 256, zero_point=-128), file.tensor((1, outputs), "float32")
    file.operator("LOGISTIC", [logits], [scores])
    file.operator("DEQUANTIZE", [scores], [reals])
    return file.content([image], [reals])


def _stretches(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether sizes of 1 are all that two shapes differ in, and only the first has such."""
    return len(small) == len(large) and all(one in (1, other) for one, other in zip(small, large, strict=True))


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
