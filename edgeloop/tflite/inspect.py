"""What a TensorFlow Lite file holds: inputs, outputs, quantization, operators, parameters, weight bytes and MACs."""

import math
from pathlib import Path
from typing import Literal

from edgeloop.files import sha256_file
from edgeloop.records import Part
from edgeloop.tflite.encoding import raw_range
from edgeloop.tflite.graph import Graph, Operator, Tensor, read_graph

Quantization = Literal["float", "int8 per-channel", "int8 per-tensor", "int8 weights only", "mixed"]

WEIGHT_PLACE = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1, "CONV_3D": 1}
"""Where an operator that multiplies by weights has them among its inputs."""
OUTPUT_CHANNELS_LAST = ("DEPTHWISE_CONV_2D", "CONV_3D")
UNCOUNTED = (
    "CUSTOM",
    "UNKNOWN",
    "UNIDIRECTIONAL",
    "BIDIRECTIONAL",
    "LSTM",
    "RNN",
    "SVDF",
    "CONV_3D_TRANSPOSE",
    "WHILE",
    "IF",
    "CALL",
    "STABLEHLO",
)
"""Operators, by the start of their names, that multiply and whose MACs are not known here."""
PLAIN_INTEGERS = ("INT32", "INT64", "UINT32", "UINT64", "INT16", "UINT16", "BOOL", "STRING")
"""Constants of these types without quantization are shapes, axes and indices, not parameters."""


class TensorReport(Part):
    """An input or an output of a model."""

    name: str
    shape: list[int]
    dtype: str
    scale: float | None
    """The scale of a tensor that is quantized as a whole; null where it is not."""
    zero_point: int | None


class OperatorReport(Part):
    """One operator, in the order of execution."""

    name: str
    output_shapes: list[list[int]]
    output_dtype: str
    macs: int | None
    """Multiply-accumulates of one inference: 0 where it does none, null where they cannot be told."""
    parameters: int


class ModelReport(Part):
    """What is in a model file."""

    file: str
    bytes: int
    sha256: str
    quantization: Quantization
    inputs: list[TensorReport]
    outputs: list[TensorReport]
    operators: list[OperatorReport]
    parameters: int
    """Elements of the constants, shapes and axes left out: batch normalisation is folded, depthwise biases count."""
    weight_bytes: int
    """Stored bytes of the same constants: int8 weights plus int32 biases, or floats. Quantization parameters are not in it."""
    macs: int | None
    """The sum over the operators; null when one of them cannot be told."""
    subgraphs: int


def inspect_model(path: Path) -> ModelReport:
    """Read a .tflite file and report what it holds, without running it.

    Raises:
        InputError: there is no such file.
        ModelError: it is damaged or is no TensorFlow Lite file.
    """
    graph = read_graph(path)
    operators = [_operator(graph, operator) for operator in graph.operators]
    constants = _parameters(graph.tensors)
    counts = [operator.macs for operator in operators]
    return ModelReport(
        file=path.name,
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        quantization=quantization(graph),
        inputs=[_tensor(graph.tensors[index]) for index in graph.inputs],
        outputs=[_tensor(graph.tensors[index]) for index in graph.outputs],
        operators=operators,
        parameters=sum(tensor.elements for tensor in constants),
        weight_bytes=sum(tensor.constant_bytes for tensor in constants),
        macs=None if None in counts else sum(count or 0 for count in counts),
        subgraphs=graph.subgraphs,
    )


def quantization(graph: Graph) -> Quantization:
    """How the weights and the values between the operators are stored, by the operators that have weights."""
    kinds = {_kind(graph, operator) for operator in graph.operators if operator.name in WEIGHT_PLACE}
    if not kinds:
        integer = any(tensor.dtype in ("INT8", "UINT8") and tensor.scales.size for tensor in graph.tensors)
        return "int8 per-tensor" if integer else "float"
    if kinds == {"int8 per-channel", "int8 per-tensor"}:  # a layer with one output channel, or a fully connected one
        return "int8 per-channel"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind(graph: Graph, operator: Operator) -> Quantization:
    weights = graph.operand(operator, WEIGHT_PLACE[operator.name])
    values = graph.tensors[operator.outputs[0]] if operator.outputs else None
    if weights is None or values is None:
        return "mixed"
    if weights.dtype.startswith(("FLOAT", "BFLOAT")):
        return "float" if values.dtype.startswith("FLOAT") else "mixed"
    if weights.dtype not in ("INT8", "UINT8"):
        return "mixed"
    if values.dtype.startswith("FLOAT"):
        return "int8 weights only"
    if values.dtype not in ("INT8", "UINT8"):
        return "mixed"
    return "int8 per-channel" if weights.scales.size > 1 else "int8 per-tensor"


