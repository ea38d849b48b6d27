"""Cross-layer equalization: channels that differ widely in range are rescaled, and the float function stays as it is.

M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-Free Quantization Through Weight Equalization and Bias Correction",
ICCV 2019 (arXiv 1906.04721), section 4.1: a channel that is multiplied by s > 0 where it is made and divided by s where it is
taken passes ReLU unchanged. It works on the converted float model: normalisation is folded there, and nested or shared
layers of Keras are plain operators.

Two things differ from the paper. Scales are powers of two, so that the rescaled model computes the same to the last bit.
And the ranges of activations count beside those of weights, as in SmoothQuant (G. Xiao et al., ICML 2023, arXiv 2211.10438):
with a scale for each channel of a weight, only activations and inputs have channels that share one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.tflite.graph import Graph, Operator, Tensor, graph_of
from edgeloop.tflite.interpreter import ObservedModel

Vector = NDArray[np.float64]
Ranges = Mapping[int, Vector]
"""The largest magnitude of each channel (the last dimension), by the tensor's place."""
WEIGHTED = {"CONV_2D": (0, 3), "DEPTHWISE_CONV_2D": (3, 3), "FULLY_CONNECTED": (0, 1)}
"""Operators with weights: the dimensions of output and input channels in them (schema.fbs)."""
PASSING = ("PAD", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "RESHAPE", "RELU", "RELU6", "LEAKY_RELU", "ADD")
"""Operators whose output is that of the unscaled input, times the scale of each channel."""
NONE, RELU, RELU6 = 0, 1, 3
"""Activations that are fused into an operator (schema.fbs: ActivationFunctionType)."""
SIX, MARGIN = 6.0, 1.125
"""A channel is scaled up to where its largest value, and an eighth more, stays below the end of a ReLU6."""
MOST_SWEEPS = 200
SETTLED = 2.0**-6
"""Scales that move by less, in powers of two, are found."""
MOST_EXPONENT = 24
"""Scales lie between 2**-24 and 2**24."""
LEAST_SHARE = 2.0**-12
"""A channel below this share of the typical one is treated as if it had it."""


def channel_ranges(content: bytes, pixels: Pixels, preprocessing: Preprocessing) -> dict[int, Vector]:
    """The largest magnitude of each channel of every tensor that a float model computes, over (n, height, width, channels) uint8 pixels."""
    observed, graph = ObservedModel(content), graph_of(content)
    outputs = [place for operator in graph.operators for place in operator.outputs]
    ranges = {place: np.zeros(graph.tensors[place].shape[-1]) for place in outputs if graph.tensors[place].shape}
    for image in pixels:
        observed.run(preprocessing.normalised(image[None]))
        for place, known in ranges.items():
            values = np.abs(observed.values(place))
            np.maximum(known, values.reshape(-1, values.shape[-1]).max(axis=0), out=known)
    return ranges


def equalized(content: bytes, ranges: Ranges, *, per_channel: bool) -> bytes:
    """A float model with its channels rescaled for int8 weights of a scale for each output channel, or for each tensor.

    `ranges` are the `channel_ranges` of this very model. What cannot be rescaled stays as it is.
    """
    written = bytearray(content)
    graph = graph_of(written)
    chains = _chains(graph)
    scales = _scales(chains, ranges, per_channel)
    for weight in {id(weight): weight for chain in chains for weight in (*chain.makers, *chain.readers)}.values():
        weight.write(scales)
    return bytes(written)


