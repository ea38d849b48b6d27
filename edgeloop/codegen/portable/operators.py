"""Each operator of TensorFlow Lite that the portable generator takes, as a layer: attributes checked, scales resolved.

What an operator computes, and what its attributes mean, is that of the reference kernels (tensorflow/lite/kernels).
"""

from collections.abc import Callable

from edgeloop.codegen.portable import fixed_point
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
    Reshape,
    Softmax,
    Value,
)
from edgeloop.codegen.portable.step import QUANTIZE_IT, Step
from edgeloop.codegen.portable.weights import MOST_SCALED, WORST_FACTOR, check_scaled, check_sums, reaches, read_kernel
from edgeloop.codegen.portable.windows import MOST_WINDOW, sliding

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
"""schema.fbs: ActivationFunctionType."""
DEFAULT_WEIGHTS_FORMAT = 0
DEPTHWISE_SIZES = (3, 5)
CONVOLUTION_STRIDES = (1, 2)
SOFTMAX_SCALE, SOFTMAX_ZERO_POINT = 1 / 256, -128


def convolution(step: Step) -> Layer:
    """CONV_2D."""
    step.expect_inputs(2, 3)
    taken = step.int8(0)
    kernel = read_kernel(step, channel_axis=0, dimensions=4)
    outputs, height, width, channels = kernel.weights.shape
    if channels != taken.channels:
        raise step.refuse(f"has weights for {channels} of {taken.channels} input channels (groups)")
    if height % 2 == 0 or width % 2 == 0:
        raise step.refuse(f"has a window of {height}x{width}, and the kernels take odd sizes")
    window, rows, columns = sliding(step, taken, height, width, CONVOLUTION_STRIDES)
    output = step.int8_output(1, rows, columns, outputs)
    scalings = fixed_point.convolution_scalings(taken.scale, kernel.scales, output.scale)
    check_sums(step, kernel.weights.reshape(outputs, -1), kernel.bias, scalings)
    return Convolution(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=output,
        weights=kernel.weights,
        bias=kernel.bias,
        scalings=scalings,
        window=window,
        limits=_limits(step, output),
    )


def depthwise(step: Step) -> Layer:
    """DEPTHWISE_CONV_2D."""
    step.expect_inputs(2, 3)
    taken = step.int8(0)
    kernel = read_kernel(step, channel_axis=3, dimensions=4)
    batch, height, width, channels = kernel.weights.shape
    if batch != 1 or channels != taken.channels or step.option("DepthMultiplier") != 1:
        raise step.refuse(f"makes {channels} channels of {taken.channels}, and the kernels take the depth multiplier 1")
    if height != width or height not in DEPTHWISE_SIZES:
        raise step.refuse(f"has a window of {height}x{width}, and the kernels take 3x3 and 5x5")
    window, rows, columns = sliding(step, taken, height, width, CONVOLUTION_STRIDES)
    output = step.int8_output(1, rows, columns, channels)
    scalings = fixed_point.convolution_scalings(taken.scale, kernel.scales, output.scale)
    weights = kernel.weights.reshape(height, width, channels)
    check_sums(step, weights.reshape(-1, channels).T, kernel.bias, scalings)
    return Depthwise(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=output,
        weights=weights,
        bias=kernel.bias,
        scalings=scalings,
        window=window,
        limits=_limits(step, output),
    )


def dense(step: Step) -> Layer:
    """FULLY_CONNECTED on one vector."""
    step.expect_inputs(2, 3)
    taken = step.int8(0)
    if step.option("WeightsFormat") != DEFAULT_WEIGHTS_FORMAT:
        raise step.refuse("has shuffled weights", QUANTIZE_IT)
    kernel = read_kernel(step, channel_axis=0, dimensions=2)
    outputs, count = kernel.weights.shape
    if count != taken.elements:
        raise step.refuse(f"takes vectors of {count} from an input of {taken.elements}, and the kernel takes one vector")
    leading = (1,) * (len(step.shape(taken)) - 1 if step.option("KeepNumDims") else 1)
    output = step.int8_output(*leading, outputs)
    factors = fixed_point.dense_factors(taken.scale, kernel.scales, output.scale)
    for reach, factor in zip(reaches(kernel.weights, kernel.bias), factors, strict=True):
        if max(reach, reach * factor) > MOST_SCALED:
            raise step.refuse(f"can leave 32 bits: its sums reach {reach}, scaled by {factor:g}", QUANTIZE_IT)
    return Dense(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=output,
        weights=kernel.weights,
        bias=kernel.bias,
        factors=factors,
        limits=_limits(step, output),
    )


