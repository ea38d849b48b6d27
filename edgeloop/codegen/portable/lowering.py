"""From the network's layers to the stages that the planner orders and the emitter writes.

Folded away: reshapes (the same bytes), the QUANTIZE of uint8 pixels in front of a convolution, and the int8 values between
a depthwise convolution and the 1x1 convolution behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from edgeloop.codegen.portable.kernels.scratch import convolution_scratch_bytes, mean_scratch_bytes, separable_scratch_bytes
from edgeloop.codegen.portable.network import (
    Add,
    AveragePool,
    Convolution,
    Dense,
    Depthwise,
    Layer,
    Mean,
    Network,
    Pad,
    Rectify,
    Requantize,
    Reshape,
    Softmax,
    Value,
    Window,
)
from edgeloop.codegen.portable.pipeline import Batch, Buffer, Pipeline, Stage, Tap
from edgeloop.errors import ModelError

BETWEEN_BYTES = 12_800
"""16-bit values between two layers that one call computes at most: they are read once for every two output channels, and the
data cache of a Cortex-M7 has 16 KiB."""
COLUMNS = 32
"""Columns that one call may compute all the same: below that, unpacking weights takes more than the cache wins."""
GROUP_COLUMNS = 4
"""The kernel computes so many columns together, and once more as much to unpack its weights."""


def computing_layers(network: Network) -> list[Layer]:
    """The layers that compute something, which are those that generated code counts."""
    return [layer for layer in network.layers if not isinstance(layer, Reshape)]


def lower(network: Network, *, streamed: bool = False) -> Pipeline:
    """The network as stages; with `streamed`, the first one reads the input's rows.

    Raises:
        ModelError: the network computes nothing.
    """
    if not computing_layers(network):
        raise ModelError("The model computes nothing: its output is its input.", "Give a model with layers.")
    return _Lowering(network, streamed).pipeline()


@dataclass(eq=False)
class _Draft:
    """A buffer while it is not known yet how it is read."""

    value: Value
    reshaped: bool = False
    ends: list[int] = field(default_factory=list)
    """One past the last row that each reader reads."""


class _Lowering:
    def __init__(self, network: Network, streamed: bool) -> None:
        self._network, self._streamed = network, streamed
        self._readers: dict[int, list[Layer]] = {}
        for layer in network.layers:
            for value in layer.inputs:
                self._readers.setdefault(value.tensor, []).append(layer)
        self._drafts = [_Draft(network.input)]
        self._buffer_of = {network.input.tensor: 0}
        self._stages = [Stage((), (), 0)] if streamed else []

    def pipeline(self) -> Pipeline:
        groups = list(self._groups())
        for group in groups:
            if isinstance(group[0], Reshape):
                self._share(group[0])
            else:
                self._add_stage(group)
        output = self._buffer_of[self._network.output.tensor]
        buffers = tuple(self._buffer(number, draft) for number, draft in enumerate(self._drafts))
        return Pipeline(buffers, tuple(self._stages), 0, output)

    def _groups(self) -> Iterator[tuple[Layer, ...]]:
        """The layers that are computed together, in order."""
        done: set[int] = set()
        for layer in self._network.layers:
            if id(layer) in done:
                continue
            group = self._group(layer)
            done.update(id(member) for member in group)
            yield group

    def _group(self, layer: Layer) -> tuple[Layer, ...]:
        if isinstance(layer, Requantize) and self._folds(layer):
            return layer, self._readers[layer.output.tensor][0]
        if isinstance(layer, Depthwise) and layer.output.tensor != self._network.output.tensor:
            readers = self._readers.get(layer.output.tensor, [])
            if len(readers) == 1 and isinstance(readers[0], Convolution) and is_pointwise(readers[0]):
                return layer, readers[0]
        return (layer,)

    def _folds(self, layer: Requantize) -> bool:
        """Whether the layer only moves the zero point of the network's uint8 pixels, for one convolution."""
        taken, given = layer.inputs[0], layer.output
        readers = self._readers.get(given.tensor, [])
        return (
            taken.tensor == self._network.input.tensor
            and given.tensor != self._network.output.tensor
            and (taken.dtype, given.dtype) == ("uint8", "int8")
            and taken.scale == given.scale
            and taken.zero_point - given.zero_point == 128
            and len(readers) == 1
            and isinstance(readers[0], Convolution)
        )

    def _share(self, layer: Layer) -> None:
        place = self._buffer_of[layer.inputs[0].tensor]
        self._buffer_of[layer.output.tensor] = place
        draft = self._drafts[place]
        if (layer.output.height, layer.output.row_bytes) != (draft.value.height, draft.value.row_bytes):
            draft.reshaped = True

    def _add_stage(self, layers: tuple[Layer, ...]) -> None:
        output = layers[-1].output
        taps = tuple(self._taps(layers))
        for tap in taps:
            self._drafts[tap.buffer].ends.append(tap.end(output.height - 1))
        self._drafts.append(_Draft(output))
        self._buffer_of[output.tensor] = len(self._drafts) - 1
        self._stages.append(Stage(layers, taps, len(self._drafts) - 1, _batches(layers)))

    def _taps(self, layers: tuple[Layer, ...]) -> Iterator[Tap]:
        windowed = layers[1] if isinstance(layers[0], Requantize) and len(layers) == 2 else layers[0]
        for value in dict.fromkeys(layers[0].inputs):
            yield _tap(windowed, value, self._buffer_of[value.tensor], separable=isinstance(layers[0], Depthwise) and len(layers) == 2)

    def _buffer(self, number: int, draft: _Draft) -> Buffer:
        unread = bool(draft.ends) and max(draft.ends) < draft.value.height
        # Of a streamed input, rows that nothing needs are not asked for.
        return Buffer(draft.value, whole=draft.reshaped or (unread and number != 0) or self._read_as_one(number))

    def _read_as_one(self, number: int) -> bool:
        return any(
            isinstance(stage.layers[0], Mean | Dense)
            for stage in self._stages
            for tap in stage.taps
            if tap.buffer == number and stage.layers
        )


