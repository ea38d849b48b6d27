"""What the importer does not take is refused by the operator's name and position, with a remedy; nothing is guessed."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_file import ModelFile, packed, unpacked

from edgeloop.codegen.portable.check import check
from edgeloop.codegen.portable.importer import MOST_OPERATORS, read_network
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators import Convolution
from edgeloop.codegen.portable.values import Limits, Scaling, Window
from edgeloop.errors import EdgeloopError, InputError, ModelError

Change = Callable[[Any], None]
QUANTIZE, CONVOLUTION, DEPTHWISE, ADD, MEAN, DENSE, SOFTMAX, DEQUANTIZE = range(8)
"""Positions of the operators of `plain`."""


def plain() -> ModelFile:
    """uint8 (9, 7, 3) in, float32 (5,) out, every kind of operator that has something to refuse."""
    rng, file = np.random.default_rng(0), ModelFile()
    image = file.tensor((1, 9, 7, 3), "uint8", 0.01, 128)
    shifted = file.tensor((1, 9, 7, 3), scale=0.01)
    file.operator("QUANTIZE", [image], [shifted])
    window = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": 0}
    features = file.tensor((1, 9, 7, 4), scale=0.02, zero_point=-128)
    kernel = file.tensor((4, 3, 3, 3), scale=np.full(4, 0.01), data=rng.integers(-127, 128, (4, 3, 3, 3)))
    bias = file.tensor((4,), "int32", np.full(4, 0.0001), data=np.arange(4))
    file.operator("CONV_2D", [shifted, kernel, bias], [features], "Conv2DOptions", fusedActivationFunction=1, **window)
    deep = file.tensor((1, 9, 7, 4), scale=0.02, zero_point=-5)
    kernel = file.tensor((1, 3, 3, 4), scale=np.full(4, 0.01), axis=3, data=rng.integers(-127, 128, (1, 3, 3, 4)))
    file.operator("DEPTHWISE_CONV_2D", [features, kernel, bias], [deep], "DepthwiseConv2DOptions", depthMultiplier=1, **window)
    added = file.tensor((1, 9, 7, 4), scale=0.03)
    file.operator("ADD", [features, deep], [added], "AddOptions")
    pooled = file.tensor((1, 4), scale=0.01)
    file.operator("MEAN", [added, file.numbers([1, 2])], [pooled], "ReducerOptions", keepDims=False)
    logits = file.tensor((1, 5), scale=0.1)
    kernel = file.tensor((5, 4), scale=0.02, data=rng.integers(-127, 128, (5, 4)))
    file.operator("FULLY_CONNECTED", [pooled, kernel, -1], [logits], "FullyConnectedOptions")
    scores = file.tensor((1, 5), scale=1 / 256, zero_point=-128)
    file.operator("SOFTMAX", [logits], [scores], "SoftmaxOptions", beta=1.0)
    file.operator("DEQUANTIZE", [scores], [file.tensor((1, 5), "float32")])
    return file


@pytest.fixture
def content() -> bytes:
    file = plain()
    return file.content([0], [len(file.graph.tensors) - 1])


@pytest.fixture
def network(content: bytes, tmp_path: Path) -> Network:
    (tmp_path / "plain.tflite").write_bytes(content)
    return read_network(tmp_path / "plain.tflite")


def changed(content: bytes, change: Change, path: Path) -> Path:
    model = unpacked(content)
    change(model)
    path.write_bytes(packed(model))
    return path


def options(position: int, **settings: Any) -> Change:
    """Other settings of the operator at that position."""

    def change(model: Any) -> None:
        for name, setting in settings.items():
            assert hasattr(model.subgraphs[0].operators[position].builtinOptions, name)
            setattr(model.subgraphs[0].operators[position].builtinOptions, name, setting)

    return change


def operand(position: int, place: int, **settings: Any) -> Change:
    """Other fields of an input tensor (or, for place -1, of the output) of the operator at that position."""

    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        operator = graph.operators[position]
        tensor = graph.tensors[operator.outputs[0] if place < 0 else operator.inputs[place]]
        for name, setting in settings.items():
            holder = tensor if hasattr(tensor, name) else tensor.quantization
            assert hasattr(holder, name)
            setattr(holder, name, setting)

    return change


def inputs(position: int, *operands: int) -> Change:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[position].inputs = list(operands)

    return change


def code(position: int, name: str) -> Change:
    """Another operator at that position."""

    def change(model: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        number = getattr(schema.BuiltinOperator, name)
        entry = model.operatorCodes[model.subgraphs[0].operators[position].opcodeIndex]
        entry.builtinCode, entry.deprecatedBuiltinCode = number, min(number, 127)

    return change


def ends(**settings: list[int]) -> Change:
    def change(model: Any) -> None:
        for name, tensors in settings.items():
            setattr(model.subgraphs[0], name, tensors)

    return change


INT16, INT4, FLOAT32, INT64 = 7, 17, 0, 4
"""schema.fbs: TensorType."""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (code(ADD, "TRANSPOSE_CONV"), r"operator 3 \(TRANSPOSE_CONV\) is not supported by the portable generator"),
        (code(SOFTMAX, "LOGISTIC"), "ends in a sigmoid over 5 values: several classes can be active at once"),
        (code(SOFTMAX, "SIN"), r"operator 6 \(SIN\) is not supported by the portable generator"),
        (code(SOFTMAX, "TANH"), r"operator 6 \(TANH\) has an output of scale 0.00390625 and zero point -128, where 1/128 and 0 are"),
        (code(SOFTMAX, "LEAKY_RELU"), r"operator 6 \(LEAKY_RELU\) does not say its Alpha"),
        (code(ADD, "CUSTOM"), r"operator 3 \(CUSTOM .*\) is not supported"),
        (options(CONVOLUTION, dilationHFactor=0), r"operator 1 \(CONV_2D\) has the dilation 0x1"),
        (options(CONVOLUTION, dilationWFactor=128), r"operator 1 \(CONV_2D\) has a window of 3x3 with the dilation 1x128"),
        (options(CONVOLUTION, strideW=256), r"operator 1 \(CONV_2D\) has the strides 1x256"),
        (options(CONVOLUTION, strideH=0), r"strides 0x1"),
        (options(CONVOLUTION, strideH=-1), r"strides -1x1"),
        (options(CONVOLUTION, fusedActivationFunction=4), r"operator 1 \(CONV_2D\) is fused with TANH"),
        (options(CONVOLUTION, fusedActivationFunction=77), "is fused with activation 77"),
        (options(CONVOLUTION, padding=2), "unknown padding 2"),
        (options(CONVOLUTION, padding=1), r"claims an output of shape \(1, 9, 7, 4\) where it computes \(1, 7, 5, 4\)"),
        (operand(CONVOLUTION, 1, shape=[4, 3, 1, 9]), "weights for 9 of 3 input channels, which are no groups"),
        (operand(CONVOLUTION, 1, shape=[4, 27]), r"weights of shape \(4, 27\), where 4 dimensions"),
        (operand(CONVOLUTION, 1, zeroPoint=np.array([0, 0, 1, 0])), "weights with a zero point"),
        (operand(CONVOLUTION, 1, zeroPoint=np.array([0])), "weights with a zero point"),
        (operand(CONVOLUTION, 1, scale=np.array([0.1, 0.1], np.float32), zeroPoint=np.zeros(2)), "2 scales for 4 output channels"),
        (operand(CONVOLUTION, 1, quantizedDimension=3), "4 scales for 4 output channels"),
        (operand(CONVOLUTION, 1, scale=np.array([0.1, 0.1, np.nan, 0.1], np.float32)), "no positive number"),
        (operand(CONVOLUTION, 1, scale=np.array([0.1, 0.1, -1, 0.1], np.float32)), "no positive number"),
        (operand(CONVOLUTION, 1, scale=np.full(4, 1e12, np.float32)), r"operator 1 \(CONV_2D\) can(not be computed in| leave) 32 bits"),
        (operand(CONVOLUTION, 1, buffer=0), r"operator 1 \(CONV_2D\) takes an input 1 that is no constant"),
        (operand(CONVOLUTION, 2, type=INT64, shape=[2]), "takes INT64 as input 2 where INT32 is expected"),
        (operand(CONVOLUTION, 2, shape=[2, 2]), r"bias of shape \(2, 2\) for 4 output channels"),
        (operand(CONVOLUTION, 2, zeroPoint=np.array([1])), "bias with a zero point"),
        (operand(CONVOLUTION, -1, type=INT16), "INT16 tensor"),
        (operand(CONVOLUTION, -1, type=FLOAT32), "computes float32 values"),
        (operand(CONVOLUTION, -1, shape=[1, 9, 7, 5]), "claims an output"),
        (operand(CONVOLUTION, -1, shape=[1, 1, 9, 7, 4]), "of 5 dimensions"),
        (operand(CONVOLUTION, -1, shape=[2, 9, 7, 4]), "batch of 1"),
        (operand(CONVOLUTION, -1, scale=np.array([0.0], np.float32)), "with the scale 0.0"),
        (operand(CONVOLUTION, -1, scale=np.array([np.inf], np.float32)), "with the scale inf"),
        (operand(CONVOLUTION, -1, scale=np.array([0.1, 0.2], np.float32)), "with 2 scales"),
        (operand(CONVOLUTION, -1, zeroPoint=np.array([128])), "zero point 128, outside INT8"),
        (operand(CONVOLUTION, -1, isVariable=True), "variable tensor"),
        (options(DEPTHWISE, depthMultiplier=2), "makes 4 channels of 4 by the depth multiplier 2"),
        (operand(ADD, 1, shape=[1, 9, 28, 1]), "claims an output"),
        (operand(ADD, -1, scale=np.array([1e-9], np.float32)), r"operator 3 \(ADD\) cannot be computed in 32 bits: its output's scale"),
        (inputs(ADD, 2, 2, 2), r"operator 3 \(ADD\) has 3 inputs"),
        (inputs(ADD, 2, 0), "takes uint8 values, and the kernels take int8"),
        (inputs(ADD, 2, 3), r"takes a constant of shape \(4, 3, 3, 3\)"),
        (inputs(ADD, 3, 3), r"takes a constant of shape \(4, 3, 3, 3\)"),
        (inputs(ADD, 2, 8), "takes input 1 from no operator before it"),
        (inputs(MEAN, 7, 3), r"operator 4 \(MEAN\) takes INT8 as input 1"),
        (options(MEAN, keepDims=True), "claims an output"),
        (options(DENSE, weightsFormat=1), "shuffled weights"),
        (operand(DENSE, 1, type=INT4, shape=[5, 8]), "takes INT4 as input 1 where INT8 is expected"),
        (operand(DENSE, 1, shape=[10, 2]), "takes vectors of 2 from an input of 4"),
        (operand(SOFTMAX, -1, scale=np.array([1 / 128], np.float32)), "where 1/256 and -128 are expected"),
        (options(SOFTMAX, beta=0.0), r"operator 6 \(SOFTMAX\) cannot be computed in 32 bits"),
        (options(SOFTMAX, beta=-1.0), "cannot be computed in 32 bits"),
        (options(SOFTMAX, beta=float("nan")), "cannot be computed in 32 bits"),
        (inputs(SOFTMAX, 3), "takes a constant as input 0"),
        (operand(DEQUANTIZE, -1, type=INT64, shape=[1, 5]), "INT64 tensor"),
        (operand(QUANTIZE, 0, type=FLOAT32), "takes FLOAT32, where uint8 or int8 is expected"),
        (operand(QUANTIZE, 0, shapeSignature=[1, -1, 7, 3]), "input of open size"),
        (operand(QUANTIZE, 0, shape=[1, 1 << 13, 1 << 13, 3]), "too large for a microcontroller"),
        (operand(QUANTIZE, 0, shape=[1, -9, 7, 3]), "damaged"),
        (operand(QUANTIZE, 0, shape=[1, 0, 7, 3]), "batch of 1"),
        (ends(inputs=[0, 1]), "has 2 inputs, where one is expected"),
        (ends(outputs=[11, 12]), "has 2 outputs, where one is expected"),
        (ends(outputs=[3]), "an output that no operator computes"),
        (ends(outputs=[0]), "computes nothing from its input"),
        (ends(inputs=[3]), "constant one"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_refused_by_name(content: bytes, change: Change, said: str, tmp_path: Path) -> None:
    path = changed(content, change, tmp_path / "changed.tflite")
    with pytest.raises(ModelError, match=said) as caught:
        read_network(path)
    assert str(path) in caught.value.what
    assert caught.value.remedy


def test_the_plain_model_is_taken(network: Network) -> None:
    assert [layer.position for layer in network.layers] == list(range(8))
    assert (network.input.dtype, network.output.dtype) == ("uint8", "float32")


def test_a_window_that_is_larger_than_its_input_is_refused_without_padding(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="window of 5x5 on an input of 3x3"):
        read_network(_one_convolution(tmp_path / "model.tflite", size=5, padding=1))


def test_sums_that_can_leave_32_bits_are_refused(tmp_path: Path) -> None:
    read_network(_one_convolution(tmp_path / "model.tflite", size=3, bias=1 << 30))
    with pytest.raises(ModelError, match=r"operator 0 \(CONV_2D\) can leave 32 bits: the sums of output channel 1"):
        read_network(_one_convolution(tmp_path / "model.tflite", size=3, bias=(1 << 31) - 1))


def _one_convolution(path: Path, *, size: int, padding: int = 0, bias: int = 0) -> Path:
    file = ModelFile()
    taken, output = file.tensor((1, 3, 3, 1), scale=0.1), file.tensor((1, 3, 3, 2), scale=0.1)
    kernel = file.tensor((2, size, size, 1), scale=0.1, data=np.full((2, size, size, 1), 127))
    sums = file.tensor((2,), "int32", 0.01, data=np.array([0, bias]))
    steps = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    file.operator("CONV_2D", [taken, kernel, sums], [output], "Conv2DOptions", padding=padding, **steps)
    path.write_bytes(file.content([taken], [output]))
    return path


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (np.array([1, 8]), None),
        (np.array([1, -1]), None),
        (np.array([-1, 8]), None),
        (np.array([1, 9]), r"makes \(1, 8\) of 8 values where \[1, 9\] is asked for"),
        (np.array([-1, -1]), "makes"),
        (np.array([0, 8]), "makes"),
        (np.array([8]), "makes"),
        (np.array([[1, 8]]), r"numbers of shape \(1, 2\)"),
        (np.arange(65), r"numbers of shape \(65,\)"),
    ],
)
def test_a_reshape_is_taken_where_all_agree_on_the_shape(asked: Any, said: str | None, tmp_path: Path) -> None:
    file, path = ModelFile(), tmp_path / "model.tflite"
    taken, rectified, output = (file.tensor(shape, scale=0.1) for shape in [(1, 2, 2, 2), (1, 2, 2, 2), (1, 8)])
    file.operator("RELU", [taken], [rectified])
    file.operator("RESHAPE", [rectified, file.numbers(asked)], [output])
    path.write_bytes(file.content([taken], [output]))
    if said is None:
        assert read_network(path).output.shape == (1, 1, 8)
    else:
        with pytest.raises(ModelError, match=rf"operator 1 \(RESHAPE\) .*{said}"):
            read_network(path)


@pytest.mark.parametrize(
    ("paddings", "said"),
    [
        ([[0, 0], [1, 2], [3, 0], [0, 0]], None),
        ([[0, 0], [1, -1], [3, 0], [0, 0]], "pads by"),
        ([[0, 0], [1, 2], [3, 0], [0, 1]], "pads by"),
        ([[1, 0], [1, 2], [3, 0], [0, 0]], "pads by"),
        ([[0, 0, 1, 2], [3, 0, 0, 0]], "pads other than four dimensions"),
        ([0, 0, 1, 2, 3, 0, 0, 0], "numbers of shape"),
        ([[0, 0], [1, 2], [4, 0], [0, 0]], "claims an output"),
    ],
)
def test_rows_and_columns_are_padded_and_nothing_else(paddings: list[Any], said: str | None, tmp_path: Path) -> None:
    file, path = ModelFile(), tmp_path / "model.tflite"
    taken, output = file.tensor((1, 2, 2, 2), scale=0.1), file.tensor((1, 5, 5, 2), scale=0.1)
    file.operator("PAD", [taken, file.numbers(np.array(paddings))], [output])
    path.write_bytes(file.content([taken], [output]))
    if said is None:
        assert read_network(path).output.shape == (5, 5, 2)
    else:
        with pytest.raises(ModelError, match=rf"operator 0 \(PAD\) .*{said}"):
            read_network(path)


def small(
    name: str, inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]], numbers: list[Any], table: str = "", **more: Any
) -> bytes:
    """One operator on slices of the input, with constants behind; `scale` is that of the first output."""
    file, scale = ModelFile(), more.pop("scale", 0.5)
    image = file.tensor((1, 6, 6, 4), scale=0.5)
    values = []
    for shape in inputs:
        values.append(file.tensor(shape, scale=0.5))
        file.operator("SLICE", [image, file.numbers([0] * 4), file.numbers(shape)], [values[-1]], "SliceOptions")
    constants = [file.numbers(np.array(each)) for each in numbers]
    made = [file.tensor(shape, scale=scale) for shape in outputs]
    operands = constants + values if name == "SPLIT" else values + constants
    file.operator(name, operands, made, table, **more)
    return file.content([image], made[:1])


WHOLE, HALF = (1, 6, 6, 4), (1, 6, 6, 2)
SLICES = {"table": "StridedSliceOptions"}
JOINS = {"table": "ConcatenationOptions"}
RESIZES = {"table": "ResizeBilinearOptions"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (small("CONCATENATION", [HALF, HALF], [WHOLE], [], axis=3, **JOINS), None),
        (small("CONCATENATION", [HALF, HALF], [WHOLE], [], axis=3, scale=0.4, **JOINS), "changes type or scale"),
        (small("CONCATENATION", [HALF, HALF], [WHOLE], [], axis=0, **JOINS), "joins along dimension 0 of 4"),
        (small("CONCATENATION", [HALF, HALF], [WHOLE], [], axis=-5, **JOINS), "joins along dimension -5 of 4"),
        (small("CONCATENATION", [HALF, (1, 5, 6, 2)], [WHOLE], [], axis=3, **JOINS), "joins the shapes"),
        (small("CONCATENATION", [HALF, HALF], [WHOLE], [], axis=3, fusedActivationFunction=1, **JOINS), "fused with an activation"),
        (small("CONCATENATION", [HALF, HALF], [HALF], [], axis=3, **JOINS), "claims an output"),
        (small("STRIDED_SLICE", [WHOLE], [HALF], [[0, 0, 0, 1], [1, 6, 6, 4], [1, 1, 1, 2]], **SLICES), None),
        (small("STRIDED_SLICE", [WHOLE], [HALF], [[0, 0, 0, 3], [1, 6, 6, 0], [1, 1, 1, -2]], **SLICES), "slices forwards"),
        (small("STRIDED_SLICE", [WHOLE], [HALF], [[0, 0, 0], [1, 6, 6], [1, 1, 1]], **SLICES), "slices forwards"),
        (small("STRIDED_SLICE", [WHOLE], [HALF], [[0, 0, 0, 2], [1, 6, 6, 2], [1, 1, 1, 1]], **SLICES), "slices other than"),
        (small("STRIDED_SLICE", [WHOLE], [HALF], [[0] * 4, [1, 6, 6, 4], [1, 1, 1, 2]], shrinkAxisMask=8, **SLICES), "left out"),
        (small("SLICE", [WHOLE], [HALF], [[0, 0, 0, 3], [1, 6, 6, 2]], "SliceOptions"), "beyond its input"),
        (small("SLICE", [WHOLE], [HALF], [[0, 0, 0, -1], [1, 6, 6, 2]], "SliceOptions"), "beyond its input"),
        (small("SPLIT", [WHOLE], [HALF, HALF], [3], "SplitOptions", numSplits=2), None),
        (small("SPLIT", [WHOLE], [HALF, HALF, HALF], [3], "SplitOptions", numSplits=3), r"splits 4 into \[1, 1, 1\]"),
        (small("SPLIT", [WHOLE], [HALF, HALF], [0], "SplitOptions", numSplits=2), "splits along dimension 0 of 4"),
        (small("SPLIT_V", [WHOLE], [HALF, HALF], [[3, 2], 3], "SplitVOptions", numSplits=2), r"splits 4 into \[3, 2\]"),
        (small("RESIZE_BILINEAR", [WHOLE], [(1, 9, 3, 4)], [[9, 3]], **RESIZES), None),
        (small("RESIZE_BILINEAR", [WHOLE], [(1, 9, 3, 4)], [[9, 3]], alignCorners=True, halfPixelCenters=True, **RESIZES), "both"),
        (small("RESIZE_BILINEAR", [WHOLE], [(1, 9, 3, 4)], [[0, 3]], **RESIZES), "resizes"),
        (small("RESIZE_BILINEAR", [WHOLE], [(1, 9, 3, 4)], [[9, 4]], **RESIZES), "claims an output"),
        (small("MUL", [WHOLE, (1, 1, 1, 4)], [WHOLE], [], "MulOptions"), None),
        (small("MUL", [WHOLE, (1, 1, 1, 3)], [WHOLE], [], "MulOptions"), r"takes the shapes \(1, 6, 6, 4\) and \(1, 1, 1, 3\) together"),
        (small("MUL", [WHOLE, WHOLE], [WHOLE], [], "MulOptions", scale=1e-9), "32 bits"),
        (small("PRELU", [(1, 1, 1, 4), WHOLE], [WHOLE], []), r"takes the shapes \(1, 1, 1, 4\) and \(1, 6, 6, 4\) together"),
        (small("HARD_SWISH", [WHOLE], [WHOLE], [], scale=1e-4), "beyond 16-bit arithmetic"),
    ],
)  # fmt: skip
def test_what_a_kernel_does_not_take_is_refused(content: bytes, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    if said is None:
        assert read_network(path).layers[-1].output.dtype == "int8"
    else:
        with pytest.raises(ModelError, match=rf"operator \d \(\w+\) .*{said}"):
            read_network(path)


def test_a_hostile_number_of_channels_ends_soon(tmp_path: Path) -> None:
    """Two thousand convolutions that share 16,384 output channels of one weight."""
    file, path, channels = ModelFile(), tmp_path / "model.tflite", 1 << 14
    value = taken = file.tensor((1, 1, 1, 1), scale=0.1)
    kernel = file.tensor((channels, 1, 1, 1), scale=0.1, data=np.ones((channels, 1, 1, 1)))
    steps = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    for _ in range(MOST_OPERATORS):
        value = file.tensor((1, 1, 1, channels), scale=0.1)
        file.operator("CONV_2D", [taken, kernel], [value], "Conv2DOptions", **steps)
    path.write_bytes(file.content([taken], [value]))
    begin = time.monotonic()
    with pytest.raises(ModelError, match="more than 262,144 output channels in all"):
        read_network(path)
    assert time.monotonic() - begin < 20


def test_operators_whose_values_nobody_reads_are_left_out(content: bytes, tmp_path: Path) -> None:
    """The output is taken before the softmax."""
    logits = unpacked(content).subgraphs[0].operators[DENSE].outputs[0]
    network = read_network(changed(content, ends(outputs=[int(logits)]), tmp_path / "cut.tflite"))
    assert [layer.position for layer in network.layers] == list(range(6))


def test_a_cycle_is_refused(content: bytes, tmp_path: Path) -> None:
    """The first convolution reads what the addition computes from its output."""
    added = int(unpacked(content).subgraphs[0].operators[ADD].outputs[0])
    with pytest.raises(ModelError, match=r"operator 1 \(CONV_2D\) takes input 0 from no operator before it"):
        read_network(changed(content, inputs(CONVOLUTION, added, 3, 4), tmp_path / "cycle.tflite"))


def test_two_operators_that_write_one_tensor_are_refused(content: bytes, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        operators = model.subgraphs[0].operators
        operators[DEPTHWISE].outputs = operators[CONVOLUTION].outputs

    with pytest.raises(ModelError, match=r"operator 2 \(DEPTHWISE_CONV_2D\) writes to a tensor that has its values already"):
        read_network(changed(content, change, tmp_path / "twice.tflite"))


def test_thousands_of_operators_are_refused(content: bytes, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators *= MOST_OPERATORS

    with pytest.raises(ModelError, match=f"The limit of the portable generator is {MOST_OPERATORS}"):
        read_network(changed(content, change, tmp_path / "long.tflite"))


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_network(tmp_path / "absent.tflite")


def test_a_truncated_file_is_damaged_wherever_it_ends(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        try:
            check(read_network(path), path)
        except EdgeloopError as error:
            assert isinstance(error, ModelError)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda layer: {"weights": layer.weights[:, :, :2]}, "weights of another shape"),
        (lambda layer: {"weights": layer.weights.astype(np.int16)}, "weights of another type"),
        (lambda layer: {"bias": layer.bias[:3]}, "too many or too few biases"),
        (lambda layer: {"scalings": layer.scalings * 2}, "too many or too few scalings"),
        (lambda _: {"scalings": (Scaling(7, 0),) * 4}, "the multiplier 7"),
        (lambda _: {"scalings": (Scaling(1 << 30, 31),) * 4}, "the shift 31"),
        (lambda _: {"limits": Limits(5, 4)}, "the limits 5 and 4"),
        (lambda _: {"limits": Limits(-129, 4)}, "the limits -129 and 4"),
        (lambda _: {"window": Window(3, 3, 1, 1, 3, 1)}, "a window beside its input"),
        (lambda _: {"window": Window(3, 3, 0, 1, 1, 1)}, "does not move on"),
        (lambda _: {"window": Window(3, 3, 2, 1, 1, 1)}, "more windows than its input"),
        (lambda layer: {"output": dataclasses.replace(layer.output, height=200)}, "more windows than its input"),
        (lambda layer: {"output": dataclasses.replace(layer.output, channels=0)}, "has the shape"),
        (lambda layer: {"output": dataclasses.replace(layer.output, dtype="uint8", zero_point=3)}, "works on other than int8"),
        (lambda layer: {"inputs": (layer.output,)}, "before it is computed"),
        (lambda layer: {"inputs": (dataclasses.replace(layer.inputs[0]),)}, "before it is computed"),
        (lambda layer: {"inputs": layer.inputs * 2}, "has 2 inputs"),
        (lambda _: {"position": 0}, "not in order"),
    ],
)  # fmt: skip
def test_a_network_that_does_not_hold_together_is_told(network: Network, broken: Callable[[Any], dict[str, Any]], said: str) -> None:
    layer = network.layers[CONVOLUTION]
    assert isinstance(layer, Convolution)
    replaced = dataclasses.replace(layer, **broken(layer))
    cut = Network(network.input, replaced.output, (network.layers[0], replaced))
    check(Network(network.input, layer.output, (network.layers[0], layer)), Path("whole.tflite"))
    with pytest.raises(ModelError, match=f"broken.tflite does not hold together: .*{said}"):
        check(cut, Path("broken.tflite"))
