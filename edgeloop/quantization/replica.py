"""An int8 file as TensorFlow operations that round where the file rounds, beside those of its float file: what can be learned of.

Rounding has the gradient 1 between the ends of the range (straight-through estimator: Y. Bengio et al. 2013, arXiv 1308.3432), so that
weights, biases and the scales of weights and activations can all be learned (the latter as in S. Esser et al., "Learned Step Size
Quantization", ICLR 2020, arXiv 1902.08153). The learned values are written into the file's own places: no operator or tensor is added.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.quantization.compare import matched
from edgeloop.tflite.graph import Graph, Operator, Tensor, graph_of

KERNEL_AXES = {"CONV_2D": (1, 2, 3, 0), "DEPTHWISE_CONV_2D": (1, 2, 3, 0), "FULLY_CONNECTED": (1, 0)}
"""Operators with weights, and how TensorFlow orders the dimensions of the file's: output channels last (depthwise: already there)."""
SAME_SCALE = ("PAD", "AVERAGE_POOL_2D", "RESHAPE")
"""Operators whose output has the scale of their input (TensorFlow Lite's quantization specification)."""
WINDOW = {0: "SAME", 1: "VALID"}
"""schema.fbs: Padding."""
LEAST, MOST, MOST_WEIGHT = -128.0, 127.0, 127.0
Values = Any
"""A TensorFlow tensor or variable; TensorFlow is imported late."""


def obstacle(floating: bytes, quantized: bytes) -> str:
    """Why there is no replica of an int8 file, in words; empty where there is one."""
    exact, rounded = graph_of(floating), graph_of(quantized)
    pairs = matched(exact, rounded)
    names = [one.name for one, _ in pairs]
    if not pairs:
        return "the int8 file has other operators than the float file"
    if names.count("SOFTMAX") != 1 or set(names[names.index("SOFTMAX") + 1 :]) - {"RESHAPE"}:
        return "the model does not end in a SOFTMAX"
    if unknown := sorted(set(names) - OPERATIONS.keys() - {"SOFTMAX"}):
        return f"it does not cover {' and '.join(unknown)}"
    if odd := next((one.name for one, _ in pairs if one.options.get("FusedActivationFunction", 0) not in ACTIVATIONS), None):
        return f"it does not cover the activation of a {odd}"
    if skewed := next((one.name for one, _ in pairs if one.options.get("StrideH") != one.options.get("StrideW")), None):
        return f"it does not cover a {skewed} whose strides differ"
    if uneven := next((one.name for pair in pairs for one in pair[:1] if not _has_own_weights(exact, rounded, *pair)), None):
        return f"a {uneven} has no weights and biases of its own"
    return ""


def _has_own_weights(exact: Graph, rounded: Graph, one: Operator, other: Operator) -> bool:
    """Whether an operator has a kernel and a bias that no other one uses, or takes none."""
    if one.name not in KERNEL_AXES:
        return True
    wanted = ((exact, one, ("FLOAT32", "FLOAT32")), (rounded, other, ("INT8", "INT32")))
    for graph, operator, types in wanted:
        uses = Counter(graph.tensors[tensor].buffer for each in graph.operators for tensor in each.inputs if tensor >= 0)
        for place, dtype in zip((1, 2), types, strict=True):
            tensor = graph.operand(operator, place)
            if tensor is None or tensor.dtype != dtype or not tensor.constant_bytes or uses[tensor.buffer] != 1:
                return False
    return True


@dataclass(frozen=True, eq=False)
class Layer:
    """What is learned of an operator with weights, and what it was in the float file."""

    kernel: Values
    """In TensorFlow's order, in steps of its scale."""
    scales: NDArray[np.float32]
    """The scales of the kernel in the file, in a shape that multiplies it."""
    stretch: Values
    """The natural logarithm of what these scales are multiplied with: one for all, or in their shape."""
    bias: Values
    """In steps of the output's scale in the file."""
    unit: float
    exact_kernel: NDArray[np.float32]
    exact_bias: NDArray[np.float32]


