"""The times in a `network_c_info.json` that `validate` wrote on a board: of an inference, and of each layer or epoch."""

from dataclasses import dataclass
from typing import Any

from edgeloop.codegen.stedgeai.c_info import times
from edgeloop.codegen.stedgeai.c_info_form import Info, TimedNode
from edgeloop.codegen.stedgeai.jsonfile import parse


@dataclass(frozen=True)
class LayerTime:
    """`macs` are None for an epoch of an NPU, whose nodes all state 0."""

    name: str
    duration_ms: float
    macs: int | None


@dataclass(frozen=True)
class Timing:
    """None is what the file does not state."""

    device: str | None
    duration_ms: float | None
    cycles: list[int] | None
    layers: list[LayerTime]
    generated: str | None
    """When the network was generated."""


def read_timing(content: dict[str, Any], where: str) -> Timing:
    """The times, whether or not outputs were compared.

    Raises:
        StedgeaiUnreadable: a field is missing or no figure; the message names it.
    """
    info = parse(Info, content, where)
    graph = info.graphs[0] if info.graphs else None
    nodes = parse(list[TimedNode], graph.nodes, where, "graphs[0].nodes") if graph else []
    duration_ms, cycles = times(info, graph, where)
    generated = info.environment.generated_model.get("generated_time")
    return Timing(info.environment.device, duration_ms, cycles, _layers(info, nodes), str(generated) if generated else None)


def _layers(info: Info, nodes: list[TimedNode]) -> list[LayerTime]:
    epochs = info.aton_execution_time
    if epochs is None:
        timed = [(node, node.exec_time.duration_ms) for node in nodes if node.exec_time]
        return [LayerTime(node.name, spent, node.macc) for node, spent in timed if spent is not None]
    names = [node.name for node in nodes] if len(nodes) == len(epochs) else [f"epoch {number}" for number in range(1, len(epochs) + 1)]
    return [LayerTime(name, epoch.duration_ms, None) for name, epoch in zip(names, epochs, strict=True)]
