"""Damage to model files: of their bytes, and of what they say (shapes, operands, operators, scales, constants)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from miniature import damaged
from model_file import packed, unpacked

SIZES = (0, 1, 2, 3, 7, 64, 65_535, 1 << 20, (1 << 31) - 1, -1, -2, -(1 << 31))
SCALES = (0.0, -0.0, -1.0, 1e-45, 1e-38, 1e-20, 1.0, 1e20, 3e38, float("inf"), float("nan"))
TAKEN = (0, 1, 2, 3, 4, 6, 9, 14, 17, 18, 19, 21, 22, 23, 25, 28, 34, 40, 41, 45, 49, 54, 65, 77, 83, 97, 98, 102, 114, 117)
"""schema.fbs: BuiltinOperator, of operators that the portable generator takes."""
ZERO_POINTS = (0, 1, -128, 127, -129, 128, 255, 256, 1 << 40, -(1 << 63))


def damaged_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """The file cut off, with flipped bits, with overwritten words, or with pieces and offsets moved about in it."""
    kind = rng.integers(4)
    copy = bytearray(content)
    if kind == 0:
        cut: bytes = damaged(content, rng)
        return cut
    for _ in range(rng.integers(1, 6)):
        if kind == 1:
            copy[int(rng.integers(8, len(copy)))] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            source, target = (int(place) & ~3 for place in rng.integers(8, len(copy) - 4, 2))
            copy[target : target + 4] = copy[source : source + 4]
        else:
            length = int(rng.integers(1, 64))
            source, target = (int(place) for place in rng.integers(8, max(9, len(copy) - length), 2))
            copy[target : target + length] = copy[source : source + length]
    return bytes(copy)


def damaged_meaning(content: bytes, rng: np.random.Generator) -> bytes:
    """A well-formed file that says one to three things that it should not."""
    model = unpacked(content)
    for _ in range(rng.integers(1, 4)):
        _CHANGES[int(rng.integers(len(_CHANGES)))](model, rng)
    return packed(model)


def _any(rng: np.random.Generator, things: Any) -> Any:
    return things[int(rng.integers(len(things)))]


def _shape(model: Any, rng: np.random.Generator) -> None:
    tensor = _any(rng, model.subgraphs[0].tensors)
    shape = [int(size) for size in tensor.shape] if tensor.shape is not None else []
    kind = rng.integers(3)
    if kind == 0 and shape:
        shape[int(rng.integers(len(shape)))] = int(_any(rng, SIZES))
    elif kind == 1:
        shape.insert(int(rng.integers(len(shape) + 1)), int(_any(rng, (1, 1, 2, 1 << 20))))
    else:
        shape = [int(size) for size in rng.permutation(shape)][: int(rng.integers(len(shape) + 1))]
    tensor.shape = shape


def _signature(model: Any, rng: np.random.Generator) -> None:
    tensor = _any(rng, model.subgraphs[0].tensors)
    tensor.shapeSignature = [int(_any(rng, SIZES)) for _ in range(rng.integers(6))]


def _operands(model: Any, rng: np.random.Generator) -> None:
    """Forward and cyclic references, swapped, missing and superfluous operands."""
    graph = model.subgraphs[0]
    operator = _any(rng, graph.operators)
    field = str(_any(rng, ("inputs", "inputs", "outputs")))
    operands = [int(index) for index in getattr(operator, field)]
    kind = rng.integers(4)
    if kind == 0 and operands:
        operands[int(rng.integers(len(operands)))] = int(rng.integers(len(graph.tensors)))
    elif kind == 1 and operands:
        operands[int(rng.integers(len(operands)))] = int(_any(rng, SIZES))
    elif kind == 2:
        operands.append(int(rng.integers(len(graph.tensors))))
    else:
        operands = operands[:-1]
    setattr(operator, field, operands)


def _order(model: Any, rng: np.random.Generator) -> None:
    """Two operators swapped, one twice, or one left out."""
    operators = model.subgraphs[0].operators
    first, second = (int(place) for place in rng.integers(len(operators), size=2))
    kind = rng.integers(3)
    if kind == 0:
        operators[first], operators[second] = operators[second], operators[first]
    elif kind == 1:
        operators.insert(first, operators[second])
    elif len(operators) > 1:
        del operators[first]


def _code(model: Any, rng: np.random.Generator) -> None:
    """Another operator under the old one's options, or none of the schema."""
    code = _any(rng, model.operatorCodes)
    code.builtinCode = int(_any(rng, (*TAKEN, int(rng.integers(0, 210)), 1 << 20)))
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)