@dataclass(eq=False)
class Weight:
    """The weights of one operator, and the chains of channels that it takes and makes."""

    values: NDArray[np.float32]
    """A view of the file."""
    bias: NDArray[np.float32] | None
    out_axis: int
    in_axis: int
    makes: "Chain | None" = None
    reads: "Chain | None" = None

    def scaled(self, scales: Mapping["Chain", Vector]) -> NDArray[np.float64]:
        """Magnitudes of the weights, rescaled."""
        return np.abs(self.values.astype(np.float64)) * self._factor(scales)

    def write(self, scales: Mapping["Chain", Vector]) -> None:
        self.values[...] = (self.values.astype(np.float64) * self._factor(scales)).astype(np.float32)
        if self.bias is not None and self.makes is not None:
            self.bias[...] = (self.bias.astype(np.float64) * scales[self.makes]).astype(np.float32)

    def over_outputs(self, magnitudes: NDArray[np.float64]) -> Vector:
        return _over(magnitudes, self.out_axis)

    def over_inputs(self, magnitudes: NDArray[np.float64]) -> Vector:
        """The values by channel of the chain; several inputs of a dense layer, and several outputs of a depthwise one, belong to one."""
        of_axis = _over(magnitudes, self.in_axis)
        assert self.reads is not None
        parts = of_axis.reshape(self._split(self.reads.channels))
        largest: Vector = parts.max(axis=1 if self._is_depthwise else 0)
        return largest

    @property
    def _is_depthwise(self) -> bool:
        return self.out_axis == self.in_axis

    def _split(self, channels: int) -> tuple[int, int]:
        return (channels, -1) if self._is_depthwise else (-1, channels)

    def _factor(self, scales: Mapping["Chain", Vector]) -> NDArray[np.float64]:
        factor = np.ones([1] * self.values.ndim)
        if self.makes is not None:
            factor = factor * _along(scales[self.makes], self.out_axis, self.values.ndim)
        if self.reads is not None:
            repeats = self.values.shape[self.in_axis] // self.reads.channels
            inputs = scales[self.reads]
            repeated = np.repeat(inputs, repeats) if self._is_depthwise else np.tile(inputs, repeats)
            factor = factor / _along(repeated, self.in_axis, self.values.ndim)
        return factor


@dataclass(eq=False)
class Chain:
    """Tensors whose channels can only be scaled together, with the weights that make and take them."""

    channels: int
    tensors: list[int] = field(default_factory=list)
    limited: list[int] = field(default_factory=list)
    """Those that a ReLU6 ends."""
    makers: list[Weight] = field(default_factory=list)
    readers: list[Weight] = field(default_factory=list)


def _over(magnitudes: NDArray[np.float64], axis: int) -> Vector:
    largest: Vector = magnitudes.max(axis=tuple(other for other in range(magnitudes.ndim) if other != axis))
    return largest


def _along(vector: Vector, axis: int, dimensions: int) -> NDArray[np.float64]:
    return vector.reshape([-1 if place == axis else 1 for place in range(dimensions)])


# Which channels belong together.


class _Groups:
    """Tensors joined into groups (union-find), and the groups that must not be scaled."""

    def __init__(self, graph: Graph) -> None:
        self._parent = list(range(len(graph.tensors)))
        self._frozen: set[int] = {*graph.inputs, *graph.outputs}

    def of(self, tensor: int) -> int:
        while self._parent[tensor] != tensor:
            tensor = self._parent[tensor]
        return tensor

    def join(self, tensors: Iterable[int]) -> None:
        first, *others = tensors
        for other in others:
            self._parent[self.of(other)] = self.of(first)

    def freeze(self, tensors: Iterable[int]) -> None:
        self._frozen.update(tensors)

    def frozen(self) -> set[int]:
        return {self.of(tensor) for tensor in self._frozen}


def _chains(graph: Graph) -> list[Chain]:
    """All groups of tensors that can be scaled, each with who makes and who takes it, in the order of the file."""
    groups, weights = _Groups(graph), dict[int, Weight]()
    uses = _uses_of_buffers(graph)
    limited: list[int] = []
    for place, operator in enumerate(graph.operators):
        computed = [tensor for tensor in operator.inputs if tensor >= 0 and not graph.tensors[tensor].constant_bytes]
        activation = operator.options.get("FusedActivationFunction", NONE)
        if (weight := _weight(graph, operator, uses)) is not None and len(computed) == 1:
            weights[place] = weight
        elif _passes(graph, operator, computed):
            groups.join([*computed, *operator.outputs])
        else:
            groups.freeze([*computed, *operator.outputs])
        if activation not in (NONE, RELU, RELU6):
            groups.freeze(operator.outputs)
        if activation == RELU6 or operator.name == "RELU6":
            limited += operator.outputs
    return _collected(graph, groups, weights, limited)