def mean(step: Step) -> Layer:
    """MEAN over height and width."""
    step.expect_inputs(2, 2)
    taken = step.int8(0)
    dimensions = len(step.shape(taken))
    axes = step.integers(1)
    if dimensions != 4 or {axis + dimensions if axis < 0 else axis for axis in axes} != {1, 2}:
        raise step.refuse(f"averages the dimensions {axes} of {dimensions}, and the kernel averages height and width")
    output = step.int8_output(*((1, 1, 1) if step.option("KeepDims") else (1,)), taken.channels)
    count = taken.height * taken.width
    scaling = fixed_point.mean_scaling(taken.scale, output.scale, count)
    check_scaled(step, WORST_FACTOR * count, scaling)
    return Mean(position=step.position, operator=step.operator.name, inputs=(taken,), output=output, scaling=scaling)


def average_pool(step: Step) -> Layer:
    """AVERAGE_POOL_2D."""
    step.expect_inputs(1, 1)
    taken = step.int8(0)
    window, rows, columns = sliding(step, taken, step.option("FilterHeight"), step.option("FilterWidth"), range(1, MOST_WINDOW + 1))
    output = step.int8_output(1, rows, columns, taken.channels)
    step.like(taken)
    return AveragePool(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=output,
        window=window,
        limits=_limits(step, output),
    )


def add(step: Step) -> Layer:
    """ADD of two values of one shape."""
    step.expect_inputs(2, 2)
    first, second = step.int8(0), step.int8(1)
    if step.shape(first) != step.shape(second):
        raise step.refuse(f"adds the shapes {step.shape(first)} and {step.shape(second)}, and the kernel adds values of one shape")
    output = step.int8_output(*step.shape(first))
    one, other, both = fixed_point.add_scalings(first.scale, second.scale, output.scale)
    return Add(
        position=step.position,
        operator=step.operator.name,
        inputs=(first, second),
        output=output,
        input_scalings=(one, other),
        output_scaling=both,
        limits=_limits(step, output),
    )


def rectify(step: Step) -> Layer:
    """RELU and RELU6 as operators of their own."""
    step.expect_inputs(1, 1)
    taken = step.int8(0)
    output = step.int8_output(*step.shape(taken))
    scaling = fixed_point.rectifier_scaling(taken.scale, output.scale)
    check_scaled(step, WORST_FACTOR, scaling)
    return Rectify(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=output,
        scaling=scaling,
        limits=fixed_point.activation_limits(step.operator.name, output.scale, output.zero_point),
    )


def pad(step: Step) -> Layer:
    """PAD of rows and columns."""
    step.expect_inputs(2, 2)
    taken = step.int8(0)
    paddings, constant = step.integers(1, dimensions=2), step.graph.operand(step.operator, 1)
    if constant is None or constant.shape != (4, 2) or len(step.shape(taken)) != 4:
        raise step.refuse("pads other than four dimensions")
    _, _, top, bottom, left, right, *_ = paddings
    if min(paddings) < 0 or any(paddings[:2]) or any(paddings[6:]):
        raise step.refuse(f"pads by {paddings}, and the kernel pads rows and columns")
    output = step.of_shape(step.like(taken), 1, taken.height + top + bottom, taken.width + left + right, taken.channels)
    return Pad(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=output,
        top=top,
        left=left,
        fill=output.zero_point,
    )


