"""`network_c_info.json` (schema 2.0), as ST Edge AI Core 1.0 to 4.0 write it, and the NPU compiler's own of the same form.

Which keys are there differs by version and step: a `validate` on the board overwrites the file with one that holds no memory.
"""

import re
from collections import Counter
from typing import Any

from edgeloop.codegen.stedgeai.c_info_form import (
    COMPILER,
    CORE,
    Buffer,
    Duration,
    Environment,
    EpochNode,
    Footprint,
    Graph,
    Head,
    Info,
    LayerNode,
    Pool,
)
from edgeloop.codegen.stedgeai.jsonfile import parse, required
from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.codegen.stedgeai.source import Code, Memory, Pools, Source, series_option
from edgeloop.codegen.stedgeai.text import missing
from edgeloop.codegen.stedgeai.validation import output
from edgeloop.errors import StedgeaiUnreadable
from edgeloop.records import CodegenLayer, Epochs, MemoryPool, ToolRun, ToolValidation

SCHEMA = "2."
_CONTROLLER = "NODE_EC"
_MAPPINGS = ("NODE_SW", "NODE_SW_HW", "NODE_HW", _CONTROLLER)
"""What runs an epoch: the processor, both, the NPU, the NPU started by its controller."""
_WEIGHTS_AS_C = re.compile(r"_atonbuf\.\w+\.c$")


def read_c_info(content: dict[str, Any], where: str) -> Source:
    """What a c_info file states; one that `validate` wrote of a generic C model states nothing of the network for the NPU.

    Raises:
        StedgeaiUnreadable: the schema is another one, or a field is missing or no figure; the message names it.
    """
    _check_writer(parse(Head, content, where), where)
    info = parse(Info, content, where)
    if not info.has_memory and info.validation is None:
        raise missing("the field 'memory_footprint'", where)
    environment, footprint = info.environment, info.memory_footprint
    core, compiler = environment.tool(CORE), environment.tool(COMPILER)
    command, built = (core.arguments if core else None), (footprint.built if footprint else None)
    graph = info.graphs[0] if info.graphs else None
    # Nodes of an NPU are its epochs, and all have 0 MACs.
    layers = _layers(info, graph, where) if graph and not compiler else None
    generic = _is_of_generic_model(info, command)
    memory, notes = (None, [_overwritten(info, where)]) if generic or not info.has_memory else _memory(info)
    code, code_notes = (None, []) if generic or footprint is None or built is None else _code(footprint, environment, where)
    return Source(
        where=where,
        version=core.version if core else None,
        npu=compiler is not None or info.aton_execution_time is not None or (built or "").endswith("npu"),
        run=ToolRun(
            command=command,
            model=core.model if core else None,
            npu_compiler=" ".join(compiler.version.split()[:1]) if compiler else None,
            npu_options=compiler.arguments if compiler else None,
            size_series=built if code else None,
            network_signature=environment.network_signature,
        ),
        name=environment.c_name or "network",
        series=built or series_option(command),
        memory=memory,
        code=code,
        toolchain=footprint.toolchain if footprint else None,
        pools=_pools(info, memory) if memory else None,
        macs=None if generic or layers is None else sum(layer.macs or 0 for layer in layers),
        layers=None if generic else layers,
        epochs=_epochs(info, graph, where) if graph and compiler else None,
        validation=_validation(info, graph, where),
        notes=notes + code_notes,
    )


def _check_writer(head: Head, where: str) -> None:
    if not head.json_schema_version.startswith(SCHEMA):
        raise missing(f"json_schema_version {SCHEMA}x (it is {head.json_schema_version})", where)
    tools = head.environment.tools
    if tools and head.environment.tool(CORE) is None:
        raise StedgeaiUnreadable(
            f"{where} was written by {tools[0].name}, not by ST Edge AI Core.", "Generate it again with ST Edge AI Core 1.0 or later."
        )


def _is_of_generic_model(info: Info, command: str | None) -> bool:
    """Whether `validate` wrote it over that of `generate`: it then tells of a generic C model, which is not what the NPU runs."""
    words = (command or "").split()
    validated = words[:1] == ["validate"] and any(word.startswith("--st-neural-art") for word in words)
    return info.environment.tool(COMPILER) is None and (info.aton_execution_time is not None or validated)


def _overwritten(info: Info, where: str) -> str:
    if not info.has_memory:
        return f"{where} was overwritten by `validate`: it holds no memory figures any more."
    return f"{where} was overwritten by `validate`: its figures are those of a generic C model, not of the NPU's network, and left out."


def _memory(info: Info) -> tuple[Memory, list[str]]:
    """The memory by memory_footprint, else (the NPU compiler's own file) by the pools."""
    footprint = info.memory_footprint
    if footprint is None:
        return Memory(_used(info, read_only=False), _used(info, read_only=True)), []
    memory = Memory(footprint.activations, footprint.weights, sum(footprint.io))
    if info.memory_pools is None or _pools_agree(info, memory):
        return memory, []
    writable = _used(info, read_only=False)
    return memory, [f"The writable memory pools hold {writable} bytes, memory_footprint states {footprint.activations} of activations."]


