"""TensorFlow Lite files written tensor by tensor, with parameters that no converter would choose."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {"int8": np.int8, "uint8": np.uint8, "float32": np.float32, "int32": np.int32, "int16": np.int16, "int64": np.int64}


class ModelFile:
    """A model while it is put together: tensors and operators are known by their numbers."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators, self.graph.inputs, self.graph.outputs = [], [], [], []
        self.buffers = [schema.BufferT()]
        self.codes: list[int] = []

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "int8",
        scale: "float | NDArray[Any] | None" = None,
        zero_point: int = 0,
        *,
        data: NDArray[Any] | None = None,
        axis: int = 0,
        signature: Sequence[int] | None = None,
    ) -> int:
        """A new tensor; a constant where `data` is given."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.type = list(shape), getattr(self.schema.TensorType, dtype.upper())
        tensor.shapeSignature = None if signature is None else list(signature)
        tensor.name = f"tensor {len(self.graph.tensors)}".encode()
        tensor.quantization = self.schema.QuantizationParametersT()
        if scale is not None:
            tensor.quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization.zeroPoint = np.full(tensor.quantization.scale.size, zero_point, np.int64)
            tensor.quantization.quantizedDimension = axis
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data.astype(TYPES[dtype])).tobytes(), np.uint8)
            self.buffers.append(buffer)
            tensor.buffer = len(self.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def numbers(self, values: Sequence[int] | NDArray[Any]) -> int:
        """A constant of int32 numbers, such as axes or a shape."""
        return self.tensor(np.shape(values), "int32", data=np.asarray(values))

    def operator(self, name: str, inputs: Sequence[int], outputs: Sequence[int], table: str = "", **options: Any) -> None:
        """Append an operator; `options` are the fields of its options table, in the schema's spelling."""
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(name)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if table:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(self.schema, f"{table}T")()
            for option, setting in options.items():
                assert hasattr(operator.builtinOptions, option), option
                setattr(operator.builtinOptions, option, setting)
        self.graph.operators.append(operator)

    def content(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        model = self.schema.ModelT()
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [self.graph], self.buffers, []
        for number in self.codes:
            code = self.schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
            model.operatorCodes.append(code)
        return packed(model)

    def _code(self, name: str) -> int:
        number = getattr(self.schema.BuiltinOperator, name)
        if number not in self.codes:
            self.codes.append(number)
        return self.codes.index(number)


def packed(model: Any) -> bytes:
    """A model of the schema's object interface as the bytes of a file."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def unpacked(content: bytes) -> Any:
    """A file as a model of the schema's object interface, to change it and to pack it again."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
