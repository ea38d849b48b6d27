"""From the network's layers to the stages that the planner orders and the emitter writes.

Folded away: reshapes (the same bytes under another shape), and the values between two layers that are fused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators import FUSIONS
from edgeloop.codegen.portable.pipeline import Buffer, Pipeline, Stage
from edgeloop.codegen.portable.values import Value
from edgeloop.codegen.portable.work import Work
from edgeloop.errors import ModelError


def lower(network: Network, *, streamed: bool = False) -> Pipeline:
    """The network as stages; with `streamed`, the first one reads the input's rows.

    Raises:
        ModelError: the network computes nothing.
    """
    if not network.computing:
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
        self._network = network
        self._readers: dict[int, list[Layer]] = {}
        for layer in network.layers:
            for value in layer.inputs:
                self._readers.setdefault(value.tensor, []).append(layer)
        self._drafts = [_Draft(network.input)]
        self._buffer_of = {network.input.tensor: 0}
        self._stages = [Stage(None, (), 0)] if streamed else []

    def pipeline(self) -> Pipeline:
        for work in self._works():
            if work.structures():
                self._add_stage(work)
            else:
                self._share(work)
        output = self._buffer_of[self._network.output.tensor]
        buffers = tuple(self._buffer(number, draft) for number, draft in enumerate(self._drafts))
        return Pipeline(buffers, tuple(self._stages), 0, output)

    def _works(self) -> Iterator[Work]:
        """What is computed together, in order."""
        done: set[int] = set()
        for layer in self._network.layers:
            if id(layer) not in done:
                work = self._work(layer)
                done.update(id(member) for member in work.layers)
                yield work

    def _work(self, layer: Layer) -> Work:
        readers = self._readers.get(layer.output.tensor, [])
        if len(readers) == 1 and layer.output.tensor != self._network.output.tensor:
            return next((fused for kind in FUSIONS if (fused := kind.of(layer, readers[0], self._network))), layer)
        return layer

    def _share(self, work: Work) -> None:
        """Nothing is computed: the output is its input's bytes."""
        place = self._buffer_of[work.inputs[0].tensor]
        self._buffer_of[work.output.tensor] = place
        draft = self._drafts[place]
        if (work.output.height, work.output.row_bytes) != (draft.value.height, draft.value.row_bytes):
            draft.reshaped = True

    def _add_stage(self, work: Work) -> None:
        output = work.output
        taps = tuple(work.tap(self._buffer_of[value.tensor], value) for value in dict.fromkeys(work.inputs))
        for tap in taps:
            self._drafts[tap.buffer].ends.append(tap.end(output.height - 1))
        self._drafts.append(_Draft(output))
        self._buffer_of[output.tensor] = len(self._drafts) - 1
        self._stages.append(Stage(work, taps, len(self._drafts) - 1, work.batches()))

    def _buffer(self, number: int, draft: _Draft) -> Buffer:
        unread = bool(draft.ends) and max(draft.ends) < draft.value.height
        # Of a streamed input, rows that nothing needs are not asked for.
        return Buffer(draft.value, whole=draft.reshaped or (unread and number != 0) or self._read_as_one(number))

    def _read_as_one(self, number: int) -> bool:
        wholly = [stage for stage in self._stages if stage.work and stage.work.READS_WHOLE]
        return any(tap.buffer == number for stage in wholly for tap in stage.taps)