def multiply_accumulates(graph: Graph, operator: Operator) -> int | None:
    """MACs of one inference by the shapes in the file; biases and activations are not counted. None: cannot be told."""
    if operator.name.startswith(UNCOUNTED):
        return None
    result = graph.tensors[operator.outputs[0]] if operator.outputs else None
    if operator.name == "BATCH_MATMUL":
        return _matmul(graph.operand(operator, 0), result)
    if operator.name not in WEIGHT_PLACE:
        return 0
    weights = graph.operand(operator, WEIGHT_PLACE[operator.name])
    if weights is None or result is None or not weights.shape:
        return None
    if operator.name == "TRANSPOSE_CONV":  # weights: (output channels, height, width, input channels)
        source = graph.operand(operator, 2)
        return None if source is None else source.elements * math.prod(weights.shape[:-1])
    if operator.name in OUTPUT_CHANNELS_LAST:
        return result.elements * math.prod(weights.shape[:-1])
    return result.elements * math.prod(weights.shape[1:])  # (output channels, [height, width,] input channels)


def _matmul(left: Tensor | None, output: Tensor | None) -> int | None:
    """From (.., m, k), transposed or not, to (.., m, n): every element of the output takes k."""
    if left is None or output is None or min(len(left.shape), len(output.shape)) < 2 or not output.shape[-2]:
        return None
    return output.elements * (math.prod(left.shape[-2:]) // output.shape[-2])


def _operator(graph: Graph, operator: Operator) -> OperatorReport:
    outputs = [graph.tensors[index] for index in operator.outputs]
    return OperatorReport(
        name=operator.name,
        output_shapes=[list(tensor.shape) for tensor in outputs],
        output_dtype=outputs[0].dtype if outputs else "",
        macs=multiply_accumulates(graph, operator),
        parameters=sum(tensor.elements for tensor in _parameters([graph.tensors[index] for index in operator.inputs if index >= 0])),
    )


def _parameters(tensors: list[Tensor]) -> list[Tensor]:
    """The constants that are weights, each stored buffer once."""
    found: dict[int, Tensor] = {}
    for tensor in tensors:
        if tensor.constant_bytes and (tensor.scales.size or tensor.dtype not in PLAIN_INTEGERS):
            found.setdefault(tensor.buffer, tensor)
    return list(found.values())


def _tensor(tensor: Tensor) -> TensorReport:
    whole = tensor.scales.size == 1 and tensor.zero_points.size == 1
    return TensorReport(
        name=tensor.name,
        shape=list(tensor.shape),
        dtype=tensor.dtype.lower(),
        scale=float(tensor.scales[0]) if whole else None,
        zero_point=int(tensor.zero_points[0]) if whole else None,
    )


def render(report: ModelReport) -> str:
    """The report as text for a terminal: facts first, then one line for each operator."""
    macs = "cannot be told (see the operators marked ?)" if report.macs is None else f"{report.macs:,}"
    facts = [
        ("file", f"{report.file}, {report.bytes:,} bytes"),
        ("sha256", report.sha256),
        ("quantization", report.quantization),
        *(("input", _tensor_line(tensor) + _raw_pixels(tensor)) for tensor in report.inputs),
        *(("output", _tensor_line(tensor)) for tensor in report.outputs),
        ("parameters", f"{report.parameters:,}"),
        ("weights", f"{report.weight_bytes:,} bytes ({report.weight_bytes / 1024:.2f} KiB)"),
        ("MACs", macs),
    ]
    lines = [f"{name:<13} {value}" for name, value in facts]
    rows = [_row(number, operator) for number, operator in enumerate(report.operators)]
    return "\n".join([*lines, "", *aligned([("#", "operator", "output", "type", "MACs", "parameters"), *rows])])


def _tensor_line(tensor: TensorReport) -> str:
    scaled = "" if tensor.scale is None else f", scale {tensor.scale:.9g}, zero point {tensor.zero_point}"
    return f"{tensor.name}: {_shape(tensor.shape)} {tensor.dtype}{scaled}"


def _raw_pixels(tensor: TensorReport) -> str:
    """What the raw pixels 0 to 255 stand for in an integer input."""
    if tensor.dtype not in ("uint8", "int8") or tensor.scale is None:
        return ""
    return ", raw pixels stand for {:.4g} to {:.4g}".format(*raw_range(tensor))


def _row(number: int, operator: OperatorReport) -> tuple[str, ...]:
    shapes = " ".join(_shape(shape) for shape in operator.output_shapes)
    macs = "?" if operator.macs is None else f"{operator.macs:,}"
    return str(number), operator.name, shapes, operator.output_dtype.lower(), macs, f"{operator.parameters:,}"


def _shape(shape: list[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as columns: words to the left, the last two columns, numbers, to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    pads = [str.ljust] * (len(widths) - 2) + [str.rjust] * 2
    return ["  ".join(pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)).rstrip() for row in rows]