def _options(model: Any, rng: np.random.Generator) -> None:
    operator = _any(rng, model.subgraphs[0].operators)
    options = operator.builtinOptions
    if options is None or rng.random() < 0.1:
        operator.builtinOptions, operator.builtinOptionsType = None, 0
        return
    numbers = [name for name, setting in vars(options).items() if isinstance(setting, int | float)]
    if not numbers:
        return
    name = _any(rng, numbers)
    bounded = name in ("padding", "fusedActivationFunction", "weightsFormat", "keepDims", "keepNumDims", "potScaleInt16")
    if isinstance(getattr(options, name), float):
        setattr(options, name, float(_any(rng, SCALES)))
    else:
        setattr(options, name, int(rng.integers(0, 6)) if bounded else int(_any(rng, SIZES)))


def _quantization(model: Any, rng: np.random.Generator) -> None:
    tensor = _any(rng, model.subgraphs[0].tensors)
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        return
    scales, zero_points = np.array(quantization.scale, np.float32), np.array(quantization.zeroPoint, np.int64)
    kind = rng.integers(5)
    if kind == 0 and scales.size:
        scales[int(rng.integers(scales.size))] = _any(rng, SCALES)
    elif kind == 1 and zero_points.size:
        zero_points[int(rng.integers(zero_points.size))] = _any(rng, ZERO_POINTS)
    elif kind == 2:
        scales = np.resize(scales, int(rng.integers(0, 20)))
    elif kind == 3:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            scales = scales * np.float32(10 ** rng.uniform(-6, 6))
    else:
        quantization.quantizedDimension = int(_any(rng, (0, 1, 2, 3, 4, -1, 1 << 30)))
    quantization.scale, quantization.zeroPoint = scales, zero_points


def _type(model: Any, rng: np.random.Generator) -> None:
    tensor = _any(rng, model.subgraphs[0].tensors)
    tensor.type = int(rng.integers(0, 18))
    tensor.isVariable = bool(rng.random() < 0.1)


def _buffer(model: Any, rng: np.random.Generator) -> None:
    """Another buffer, one too far, or one of other length or content."""
    kind = rng.integers(4)
    if kind == 0:
        _any(rng, model.subgraphs[0].tensors).buffer = int(_any(rng, (*range(len(model.buffers)), len(model.buffers), (1 << 32) - 1)))
        return
    buffer = _any(rng, model.buffers)
    data = np.array(buffer.data if buffer.data is not None else [], np.uint8)
    if kind == 1:
        buffer.data = data[: int(rng.integers(data.size + 1))]
    elif kind == 2:
        buffer.data = np.resize(data if data.size else np.zeros(1, np.uint8), int(rng.integers(1, 4096)))
    else:
        buffer.data = rng.integers(0, 256, data.size).astype(np.uint8)


def _ends(model: Any, rng: np.random.Generator) -> None:
    """Other inputs or outputs of the graph."""
    graph = model.subgraphs[0]
    tensors = [int(index) for index in rng.integers(0, len(graph.tensors), int(rng.integers(0, 3)))]
    if rng.random() < 0.5:
        graph.inputs = tensors
    else:
        graph.outputs = tensors


_CHANGES: tuple[Callable[[Any, np.random.Generator], None], ...] = (
    _shape,
    _shape,
    _signature,
    _operands,
    _operands,
    _order,
    _code,
    _options,
    _quantization,
    _quantization,
    _type,
    _buffer,
    _ends,
)