def reshape(step: Step) -> Layer:
    """RESHAPE to a shape that the file knows, or that follows from a batch of 1."""
    step.expect_inputs(1, 2)
    taken = step.int8(0)
    output, asked = step.like(taken), _asked_shape(step)
    claimed = step.shape(output)
    if _resolved(asked, taken.elements) != list(claimed) or output.elements != taken.elements:
        raise step.refuse(f"makes {claimed} of {taken.elements} values where {asked} is asked for", "Convert the model again.")
    return Reshape(position=step.position, operator=step.operator.name, inputs=(taken,), output=output)


def softmax(step: Step) -> Layer:
    """SOFTMAX over the last dimension."""
    step.expect_inputs(1, 1)
    taken = step.int8(0)
    output = step.int8_output(*step.shape(taken))
    if (output.scale, output.zero_point) != (SOFTMAX_SCALE, SOFTMAX_ZERO_POINT):
        raise step.refuse(f"has an output of scale {output.scale:g} and zero point {output.zero_point}, where 1/256 and -128 are expected")
    beta = step.operator.options.get("Beta")
    if not isinstance(beta, float):
        raise step.refuse("does not say its Beta", "Convert the model again.")
    multiplier, left_shift, lowest = fixed_point.softmax_scaling(beta, taken.scale)
    return Softmax(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=output,
        multiplier=multiplier,
        left_shift=left_shift,
        lowest_difference=lowest,
    )


def quantize(step: Step) -> Layer:
    """QUANTIZE from one integer type to another."""
    step.expect_inputs(1, 1)
    taken, output = step.value(0), step.output()
    if "float32" in (taken.dtype, output.dtype):
        raise step.refuse(f"makes {output.dtype} of {taken.dtype}, and the kernel takes int8 and uint8", QUANTIZE_IT)
    scaling = fixed_point.requantize_scaling(taken.scale, output.scale)
    check_scaled(step, WORST_FACTOR, scaling)
    return Requantize(
        position=step.position,
        operator=step.operator.name,
        inputs=(taken,),
        output=step.of_shape(output, *step.shape(taken)),
        scaling=scaling,
    )


def dequantize(step: Step) -> Layer:
    """DEQUANTIZE to float32."""
    step.expect_inputs(1, 1)
    taken, output = step.value(0), step.output()
    if taken.dtype == "float32" or output.dtype != "float32":
        raise step.refuse(f"makes {output.dtype} of {taken.dtype}, and the kernel makes float32 of integers", QUANTIZE_IT)
    return Dequantize(
        position=step.position, operator=step.operator.name, inputs=(taken,), output=step.of_shape(output, *step.shape(taken))
    )


LAYERS: dict[str, Callable[[Step], Layer]] = {
    "CONV_2D": convolution,
    "DEPTHWISE_CONV_2D": depthwise,
    "FULLY_CONNECTED": dense,
    "MEAN": mean,
    "AVERAGE_POOL_2D": average_pool,
    "ADD": add,
    "RELU": rectify,
    "RELU6": rectify,
    "PAD": pad,
    "RESHAPE": reshape,
    "SOFTMAX": softmax,
    "QUANTIZE": quantize,
    "DEQUANTIZE": dequantize,
}


def _limits(step: Step, output: Value) -> Limits:
    code = step.option("FusedActivationFunction")
    name = ACTIVATIONS[code] if 0 <= code < len(ACTIVATIONS) else f"activation {code}"
    if name not in fixed_point.ACTIVATIONS:
        raise step.refuse(f"is fused with {name}, and the kernels take NONE, RELU, RELU6 and RELU_N1_TO_1")
    return fixed_point.activation_limits(name, output.scale, output.zero_point)


def _asked_shape(step: Step) -> list[int]:
    """What a RESHAPE says: its second input or, without one, its options."""
    if step.graph.operand(step.operator, 1) is not None:
        return step.integers(1, dimensions=1)
    asked = step.operator.options.get("NewShape")
    return list(asked) if isinstance(asked, tuple) else []


def _resolved(shape: list[int], elements: int) -> list[int]:
    """The shape with its one open size (-1) filled in; empty where that is not possible."""
    known = 1
    for size in shape:
        known *= size if size != -1 else 1
    if shape.count(-1) == 0:
        return shape
    if shape.count(-1) > 1 or known <= 0 or elements % known:
        return []
    return [elements // known if size == -1 else size for size in shape]