def is_pointwise(layer: Convolution) -> bool:
    """Whether each output position depends on the same position of the input alone."""
    return layer.window == Window(1, 1, 1, 1, 0, 0)


def _tap(layer: Layer, value: Value, buffer: int, *, separable: bool) -> Tap:
    if isinstance(layer, Convolution | Depthwise | AveragePool):
        window = layer.window
        return Tap(buffer, value, window.height, window.stride_y, window.top, read_first=separable)
    if isinstance(layer, Pad):
        return Tap(buffer, value, 1, 1, layer.top)
    if isinstance(layer, Mean | Dense):
        return Tap(buffer, value, value.height)
    equal = value.row_bytes == layer.output.row_bytes
    return Tap(buffer, value, 1, in_place=equal and isinstance(layer, Add | Rectify | Requantize | Softmax))


def _batches(layers: tuple[Layer, ...]) -> tuple[Batch, ...]:
    first, last = layers[0], layers[-1]
    if isinstance(first, Depthwise) and isinstance(last, Convolution):
        height, width = last.output.height, last.output.width
        columns = max(COLUMNS, BETWEEN_BYTES // (2 * first.output.channels))
        most = max(1, min(height, columns // width))
        best_first = sorted(range(1, most + 1), key=lambda rows: (_columns_paid(height, width, rows), rows))
        # Beyond one row at a time, only what pays.
        counts = [*best_first[: best_first.index(1)], 1]
        return tuple(Batch(rows, separable_scratch_bytes(first, rows)) for rows in counts)
    if isinstance(last, Convolution):
        return (Batch(1, convolution_scratch_bytes(last)),)
    if isinstance(last, Mean):
        return (Batch(1, mean_scratch_bytes(last.output.channels)),)
    return (Batch(1, 0),)


def _columns_paid(height: int, width: int, rows: int) -> int:
    """What all rows cost in calls of so many rows, in columns: groups are computed whole, and each call unpacks weights."""
    calls = [min(rows, height - row) for row in range(0, height, rows)]
    return sum((-(-count * width // GROUP_COLUMNS) + 1) * GROUP_COLUMNS for count in calls)