class Replica:
    """A float file and its int8 file (without an `obstacle`) as TensorFlow operations over many images, up to the softmax."""

    def __init__(self, floating: bytes, quantized: bytes) -> None:
        import tensorflow as tf

        self._content = bytearray(quantized)
        self._exact, self._rounded = graph_of(floating), graph_of(self._content)
        pairs = matched(self._exact, self._rounded)
        self._pairs = pairs[: [one.name for one, _ in pairs].index("SOFTMAX")]
        self._root = self._roots(pairs)
        self._stretches = {root: tf.Variable(0.0) for root in dict.fromkeys(self._root.values())}
        self._layers = {place: self._layer(*pair) for place, pair in enumerate(self._pairs) if pair[0].name in KERNEL_AXES}

    @property
    def kernels(self) -> list[Values]:
        return [layer.kernel for layer in self._layers.values()]

    @property
    def biases(self) -> list[Values]:
        return [layer.bias for layer in self._layers.values()]

    @property
    def activation_stretches(self) -> list[Values]:
        return list(self._stretches.values())

    @property
    def kernel_stretches(self) -> list[Values]:
        return [layer.stretch for layer in self._layers.values()]

    def exact_logits(self, images: Values) -> Values:
        """The logits of the float file: (n, classes) for (n, height, width, channels) in the stated range."""
        return self._logits(images, lambda layer: (layer.exact_kernel, layer.exact_bias), lambda values, _: values)

    def rounded_logits(self, pixels: Values) -> Values:
        """The logits of the int8 file, with what is learned: (n, classes) for (n, height, width, channels) float32 pixels, 0 to 255.

        A pixel does not stand for quite the value that the float file takes: of the range -1 to 1 the zero point is 127, not 127.5.
        """
        image = self._rounded.tensors[self._rounded.inputs[0]]
        images = (pixels - float(image.zero_points[0])) * float(image.scales[0])
        return self._logits(images, self._rounded_weights, self._rounded_values)

    def written(self) -> bytes:
        """The int8 file with what was learned."""
        for tensor, root in self._root.items():
            self._rounded.tensors[tensor].scales[...] *= np.exp(self._stretches[root].numpy())
        for place, layer in self._layers.items():
            self._write(self._pairs[place][1], layer)
        return bytes(self._content)

    def _roots(self, pairs: list[tuple[Operator, Operator]]) -> dict[int, int]:
        """For each computed tensor of the int8 file whose scale is learned: the one that it has its scale from.

        That of the pixels stays, and that of a softmax, with all that has theirs.
        """
        roots: dict[int, int] = {}
        for _, operator in pairs:
            (output,) = operator.outputs
            if operator.name not in (*SAME_SCALE, "SOFTMAX"):
                roots[output] = output
            elif operator.name in SAME_SCALE and operator.inputs[0] in roots:
                roots[output] = roots[operator.inputs[0]]
        return roots

    def _layer(self, one: Operator, other: Operator) -> Layer:
        import tensorflow as tf

        (_, kernel, bias), (_, stored, _) = _operands(self._exact, one), _operands(self._rounded, other)
        ordered = _ordered(one, self._exact, _floats(kernel))
        scales = stored.scales
        if scales.size > 1:
            scales = scales.reshape((1, 1, *ordered.shape[2:]) if one.name == "DEPTHWISE_CONV_2D" else (1,) * (ordered.ndim - 1) + (-1,))
        unit = float(self._rounded.tensors[other.outputs[0]].scales[0])
        return Layer(
            kernel=tf.Variable(ordered / scales),
            scales=scales.copy(),
            stretch=tf.Variable(np.zeros_like(scales)),
            bias=tf.Variable(_floats(bias) / np.float32(unit)),
            unit=unit,
            exact_kernel=ordered,
            exact_bias=_floats(bias),
        )

    def _logits(self, images: Values, weights: Callable[[Layer], tuple[Values, Values]], stored: Callable[[Values, int], Values]) -> Values:
        import tensorflow as tf

        computed = {self._exact.inputs[0]: images}
        for place, (one, other) in enumerate(self._pairs):
            inputs = [computed[tensor] for tensor in one.inputs if tensor in computed]
            inputs += weights(self._layers[place]) if place in self._layers else ()
            values = ACTIVATIONS[int(_number(one, "FusedActivationFunction"))](OPERATIONS[one.name](self._exact, one, *inputs))
            computed[one.outputs[0]] = stored(values, other.outputs[0])
        logits = computed[self._pairs[-1][0].outputs[0]]
        return tf.reshape(logits, (-1, logits.shape[-1]))

    def _rounded_weights(self, layer: Layer) -> tuple[Values, Values]:
        import tensorflow as tf

        stretch = tf.exp(layer.stretch)
        return _rounded(layer.kernel / stretch, -MOST_WEIGHT, MOST_WEIGHT) * stretch * layer.scales, layer.bias * layer.unit

    def _rounded_values(self, values: Values, tensor: int) -> Values:
        import tensorflow as tf

        kept = self._rounded.tensors[tensor]
        scale, zero_point = float(kept.scales[0]), float(kept.zero_points[0])
        if tensor in self._root:
            scale = scale * tf.exp(self._stretches[self._root[tensor]])
        return _rounded(values / scale, LEAST - zero_point, MOST - zero_point) * scale

    def _write(self, operator: Operator, layer: Layer) -> None:
        """The integers and scales of an operator's weights; those of its input must be in place."""
        source, kernel, bias = _operands(self._rounded, operator)
        stretch = np.exp(layer.stretch.numpy())
        integers = np.clip(np.round(layer.kernel.numpy() / stretch), -MOST_WEIGHT, MOST_WEIGHT)
        kernel.scales[...] *= stretch.reshape(-1)
        bias.scales[...] = source.scales * kernel.scales
        kernel.stored.view(np.int8).reshape(kernel.shape)[...] = _in_order_of_file(operator, integers, kernel.shape)
        limits, exact = np.iinfo(np.int32), layer.bias.numpy().astype(np.float64) * layer.unit / bias.scales.astype(np.float64)
        bias.stored.view(np.int32)[...] = np.clip(np.round(exact), limits.min, limits.max).astype(np.int32)


