"""The network as the generator sees it: values and layers, typed, in order of execution.

Everything is resolved here: shapes without the batch dimension, integer multipliers instead of scales, limits instead
of activations. Arithmetic: TensorFlow Lite's reference kernels (tensorflow/lite/kernels/internal/reference) and its
quantization specification.
"""

from dataclasses import dataclass, field

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.values import Value


@dataclass(frozen=True, eq=False)
class Network:
    """A model of one input and one output; every layer's inputs are the network's input or outputs of earlier layers."""

    input: Value
    output: Value
    layers: tuple[Layer, ...] = field(repr=False)

    @property
    def computing(self) -> list[Layer]:
        """The layers that compute something, which are those that generated code counts."""
        return [layer for layer in self.layers if layer.KERNEL]

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def weight_bytes(self) -> int:
        """int8 weights and int32 biases."""
        return sum(layer.weight_bytes for layer in self.layers)
