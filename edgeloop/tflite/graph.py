"""A TensorFlow Lite file as a graph of tensors and operators, read without running it.

The file is not trusted: every count is bounded by what the file can hold, so that a damaged or a hostile one ends in
a ModelError. Format: schema.fbs of TensorFlow Lite, version 3, by the reader that ai-edge-litert brings.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeloop.errors import ModelError
from edgeloop.tflite.file import read_model
from edgeloop.tflite.options import Setting, read_options

MOST_ITEMS = 200_000
"""Tensors, operators and their operands; a real image classifier has some hundreds."""
MOST_NAME_BYTES = 64_000_000
"""The most bytes of all names together: many tensors may claim one long name."""
MOST_DIMENSIONS = 8
MOST_ELEMENTS = 1 << 40
EXTERNAL = 1
"""A buffer whose offset exceeds this lies behind the flatbuffer (schema.fbs: Buffer.offset)."""
BITS = {
    "FLOAT64": 64, "INT64": 64, "UINT64": 64, "COMPLEX64": 64, "COMPLEX128": 128,
    "FLOAT32": 32, "INT32": 32, "UINT32": 32,
    "FLOAT16": 16, "BFLOAT16": 16, "INT16": 16, "UINT16": 16,
    "INT8": 8, "UINT8": 8, "BOOL": 8, "FLOAT8_E4M3FN": 8, "FLOAT8_E5M2": 8,
    "INT4": 4, "UINT4": 4, "INT2": 2,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of the main graph."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """The schema's name: INT8, UINT8, INT32, FLOAT32, ..."""
    scales: NDArray[np.float32]
    """Empty (not quantized), one (per tensor), or one for each channel."""
    zero_points: NDArray[np.int64]
    buffer: int
    """Tensors with the same buffer share their bytes."""
    constant_bytes: int
    """Stored bytes; 0 for what is computed."""
    sparse: bool
    signature: tuple[int, ...] = ()
    """The shape with -1 for open sizes; empty where the file has none."""
    channel_axis: int = 0
    """The dimension that several scales belong to."""
    variable: bool = False
    """A state that is kept from one inference to the next."""
    stored: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8), repr=False)
    """The bytes of a constant, not copied; empty for what is computed."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def computed_bytes(self) -> int:
        """Bytes that the tensor takes when it is computed; 0 for constants and for types of no fixed size."""
        return 0 if self.constant_bytes else -(-self.elements * BITS.get(self.dtype, 0) // 8)


@dataclass(frozen=True)
class Operator:
    """One operator of the main graph; operands are indices of tensors, -1 for an optional one that is left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: str = ""
    """The name of its options table."""
    options: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """The main graph of a model, operators in the order they run."""

    tensors: list[Tensor]
    operators: list[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    subgraphs: int

    def operand(self, operator: Operator, place: int) -> Tensor | None:
        """The tensor at that place of the operator's inputs, or None where there is none."""
        if place >= len(operator.inputs) or operator.inputs[place] < 0:
            return None
        return self.tensors[operator.inputs[place]]


def read_graph(path: Path) -> Graph:
    """Read the main graph of a TensorFlow Lite file.

    Raises:
        InputError: there is no such file.
        ModelError: it is damaged or is no TensorFlow Lite file.
    """
    return graph_of(read_model(path), str(path))


def graph_of(content: bytes | bytearray, name: str = "the model") -> Graph:
    """As `read_graph`, of the bytes of a file; in a bytearray the constants (`Tensor.stored`) may be written to.

    Raises:
        ModelError: they are damaged or no TensorFlow Lite file.
    """
    try:
        return _Reader(content).graph()
    except (struct.error, ValueError, IndexError, KeyError, TypeError, OverflowError, AssertionError) as error:
        reason = str(error) if type(error) is ValueError else "its offsets do not fit together"
        raise ModelError(f"{name} is damaged: {reason}.", "Fetch or convert the model again.") from error


class _Reader:
    """Reads one flatbuffer; counts what it reads, so that tables that refer to each other do not multiply."""

    def __init__(self, content: bytes | bytearray) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema = schema
        self._content = content
        self._model = schema.Model.GetRootAs(content)
        self._types = _names(schema.TensorType)
        self._builtins = _names(schema.BuiltinOperator)
        self._left = MOST_ITEMS
        self._name_bytes_left = MOST_NAME_BYTES

    def graph(self) -> Graph:
        subgraphs = self._count(self._model.SubgraphsLength())
        if subgraphs == 0:
            raise ValueError("it holds no graph")
        main = self._model.Subgraphs(0)
        codes = [self._code(self._model.OperatorCodes(i)) for i in range(self._count(self._model.OperatorCodesLength()))]
        tensors = [self._tensor(main.Tensors(i)) for i in range(self._count(main.TensorsLength()))]
        operators = [self._operator(main.Operators(i), codes, len(tensors)) for i in range(self._count(main.OperatorsLength()))]
        inputs = self._operands(main.InputsAsNumpy, main.InputsLength(), len(tensors), optional=False)
        outputs = self._operands(main.OutputsAsNumpy, main.OutputsLength(), len(tensors), optional=False)
        if not (inputs and outputs and operators):
            raise ValueError("its graph has no inputs, no outputs or no operators")
        return Graph(tensors, operators, inputs, outputs, subgraphs)

    def _count(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError(f"it claims more than {MOST_ITEMS} tensors, operators and operands")
        return count

    def _code(self, code: Any) -> str:
        """The operator's name; codes above 126 are in the wider field (schema.fbs: OperatorCode)."""
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = self._builtins.get(number, f"UNKNOWN_{number}")
        return f"CUSTOM {self._text(code.CustomCode())}" if name == "CUSTOM" else name

    def _operator(self, operator: Any, codes: list[str], tensors: int) -> Operator:
        inputs = self._operands(operator.InputsAsNumpy, operator.InputsLength(), tensors, optional=True)
        outputs = self._operands(operator.OutputsAsNumpy, operator.OutputsLength(), tensors, optional=False)
        name = codes[operator.OpcodeIndex()]
        return Operator(name, inputs, outputs, *read_options(self._schema, operator))

    def _operands(self, read: Callable[[], Any], length: int, tensors: int, *, optional: bool) -> tuple[int, ...]:
        operands = tuple(int(index) for index in read()) if self._count(length) else ()
        if any(not (-1 if optional else 0) <= index < tensors for index in operands):
            raise ValueError("an operator refers to a tensor that is not there")
        return operands

    def _tensor(self, tensor: Any) -> Tensor:
        if tensor.ShapeLength() > MOST_DIMENSIONS:
            raise ValueError(f"a tensor has {tensor.ShapeLength()} dimensions")
        shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
        if any(size < 0 for size in shape) or math.prod(shape) > MOST_ELEMENTS:
            raise ValueError(f"a tensor has the shape {shape}")
        dtype, quantization, sparse = self._types.get(tensor.Type()), tensor.Quantization(), tensor.Sparsity() is not None
        if dtype is None:
            raise ValueError(f"a tensor has the unknown type {tensor.Type()}")
        stored = self._stored(tensor.Buffer())
        if stored.size and not sparse and dtype in BITS and stored.size != -(-math.prod(shape) * BITS[dtype] // 8):
            raise ValueError(f"a constant of shape {shape} and type {dtype} holds {stored.size} bytes")
        return Tensor(
            name=self._text(tensor.Name()),
            shape=shape,
            dtype=dtype,
            scales=_vector(quantization and quantization.ScaleLength() and quantization.ScaleAsNumpy(), np.float32),
            zero_points=_vector(quantization and quantization.ZeroPointLength() and quantization.ZeroPointAsNumpy(), np.int64),
            buffer=tensor.Buffer(),
            constant_bytes=stored.size,
            sparse=sparse,
            signature=self._signature(tensor),
            channel_axis=int(quantization.QuantizedDimension()) if quantization else 0,
            variable=bool(tensor.IsVariable()),
            stored=stored,
        )

    def _text(self, name: bytes | None) -> str:
        self._name_bytes_left -= len(name or b"")
        if self._name_bytes_left < 0:
            raise ValueError(f"its names take more than {MOST_NAME_BYTES} bytes")
        return (name or b"").decode("utf-8", errors="replace")

    def _signature(self, tensor: Any) -> tuple[int, ...]:
        if tensor.ShapeSignatureLength() > MOST_DIMENSIONS:
            raise ValueError(f"a tensor has {tensor.ShapeSignatureLength()} dimensions")
        return tuple(int(size) for size in tensor.ShapeSignatureAsNumpy()) if tensor.ShapeSignatureLength() else ()

    def _stored(self, index: int) -> NDArray[np.uint8]:
        """The bytes of a buffer, as a view of the file."""
        if index >= self._model.BuffersLength():
            raise ValueError("a tensor refers to a buffer that is not there")
        buffer = self._model.Buffers(index)
        if buffer.Offset() <= EXTERNAL:
            return _vector(buffer.DataLength() and buffer.DataAsNumpy(), np.uint8)
        if buffer.Offset() + buffer.Size() > len(self._content):
            raise ValueError("a buffer reaches beyond the end of the file")
        return np.frombuffer(self._content, np.uint8, buffer.Size(), buffer.Offset())


def _names(enumeration: type) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if isinstance(number, int)}


def _vector(values: Any, dtype: type[Any]) -> NDArray[Any]:
    """The vector that the reader found, or an empty one where it found none."""
    return values if isinstance(values, np.ndarray) else np.empty(0, dtype)