def _rounded(values: Values, least: float, most: float) -> Values:
    """Integers between the ends; the gradient is that of the clipped values."""
    import tensorflow as tf

    clipped = tf.clip_by_value(values, least, most)
    return clipped + tf.stop_gradient(tf.round(clipped) - clipped)


def _operands(graph: Graph, operator: Operator) -> tuple[Tensor, Tensor, Tensor]:
    source, kernel, bias = (graph.tensors[place] for place in operator.inputs[:3])
    return source, kernel, bias


def _floats(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.stored.view(np.float32).reshape(tensor.shape)


def _integers(graph: Graph, operator: Operator) -> NDArray[np.int32]:
    """The constant second operand: paddings or axes."""
    return graph.tensors[operator.inputs[1]].stored.view(np.int32)


def _ordered(operator: Operator, graph: Graph, kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    if operator.name != "DEPTHWISE_CONV_2D":
        return np.ascontiguousarray(kernel.transpose(KERNEL_AXES[operator.name]))
    _, height, width, _ = kernel.shape
    return kernel.reshape(height, width, graph.tensors[operator.inputs[0]].shape[-1], -1).copy()


def _in_order_of_file(operator: Operator, kernel: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return kernel.reshape(shape) if operator.name == "DEPTHWISE_CONV_2D" else np.moveaxis(kernel, -1, 0)


# What each operator computes, in float.


def _number(operator: Operator, setting: str, default: int = 0) -> float:
    value = operator.options.get(setting, default)
    assert not isinstance(value, tuple), f"{setting} is one number"
    return value


def _strides(operator: Operator) -> list[int]:
    return [1, int(_number(operator, "StrideH")), int(_number(operator, "StrideW")), 1]


def _dilations(operator: Operator) -> list[int]:
    return [int(_number(operator, f"Dilation{side}Factor", 1)) for side in "HW"]


def _window(operator: Operator) -> str:
    return WINDOW[int(_number(operator, "Padding"))]


def _convolution(_: Graph, operator: Operator, images: Values, kernel: Values, bias: Values) -> Values:
    import tensorflow as tf

    return tf.nn.conv2d(images, kernel, _strides(operator), _window(operator), dilations=_dilations(operator)) + bias


def _depthwise(_: Graph, operator: Operator, images: Values, kernel: Values, bias: Values) -> Values:
    import tensorflow as tf

    return tf.nn.depthwise_conv2d(images, kernel, _strides(operator), _window(operator), dilations=_dilations(operator)) + bias


def _dense(_: Graph, __: Operator, images: Values, kernel: Values, bias: Values) -> Values:
    import tensorflow as tf

    return tf.reshape(images, (-1, kernel.shape[0])) @ kernel + bias


def _pad(graph: Graph, operator: Operator, images: Values) -> Values:
    import tensorflow as tf

    return tf.pad(images, _integers(graph, operator).reshape(-1, 2))


def _mean(graph: Graph, operator: Operator, images: Values) -> Values:
    import tensorflow as tf

    return tf.reduce_mean(images, _integers(graph, operator).tolist(), keepdims=bool(_number(operator, "KeepDims")))


def _average_pool(_: Graph, operator: Operator, images: Values) -> Values:
    import tensorflow as tf

    size = [int(_number(operator, f"Filter{side}")) for side in ("Height", "Width")]
    return tf.nn.avg_pool2d(images, size, _strides(operator), _window(operator))


def _reshape(graph: Graph, operator: Operator, images: Values) -> Values:
    import tensorflow as tf

    return tf.reshape(images, (-1, *graph.tensors[operator.outputs[0]].shape[1:]))


def _relu(values: Values) -> Values:
    import tensorflow as tf

    return tf.nn.relu(values)


def _relu6(values: Values) -> Values:
    import tensorflow as tf

    return tf.nn.relu6(values)


OPERATIONS: Mapping[str, Callable[..., Values]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "PAD": _pad,
    "MEAN": _mean,
    "AVERAGE_POOL_2D": _average_pool,
    "RESHAPE": _reshape,
    "ADD": lambda _, __, one, other: one + other,
    "RELU": lambda _, __, values: _relu(values),
    "RELU6": lambda _, __, values: _relu6(values),
}
ACTIVATIONS: Mapping[int, Callable[[Values], Values]] = {0: lambda values: values, 1: _relu, 3: _relu6}
"""Those that are fused into an operator (schema.fbs: ActivationFunctionType)."""