def _collected(graph: Graph, groups: _Groups, weights: Mapping[int, Weight], limited: list[int]) -> list[Chain]:
    members: dict[int, list[int]] = defaultdict(list)
    for tensor in range(len(graph.tensors)):
        members[groups.of(tensor)].append(tensor)
    chains: dict[int, Chain] = {}
    for root in sorted(members.keys() - groups.frozen()):
        if all(shapes := [graph.tensors[tensor].shape for tensor in members[root]]):
            chains[root] = Chain(min(shape[-1] for shape in shapes), members[root], [t for t in limited if groups.of(t) == root])
    for place, weight in weights.items():
        operator = graph.operators[place]
        inputs, outputs = (chains.get(groups.of(end)) for end in (operator.inputs[0], operator.outputs[0]))
        if inputs is not None:
            inputs.readers.append(weight)
        if outputs is not None:
            outputs.makers.append(weight)
    whole = [chain for chain in chains.values() if chain.makers and chain.readers]
    for chain in whole:
        for weight in chain.readers:
            weight.reads = chain
        for weight in chain.makers:
            weight.makes = chain
    return whole


def _uses_of_buffers(graph: Graph) -> dict[int, int]:
    uses: dict[int, int] = defaultdict(int)
    for operator in graph.operators:
        for tensor in operator.inputs:
            if tensor >= 0:
                uses[graph.tensors[tensor].buffer] += 1
    return uses


def _weight(graph: Graph, operator: Operator, uses: Mapping[int, int]) -> Weight | None:
    """The weights of an operator, where they are its own and float32."""
    if operator.name not in WEIGHTED:
        return None
    kernel, bias = graph.operand(operator, 1), graph.operand(operator, 2)
    out_axis, in_axis = WEIGHTED[operator.name]
    constants = [tensor for tensor in (kernel, bias) if tensor is not None]
    if kernel is None or not all(tensor.constant_bytes and tensor.dtype == "FLOAT32" and uses[tensor.buffer] == 1 for tensor in constants):
        return None
    inputs, outputs = graph.tensors[operator.inputs[0]].shape[-1], graph.tensors[operator.outputs[0]].shape[-1]
    if (
        kernel.shape[out_axis] != outputs
        or kernel.shape[in_axis] % inputs
        or (operator.name == "CONV_2D" and kernel.shape[in_axis] != inputs)
    ):
        return None
    return Weight(_floats(kernel), None if bias is None else _floats(bias), out_axis, in_axis)


