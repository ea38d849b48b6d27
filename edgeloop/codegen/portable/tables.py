"""What generated code says about its layers and tensors: names, node types of ST's tools, format words."""

import re

from edgeloop.codegen.portable.network import (
    Add,
    AveragePool,
    Convolution,
    Dense,
    Depthwise,
    Layer,
    Mean,
    Softmax,
    Value,
    ValueType,
)

FORMATS: dict[ValueType, int] = {"int8": 0x00840440, "uint8": 0x00040440, "float32": 0x00821040}
"""Format words of the serial validation protocol: sign, type and bits of an element."""
_NODE_TYPES: tuple[tuple[type[Layer] | tuple[type[Layer], ...], int], ...] = (
    ((Convolution, Depthwise), 0x103),
    (Dense, 0x104),
    ((Mean, AveragePool), 0x10B),
    (Softmax, 0x10C),
    (Add, 0x113),
)
_OTHER_NODE_TYPE = 0x107


def layer_name(layer: Layer) -> str:
    """A layer's name: its operator and its place in the file, e.g. conv_2d_3."""
    return f"{re.sub('[^a-z0-9]+', '_', layer.operator.lower())}_{layer.position}"


def node_type(layer: Layer) -> int:
    """The node type by which ST's tools show a layer; what has none of its own is shown as a nonlinearity."""
    return next((number for kinds, number in _NODE_TYPES if isinstance(layer, kinds)), _OTHER_NODE_TYPE)


def weight_bytes(layer: Layer) -> int:
    """int8 weights and int32 biases of a layer."""
    if isinstance(layer, Convolution | Depthwise | Dense):
        return int(layer.weights.size) + 4 * int(layer.bias.size)
    return 0


def shape_text(value: Value) -> str:
    """A shape as readers write it, e.g. 56x56x16."""
    return "x".join(map(str, value.shape))