def _counted(info: Info) -> list[Pool]:
    return [pool for pool in info.memory_pools or [] if pool.counts]


def _used(info: Info, *, read_only: bool) -> int:
    return sum(pool.used_size_bytes for pool in _counted(info) if pool.read_only == read_only)


def _pools_agree(info: Info, memory: Memory) -> bool:
    """Whether the writable pools hold the activations, and inputs and outputs besides where those have a pool, and no weights."""
    return _used(info, read_only=False) - (memory.activation_ram_bytes or 0) in (0, memory.io_ram_bytes)


def _pools(info: Info, memory: Memory) -> Pools | None:
    """The pools, if any has an address: else the linker decides. What weights a writable one holds is known where RAM makes it up."""
    weights_in_ram = 0 if _pools_agree(info, memory) else None
    pools = [
        MemoryPool(
            name=pool.name,
            internal=pool.internal,
            weight_bytes=pool.used_size_bytes if pool.read_only else weights_in_ram,
            activation_ram_bytes=0 if pool.read_only else pool.used_size_bytes,
            address=pool.start,
            size_bytes=pool.size_bytes if pool.size_bytes >= 0 else None,
        )
        for pool in _counted(info)
    ]
    return Pools(pools) if any(pool.address is not None for pool in pools) else None


def _code(footprint: Footprint, environment: Environment, where: str) -> tuple[Code, list[str]]:
    flash, ram, toolchain = (
        required(getattr(footprint, key), f"memory_footprint.{key}", where) for key in ("kernel_flash", "kernel_ram", "toolchain_flash")
    )
    if any(_WEIGHTS_AS_C.search(str(file.get("name"))) for file in environment.files) and flash >= footprint.weights:
        return Code(None, None, ram, toolchain), ["kernel_flash holds weights that were written as C; only the report tells them apart."]
    return Code(None, flash, ram, toolchain), []


def _layers(info: Info, graph: Graph, where: str) -> list[CodegenLayer]:
    """The C nodes in order, with the shape of their first output and the bytes of their constants."""
    nodes = parse(list[LayerNode], graph.nodes, where, "graphs[0].nodes")
    buffers = {buffer.id: buffer for buffer in parse(list[Buffer], info.buffers, where, "buffers")}
    return [
        CodegenLayer(
            name=node.name,
            type=node.kind,
            position=integer(str(node.original_nodes[0])) if node.original_nodes else None,
            output_shape=next((buffers[number].shape for number in node.outputs if number in buffers), None),
            macs=node.macc,
            weight_bytes=sum(buffers[number].size_bytes for number in node.inputs if number in buffers and buffers[number].is_param),
        )
        for node in nodes
    ]


def _epochs(info: Info, graph: Graph, where: str) -> Epochs:
    """Counted over the nodes that do something; which of the NPU's the epoch controller starts is not in the file unless
    it has a kind of its own for them, or no blobs of the controller."""
    nodes = parse(list[EpochNode], graph.nodes, where, "graphs[0].nodes")
    kinds = Counter(node.mapping for node in nodes if node.works)
    told_apart = info.ec_blobs_info == [] or _CONTROLLER in kinds
    return Epochs(
        total=kinds.total(),
        software=kinds["NODE_SW"],
        hybrid=kinds["NODE_SW_HW"],
        hardware=kinds["NODE_HW"] if told_apart else None,
        controller=kinds[_CONTROLLER] if told_apart else None,
        unknown={kind: count for kind, count in kinds.items() if kind not in _MAPPINGS},
    )


def _validation(info: Info, graph: Graph | None, where: str) -> ToolValidation | None:
    if not info.metrics:
        return None
    device = info.environment.device
    on_target = device is not None and device.startswith("stm32")
    duration_ms, cycles = times(info, graph, where) if on_target else (None, None)
    return ToolValidation(
        mode="target" if on_target else "host",
        device=device,
        samples=None,
        duration_ms=duration_ms,
        duration_min_ms=None,
        duration_max_ms=None,
        cycles=cycles,
        outputs=[output(_described(metric, where), {key: str(value) for key, value in metric.items()}) for metric in info.metrics],
    )


def _described(metric: dict[str, Any], where: str) -> str:
    return parse(str, metric.get("desc"), where, "validation.val_metrics.desc")


def times(info: Info, graph: Graph | None, where: str) -> tuple[float | None, list[int] | None]:
    """Milliseconds and cycles of one sample on the board: those of an N6's epochs added up, else of the graph; 0 is not counted."""
    epochs = info.aton_execution_time
    if epochs is None:
        graph_time = graph.exec_time if graph and graph.exec_time else Duration()
        return graph_time.duration_ms, [graph_time.cycles] if graph_time.cycles else None
    if len({len(epoch.counters) for epoch in epochs}) > 1:
        raise missing("as many counters in all of 'aton_execution_time'", where)
    cycles = [sum(column) for column in zip(*(epoch.counters for epoch in epochs), strict=True)]
    return round(sum(epoch.duration_ms for epoch in epochs), 6), cycles