def _floats(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.stored.view(np.float32).reshape(tensor.shape)


def _passes(graph: Graph, operator: Operator, computed: list[int]) -> bool:
    """Whether channels go through an operator unmixed, all of them."""
    if operator.name not in PASSING:
        return False
    output = graph.tensors[operator.outputs[0]].shape
    inputs = [graph.tensors[tensor].shape for tensor in computed]
    if not inputs or not output or not all(inputs):
        return False
    if operator.name == "MEAN" and not _keeps_channels(graph, operator, len(inputs[0])):
        return False
    if operator.name == "ADD":
        return len(computed) == 2 and inputs[0] == inputs[1] == output
    if operator.name == "RESHAPE":
        # Flattening repeats the channels in their order; a dense layer behind it knows how often.
        return output[-1] == inputs[0][-1] or (len(output) == 2 and output[-1] % inputs[0][-1] == 0)
    return inputs[0][-1] == output[-1]


def _keeps_channels(graph: Graph, operator: Operator, dimensions: int) -> bool:
    axes = graph.operand(operator, 1)
    return axes is not None and axes.dtype == "INT32" and not (axes.stored.view(np.int32) % dimensions == dimensions - 1).any()


# How much each channel is scaled.


def _scales(chains: list[Chain], ranges: Ranges, per_channel: bool) -> dict[Chain, Vector]:
    """The scales of each chain, powers of two: swept until they stay, as a weight belongs to two chains."""
    scales = {chain: np.ones(chain.channels) for chain in chains}
    for _ in range(MOST_SWEEPS):
        before = dict(scales)
        for chain in chains:
            scales[chain] = _limited(chain, scales[chain] * _wanted(chain, scales, ranges, per_channel), ranges)
        if all(np.allclose(np.log2(scales[chain]), np.log2(before[chain]), atol=SETTLED) for chain in chains):
            break
    return {chain: _snapped(scales[chain], down=bool(chain.limited)) for chain in chains}


def _wanted(chain: Chain, scales: Mapping[Chain, Vector], ranges: Ranges, per_channel: bool) -> Vector:
    """The factor s of each channel that balances both sides.

    What is made is multiplied by s, and the weights that read it are divided by it: made * s = read / s gives s = sqrt(read / made).
    """
    made = [_profile(_of_tensor(ranges[tensor], chain.channels) * scales[chain]) for tensor in chain.tensors if tensor in ranges]
    if not per_channel:
        made += [_profile(weight.over_outputs(weight.scaled(scales))) for weight in chain.makers]
    readers = [weight for weight in chain.readers if not (per_channel and weight.out_axis == weight.in_axis)]
    if not readers:  # Channels with weights' scales of their own: activations alone share one.
        return 1 / _largest(made, chain.channels)
    read = [_profile(weight.over_inputs(weight.scaled(scales))) for weight in readers]
    return np.sqrt(_largest(read, chain.channels) / _largest(made, chain.channels))


def _largest(profiles: list[Vector], channels: int) -> Vector:
    return np.max(profiles, axis=0) if profiles else np.ones(channels)


def _profile(magnitudes: Vector) -> Vector:
    """Ranges of channels by the typical one. Dead channels count as typical: no scale would ever bring them nearer to it."""
    alive = magnitudes > 0
    profile = np.ones_like(magnitudes)
    if alive.any():
        profile[alive] = np.maximum(magnitudes[alive] / np.exp(np.log(magnitudes[alive]).mean()), LEAST_SHARE)
    return profile


def _of_tensor(magnitudes: Vector, channels: int) -> Vector:
    """The values by channel of the chain, where a flattened tensor repeats them."""
    largest: Vector = magnitudes.reshape(-1, channels).max(axis=0)
    return largest


def _limited(chain: Chain, scales: Vector, ranges: Ranges) -> Vector:
    """Scales at which no ReLU6 cuts what it does not cut now; a channel that it cuts stays as it is.

    The scales of a chain may all be multiplied alike: with a ReLU6, by what brings the largest channel near to its end.
    """
    free, most = np.ones(chain.channels, bool), np.full(chain.channels, np.inf)
    for tensor in chain.limited:
        largest = np.maximum(_of_tensor(ranges[tensor], chain.channels), SIX * LEAST_SHARE)
        free &= largest < SIX
        most = np.minimum(most, np.maximum(SIX / (MARGIN * largest), 1))
    if free.any() and chain.limited:
        scales = scales / (scales[free] / most[free]).max()
    kept: Vector = np.where(free, np.clip(scales, 2.0**-MOST_EXPONENT, np.minimum(most, 2.0**MOST_EXPONENT)), 1)
    return kept


def _snapped(scales: Vector, *, down: bool) -> Vector:
    """The nearest powers of two, or the next ones below, where there is a limit."""
    snapped: Vector = 2.0 ** np.floor(np.log2(scales) + (0.0 if down else 0.5))
    return snapped
