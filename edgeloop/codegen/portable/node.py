"""One operator of the file while it is imported: its operands, looked up and checked, and errors that name it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.values import Value, ValueType
from edgeloop.errors import ModelError
from edgeloop.tflite.graph import Graph, Operator, Tensor
from edgeloop.tflite.options import Setting

QUANTIZE_IT = "Quantize the model in full int8 (edgeloop quantize), with a fixed batch of 1."
OTHER_LAYERS = "docs/generate.md lists what the portable generator takes: build the network from that."
MOST_VALUE_ELEMENTS = 1 << 26
"""The most elements of one feature map; no microcontroller holds more, and sums over it stay within 32 bits."""
MOST_INTEGERS = 64
"""In an operand that says axes, paddings or a shape."""
MOST_CHANNELS = 1 << 16
_TYPES: dict[str, ValueType] = {"INT8": "int8", "UINT8": "uint8", "FLOAT32": "float32"}
_LOWEST = {"INT8": -128, "UINT8": 0}
_STORED: dict[str, np.dtype[np.generic]] = {"INT8": np.dtype("i1"), "INT32": np.dtype("<i4")}


class Refuse(Protocol):
    """Makes the error that says what is refused, and what can be done."""

    def __call__(self, reason: str, remedy: str = OTHER_LAYERS) -> ModelError: ...


@dataclass(frozen=True)
class Node:
    """Operator number `position` of a graph, with what the operators before it have computed."""

    path: Path
    graph: Graph
    position: int
    values: Mapping[int, Value]
    """By tensor."""
    folded: Mapping[int, NDArray[np.int32]]
    """Constants that follow from shapes, by tensor."""
    table: str = ""
    """The options table that such an operator has."""
    result: int = 0
    """Which of the operator's outputs is computed."""

    @property
    def operator(self) -> Operator:
        return self.graph.operators[self.position]

    def ends(self, output: Value, *inputs: Value) -> dict[str, Any]:
        """The fields that every layer has."""
        return {"position": self.position, "operator": self.operator.name, "part": self.result, "inputs": inputs, "output": output}

    def refuse(self, reason: str, remedy: str = OTHER_LAYERS) -> ModelError:
        """The error that says why this operator is not imported."""
        return ModelError(f"{self.path}: operator {self.position} ({self.operator.name}) {reason}.", remedy)

    def expect_inputs(self, fewest: int, most: int, outputs: range = range(1, 2)) -> None:
        """Refuse another number of inputs or outputs."""
        taken, given = len(self.operator.inputs), len(self.operator.outputs)
        if not fewest <= taken <= most or given not in outputs:
            raise self.refuse(f"has {taken} inputs and {given} outputs")

    @property
    def options(self) -> Mapping[str, Setting]:
        """Its settings; none where it has those of another operator."""
        return self.operator.options if self.operator.table == self.table else {}

    def option(self, name: str) -> int:
        """A setting of the operator: a number, or the code of an enumeration."""
        setting = self.options.get(name)
        if not isinstance(setting, int):
            raise self.refuse(f"does not say its {name}", "Convert the model again.")
        return setting

    def value(self, place: int) -> Value:
        """The computed value at that place of the inputs."""
        index = self.operator.inputs[place]
        if index in self.values:
            return self.values[index]
        tensor = self.graph.operand(self.operator, place)
        if tensor is not None and tensor.constant_bytes:
            raise self.refuse(f"takes a constant as input {place}")
        raise self.refuse(f"takes input {place} from no operator before it", "Convert the model again.")

    def int8(self, place: int) -> Value:
        """The computed value at that place, which must be int8."""
        value = self.value(place)
        if value.dtype != "int8":
            raise self.refuse(f"takes {value.dtype} values, and the kernels take int8", QUANTIZE_IT)
        return value

    def output(self) -> Value:
        """The value that the operator computes."""
        index = self.operator.outputs[self.result]
        tensor = self.graph.tensors[index]
        if index in self.values or index in self.folded or tensor.constant_bytes:
            raise self.refuse("writes to a tensor that has its values already", "Convert the model again.")
        return read_value(tensor, index, self.refuse)

    def shape(self, value: Value) -> tuple[int, ...]:
        """Its shape in the file, the batch included."""
        return self.graph.tensors[value.tensor].shape

    def shape_at(self, place: int) -> tuple[int, ...]:
        """The shape in the file of what is at that place of the inputs, computed or constant."""
        return self.graph.tensors[self.operator.inputs[place]].shape

    def int8_output(self, *shape: int) -> Value:
        """The value that the operator computes, which must be int8 and of that shape, the batch included."""
        output = self.output()
        if output.dtype != "int8":
            raise self.refuse(f"computes {output.dtype} values, and the kernels compute int8", QUANTIZE_IT)
        return self.of_shape(output, *shape)

    def of_shape(self, output: Value, *shape: int) -> Value:
        """The same value; refused where the file claims another shape than the operator computes."""
        if (claimed := self.shape(output)) != shape:
            raise self.refuse(f"claims an output of shape {claimed} where it computes {shape}", "Convert the model again.")
        return output

    def like(self, value: Value) -> Value:
        """The output of an operator that moves values without scaling them: as `value` but for its shape."""
        output = self.output()
        self.expect_like(value, output)
        return output

    def expect_like(self, value: Value, output: Value) -> None:
        """Refuse values that are quantized differently."""
        if (output.dtype, output.scale, output.zero_point) != (value.dtype, value.scale, value.zero_point):
            raise self.refuse("changes type or scale on the way")

    def constant(self, place: int, dtype: str) -> NDArray[np.generic] | None:
        """The constant at that place, without a copy, or None where the operator has none there."""
        tensor = self.graph.operand(self.operator, place)
        if tensor is None:
            return None
        folded = self.folded.get(self.operator.inputs[place])
        if folded is not None and dtype == "INT32":
            return folded
        if tensor.dtype != dtype or tensor.sparse:
            raise self.refuse(
                f"takes {'sparse ' if tensor.sparse else ''}{tensor.dtype} as input {place} where {dtype} is expected", QUANTIZE_IT
            )
        item = _STORED[dtype]
        if not tensor.constant_bytes or tensor.constant_bytes != tensor.elements * item.itemsize:
            raise self.refuse(f"takes an input {place} that is no constant")
        return tensor.stored.view(item).reshape(tensor.shape)

    def integers(self, place: int, dimensions: int | None = None, elements: int | None = None) -> list[int]:
        """The few numbers of a constant of so many dimensions or elements, such as axes or a shape."""
        constant = self.constant(place, "INT32")
        if constant is None:
            raise self.refuse(f"has no input {place}", "Convert the model again.")
        if constant.size > MOST_INTEGERS or dimensions not in (None, constant.ndim) or elements not in (None, constant.size):
            raise self.refuse(f"takes numbers of shape {constant.shape} as input {place}", "Convert the model again.")
        return [int(number) for number in constant.reshape(-1)]


