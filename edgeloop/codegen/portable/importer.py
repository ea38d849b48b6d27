"""A TensorFlow Lite file as a `Network`: what cannot be computed exactly by the kernels is refused by name and position.

The file is not trusted: memory is written by the code that is generated from what comes out here.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.check import check
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.node import OTHER_LAYERS, QUANTIZE_IT, Node, read_value
from edgeloop.codegen.portable.operators import find_kind
from edgeloop.codegen.portable.shapes import FOLDED
from edgeloop.codegen.portable.values import Value
from edgeloop.errors import ModelError
from edgeloop.tflite.ending import ONE_CLASS, ending, unfit_ending
from edgeloop.tflite.graph import Graph, Tensor, read_graph

MOST_OPERATORS = 2_000
MOST_WEIGHT_BYTES = 1 << 27
"""The most bytes of all layers together, counted as often as they are used: no microcontroller's flash holds more."""
MOST_SCALED_CHANNELS = 1 << 18
"""Output channels of all layers with weights; each has a scaling."""


def read_network(path: Path) -> Network:
    """Read a fully quantized image classifier of one input and one output.

    Raises:
        InputError: there is no such file.
        ModelError: it is damaged, or holds something that the portable generator does not take; the message names the
            operator and its position.
    """
    graph = read_graph(path)
    if len(graph.operators) > MOST_OPERATORS:
        raise ModelError(f"{path} has {len(graph.operators)} operators.", f"The limit of the portable generator is {MOST_OPERATORS}.")
    network = _Importer(path, graph).network()
    check(network, path)
    return network


class _Importer:
    """Goes through the operators in their order; a value exists once the operator that computes it was passed."""

    def __init__(self, path: Path, graph: Graph) -> None:
        self._path = path
        self._graph = graph
        self._values: dict[int, Value] = {}
        self._folded: dict[int, NDArray[np.int32]] = {}
        self._weight_bytes_left = MOST_WEIGHT_BYTES
        self._channels_left = MOST_SCALED_CHANNELS

    def network(self) -> Network:
        source = self._input()
        layers = [layer for position in range(len(self._graph.operators)) for layer in self._layers(position)]
        if len(self._graph.outputs) != 1:
            raise self._refuse(f"has {len(self._graph.outputs)} outputs, where one is expected")
        output = self._values.get(self._graph.outputs[0])
        if output is None:
            raise self._refuse("has an output that no operator computes", "Convert the model again.")
        needed = needed_layers(layers, output)
        if not any(layer.KERNEL for layer in needed) or all(source not in layer.inputs for layer in needed):
            raise self._refuse("computes nothing from its input", "Convert the model again.")
        if ending(self._graph) == "sigmoid" and output.elements > 1:
            raise self._refuse(str(unfit_ending(self._graph)), ONE_CLASS)
        return Network(source, output, needed)

    def _input(self) -> Value:
        if len(self._graph.inputs) != 1:
            raise self._refuse(f"has {len(self._graph.inputs)} inputs, where one is expected")
        index = self._graph.inputs[0]
        tensor = self._graph.tensors[index]
        if tensor.dtype not in ("INT8", "UINT8"):
            raise self._refuse(f"takes {tensor.dtype}, where uint8 or int8 is expected", QUANTIZE_IT)
        if tensor.constant_bytes or -1 in tensor.signature[1:]:
            raise self._refuse("has an input of open size, or a constant one", QUANTIZE_IT)
        self._values[index] = read_value(tensor, index, self._refuse)
        return self._values[index]

    def _layers(self, position: int) -> Sequence[Layer]:
        """The layers of the operator at that position, one for each output; none where it is folded away."""
        operator = self._graph.operators[position]
        folded, kind = FOLDED.get(operator.name), find_kind(operator.name)
        if kind is not None and operator.inputs and operator.inputs[0] in self._values:
            folded = None  # A slice of what is computed, not of a shape.
        table = folded[0] if folded else kind.OPTIONS if kind else ""
        node = Node(self._path, self._graph, position, self._values, self._folded, table)
        if folded:
            self._folded[self._folded_output(node)] = folded[1](node)
            return []
        if kind is None:
            raise node.refuse("is not supported by the portable generator")
        self._count_weights(node)
        try:
            layers = kind.kind_of(node).read_all(node)
        except ValueError as error:  # A scale without a multiplier (fixed_point).
            raise node.refuse(f"cannot be computed in 32 bits: {error}", QUANTIZE_IT) from error
        for layer in layers:
            self._count_channels(layer)
            if layer.output.tensor in self._values:
                raise node.refuse("writes to a tensor that has its values already", "Convert the model again.")
            self._values[layer.output.tensor] = layer.output
        return layers

    def _folded_output(self, node: Node) -> int:
        index = node.operator.outputs[0] if node.operator.outputs else -1
        tensor: Tensor | None = self._graph.tensors[index] if index >= 0 else None
        if tensor is None or tensor.dtype != "INT32" or tensor.constant_bytes or index in self._folded or index in self._values:
            raise node.refuse("computes other than new INT32 numbers")
        return index

    def _count_weights(self, node: Node) -> None:
        for place in range(len(node.operator.inputs)):
            operand = self._graph.operand(node.operator, place)
            self._weight_bytes_left -= operand.constant_bytes if operand else 0
        if self._weight_bytes_left < 0:
            raise self._refuse(f"uses more than {MOST_WEIGHT_BYTES:,} bytes of weights")

    def _count_channels(self, layer: Layer) -> None:
        self._channels_left -= layer.scaled_channels
        if self._channels_left < 0:
            raise self._refuse(f"has more than {MOST_SCALED_CHANNELS:,} output channels in all")

    def _refuse(self, reason: str, remedy: str = OTHER_LAYERS) -> ModelError:
        return ModelError(f"{self._path} {reason}.", remedy)


def needed_layers(layers: list[Layer], output: Value) -> tuple[Layer, ...]:
    """The layers that the output depends on, in their order; others compute what nobody reads."""
    wanted, needed = {output.tensor}, []
    for layer in reversed(layers):
        if layer.output.tensor in wanted:
            needed.append(layer)
            wanted.update(value.tensor for value in layer.inputs)
    return tuple(reversed(needed))
