"""Times layer by layer: the protocol's per-layer mode, a few times, after everything else was measured."""

from collections import Counter
from statistics import median
from typing import Any

from numpy.typing import NDArray

from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.results import NetworkInformation, Operation
from edgeloop.boards.stm32msg.run import Mode
from edgeloop.errors import BoardRefusal, BoardSilent, ProtocolError
from edgeloop.firmware.protocol.messages import Capability
from edgeloop.records import CodegenRecord, LayerTimes, MeasuredLayer

RUNS = 5


def layer_times(
    client: BoardClient, network: NetworkInformation, image: NDArray[Any], made: CodegenRecord, clock: str
) -> tuple[LayerTimes | None, str]:
    """The median time of each layer over a few runs, or None and why there is none: it never spoils what was measured before."""
    if not client.capabilities & Capability.OBSERVER:
        return None, "the board's firmware does not observe layers"
    try:
        runs = [client.run(network, [image], Mode.PERF_PER_LAYER).layers for _ in range(RUNS)]
    except (BoardRefusal, BoardSilent, ProtocolError) as error:
        return None, error.what
    if not runs[0]:
        return None, "the board sends no layers"
    macs = macs_by_position(made)
    layers = [_layer(each, macs) for each in zip(*runs, strict=True)]
    return LayerTimes(runs=RUNS, clock=clock, layers=layers), ""


def macs_by_position(made: CodegenRecord) -> dict[int, int]:
    """The multiply-accumulates of each layer whose position no other one has; none of an NPU, whose epochs are no layers."""
    if made.run is not None and made.run.npu_compiler is not None:
        return {}
    known = [(layer.position, layer.macs) for layer in made.layers or []]
    often = Counter(position for position, _ in known)
    return {position: macs for position, macs in known if position is not None and macs is not None and often[position] == 1}


def _layer(each: tuple[Operation, ...], macs: dict[int, int]) -> MeasuredLayer:
    """One layer from its runs; a time of nothing and no cycle is that of a layer which another one computes."""
    first, ran = each[0], any(one.duration_ms or any(one.counters) for one in each)
    time_ms = median(one.duration_ms for one in each) if ran else None
    return MeasuredLayer(name=first.name, position=first.id, time_ms=time_ms, macs=macs.get(first.id))