def read_value(tensor: Tensor, index: int, refuse: Refuse) -> Value:
    """A tensor as a value: batch of one, one scale, one zero point within its type."""
    dtype = _TYPES.get(tensor.dtype)
    if dtype is None or tensor.sparse or tensor.variable:
        kind = "sparse" if tensor.sparse else "variable" if tensor.variable else tensor.dtype
        raise refuse(f"has the {kind} tensor {tensor.name!r}, where int8, uint8 or float32 values are expected", QUANTIZE_IT)
    height, width, channels = _image_shape(tensor, refuse)
    scale, zero_point = (0.0, 0) if dtype == "float32" else quantization(tensor, refuse)
    return Value(index, tensor.name, height, width, channels, dtype, scale, zero_point)


def _image_shape(tensor: Tensor, refuse: Refuse) -> tuple[int, int, int]:
    """(height, width, channels) of (1, height, width, channels), (1, width, channels) or (1, channels)."""
    shape = tensor.shape
    if not 2 <= len(shape) <= 4:
        raise refuse(f"has the tensor {tensor.name!r} of {len(shape)} dimensions, where (1, height, width, channels) is expected")
    if shape[0] != 1 or 0 in shape:
        raise refuse(f"has the tensor {tensor.name!r} of shape {shape}, where a batch of 1 is expected", QUANTIZE_IT)
    if math.prod(shape) > MOST_VALUE_ELEMENTS or shape[-1] > MOST_CHANNELS:
        raise refuse(f"has the tensor {tensor.name!r} of shape {shape}: too large for a microcontroller")
    height, width, channels = (1,) * (4 - len(shape)) + shape[1:]
    return height, width, channels


def quantization(tensor: Tensor, refuse: Refuse) -> tuple[float, int]:
    """The one scale and the one zero point of a tensor of values."""
    if tensor.scales.size != 1 or tensor.zero_points.size != 1:
        raise refuse(f"has the {tensor.dtype} tensor {tensor.name!r} with {tensor.scales.size} scales, where one is expected", QUANTIZE_IT)
    scale, zero_point = float(tensor.scales[0]), int(tensor.zero_points[0])
    if not (math.isfinite(scale) and scale > 0):
        raise refuse(f"has the tensor {tensor.name!r} with the scale {scale}", QUANTIZE_IT)
    if not 0 <= zero_point - _LOWEST[tensor.dtype] <= 255:
        raise refuse(f"has the tensor {tensor.name!r} with the zero point {zero_point}, outside {tensor.dtype}", QUANTIZE_IT)
    return scale, zero_point
