"""`network_c_info.json` (schema 2.0), as ST Edge AI Core 1.0 to 4.0 write it, and the NPU compiler's own of the same form.

Which keys are there differs by version and step: a `validate` on the board overwrites the file with one that holds no memory.
"""

import re
from collections import Counter
from dataclasses import dataclass

from edgeloop.codegen.stedgeai.jsonfile import Node
from edgeloop.codegen.stedgeai.npu import EXTERNAL_FROM
from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.codegen.stedgeai.summary import missing
from edgeloop.codegen.stedgeai.validation import output
from edgeloop.errors import StedgeaiUnreadable
from edgeloop.records import CodegenLayer, Epochs, ToolValidation

SCHEMA = "2."
_UNCOUNTED = ("Param", "Return", "Node kind=Param", "Node kind=Return")
"""Kinds of nodes that are no work: an epoch of nothing else is not counted by the tool's report either."""
_CONTROLLER = "NODE_EC"
_MAPPINGS = ("NODE_SW", "NODE_SW_HW", "NODE_HW", _CONTROLLER)
"""What runs an epoch: the processor, both, the NPU, the NPU started by its controller."""
_ACCURACY = ("acc", "rmse", "mae", "l2r", "nse", "cos")


@dataclass(frozen=True)
class Footprint:
    """`memory_footprint`, in bytes; None is what the tool did not measure (no compiler: null, or since 4.0 a 0)."""

    activations: int
    weights: int
    io: int
    code_flash: int | None
    """The report's "RT total" in flash: holds the toolchain's part."""
    runtime_ram: int | None
    toolchain_flash: int | None
    series: str | None
    toolchain: str | None


@dataclass(frozen=True)
class Pool:
    """One memory pool; an aggregate of others or a virtual one is none."""

    name: str
    address: int | None
    """None where the linker decides: the file says `NULL` or a C symbol."""
    size: int | None
    used: int
    read_only: bool

    @property
    def internal(self) -> bool | None:
        """On the chip; an EXTERNAL in the name counts as well as the address."""
        if "EXTERNAL" in self.name.upper():
            return False
        return None if self.address is None else self.address < EXTERNAL_FROM


@dataclass(frozen=True)
class CInfo:
    """What a c_info file states."""

    where: str
    version: str | None
    command: str | None
    name: str
    model: str | None
    signature: str | None
    footprint: Footprint | None
    pools: list[Pool] | None
    macs: int | None
    layers: list[CodegenLayer] | None
    epochs: Epochs | None
    npu_compiler: str | None
    npu_options: str | None
    validation: ToolValidation | None
    ran_on_npu: bool
    """Whether times of an NPU's epochs are in it."""
    files: list[str]
    """Names of the generated files."""

    @property
    def is_npu(self) -> bool:
        """Whether the network was generated for the NPU of an STM32N6: told by the results, since `--st-neural-art` may end in plain C."""
        series = (self.footprint.series or "") if self.footprint else ""
        return self.npu_compiler is not None or self.ran_on_npu or series.endswith("npu")

    @property
    def is_of_generic_model(self) -> bool:
        """Whether `validate` wrote it over that of `generate`: it then tells of a generic C model, which is not what the NPU runs."""
        words = (self.command or "").split()
        validated = words[:1] == ["validate"] and any(word.startswith("--st-neural-art") for word in words)
        return self.npu_compiler is None and (self.ran_on_npu or validated)


def parse_c_info(root: Node) -> CInfo:
    """Read the content of a c_info file.

    Raises:
        StedgeaiUnreadable: the schema is another one, or a field is missing or no figure; the message names it.
    """
    schema = root.text("json_schema_version")
    if not schema.startswith(SCHEMA):
        raise missing(f"json_schema_version {SCHEMA}x (it is {schema})", root.where)
    environment = root.part("environment")
    _check_writer(environment)
    core, compiler = _tool(environment, "ST.EdgeAI.Core"), _tool(environment, "ATONN Compiler")
    has_graph = "graphs" in root
    if not any(key in root for key in ("memory_footprint", "memory_pools", "validation")):
        raise missing("the field 'memory_footprint'", root.where)
    graph = root.items("graphs")[0] if has_graph and root.items("graphs") else None
    npu = compiler is not None
    return CInfo(
        where=root.where,
        version=core.text("version") if core else None,
        command=core.optional_text("arguments") if core else None,
        name=_c_name(environment),
        model=core.part("input_model").optional_text("name") if core and "input_model" in core else None,
        signature=environment.optional_text("network_signature"),
        footprint=_footprint(root.part("memory_footprint")) if "memory_footprint" in root else None,
        pools=_pools(root) if "memory_pools" in root else None,
        macs=None if npu or graph is None else sum(node.count("macc") for node in graph.items("nodes")),
        layers=None if npu or graph is None else _layers(root, graph),
        epochs=_epochs(root, graph) if npu and graph else None,
        npu_compiler=_first_word(compiler.text("version")) if compiler else None,
        npu_options=compiler.optional_text("arguments") if compiler else None,
        validation=_validation(root, environment, graph),
        ran_on_npu="aton_execution_time" in root,
        files=_files(environment),
    )


def _tool(environment: Node, name: str) -> Node | None:
    tools = environment.items("tools") if "tools" in environment else []
    return next((tool for tool in tools if tool.text("name") == name), None)


def _check_writer(environment: Node) -> None:
    tools = environment.items("tools") if "tools" in environment else []
    if tools and _tool(environment, "ST.EdgeAI.Core") is None:
        raise StedgeaiUnreadable(
            f"{environment.where} was written by {tools[0].text('name')}, not by ST Edge AI Core.",
            "Generate it again with ST Edge AI Core 1.0 or later.",
        )


def _c_name(environment: Node) -> str:
    model = environment.part("generated_model")
    return model.optional_text("name") or "network"


def _files(environment: Node) -> list[str]:
    model = environment.part("generated_model")
    return [file.text("name") for file in model.items("model_files")] if "model_files" in model else []


def _first_word(text: str) -> str:
    return text.split()[0] if text.split() else text


def _footprint(node: Node) -> Footprint:
    """The sizes of code count only where a series was built: "generic" is a build that did not take place."""
    series = node.optional_text("series")
    measured = series is not None and series != "generic"
    return Footprint(
        activations=node.count("activations"),
        weights=node.count("weights"),
        io=_io(node),
        code_flash=node.count("kernel_flash") if measured else None,
        runtime_ram=node.count("kernel_ram") if measured else None,
        toolchain_flash=node.count("toolchain_flash") if measured else None,
        series=series if measured else None,
        toolchain=node.optional_text("toolchain"),
    )


def _io(node: Node) -> int:
    sizes = node.wholes("io")
    if any(size < 0 for size in sizes):
        raise missing(f"a number from 0 on in '{node.place}.io'", node.where)
    return sum(sizes)


def _pools(root: Node) -> list[Pool]:
    """The pools that are memory of their own: neither aggregates (they would count twice) nor virtual ones."""
    pools = [node for node in root.items("memory_pools") if not node.items("subpools") and not _is_virtual(node)]
    return [_pool(node) for node in pools]


def _is_virtual(node: Node) -> bool:
    # The key is missing in files for the N6.
    return "virtual" in node and node.flag("virtual")


def _pool(node: Node) -> Pool:
    size = node.whole("size_bytes")
    return Pool(
        name=node.text("name"),
        address=_address(node.text("address")),
        size=size if size >= 0 else None,
        used=node.count("used_size_bytes"),
        read_only=node.text("rights") == "ACC_READ",
    )


def _address(text: str) -> int | None:
    """`0x20000000`, `875888640`, or None for `NULL` and the symbol of a C array."""
    if re.fullmatch(r"0x[0-9A-Fa-f]+", text):
        return int(text, 16)
    return integer(text)


def _layers(root: Node, graph: Node) -> list[CodegenLayer]:
    """The C nodes in order, with the shape of their first output and the bytes of their constants."""
    buffers = {node.whole("id"): node for node in root.items("buffers")}
    layers = []
    for node in graph.items("nodes"):
        outputs = [buffers[number] for number in node.wholes("outputs") if number in buffers]
        inputs = [buffers[number] for number in node.wholes("inputs") if number in buffers]
        layers.append(
            CodegenLayer(
                name=node.text("name"),
                # `description` up to 3.0, `type` since.
                type=node.optional_text("type") or node.optional_text("description") or "",
                position=_position(node),
                output_shape=outputs[0].wholes("shape") if outputs else None,
                macs=node.count("macc"),
                weight_bytes=sum(buffer.count("size_bytes") for buffer in inputs if buffer.flag("is_param")),
            )
        )
    return layers


def _position(node: Node) -> int | None:
    originals = [str(item.value) for item in node.items("original_nodes")] if "original_nodes" in node else []
    return integer(originals[0]) if originals else None


def _epochs(root: Node, graph: Node) -> Epochs:
    """Counted over the nodes that do something; which of the NPU's the epoch controller starts is not in the file unless
    it has a kind of its own for them, or no blobs of the controller."""
    kinds = Counter(node.text("mapping") for node in graph.items("nodes") if _works(node))
    no_controller = "ec_blobs_info" in root and not root.items("ec_blobs_info")
    told_apart = no_controller or _CONTROLLER in kinds
    return Epochs(
        total=kinds.total(),
        software=kinds["NODE_SW"],
        hybrid=kinds["NODE_SW_HW"],
        hardware=kinds["NODE_HW"] if told_apart else None,
        controller=kinds[_CONTROLLER] if told_apart else None,
        unknown={kind: count for kind, count in kinds.items() if kind not in _MAPPINGS},
    )


def _works(epoch: Node) -> bool:
    if epoch.text("mapping") == "NODE_NO_X":
        return False
    kinds = [node.optional_text("type") or node.optional_text("description") or "" for node in epoch.items("subgraph_nodes")]
    return not kinds or any(kind not in _UNCOUNTED for kind in kinds)


def _validation(root: Node, environment: Node, graph: Node | None) -> ToolValidation | None:
    metrics = root.part("validation").items("val_metrics") if "validation" in root else []
    if not metrics:
        return None
    device = environment.optional_text("device")
    on_target = device is not None and device.startswith("stm32")
    outputs = [output(node.text("desc"), {key: str(node.child(key).value) for key in _ACCURACY if key in node}) for node in metrics]
    return ToolValidation(
        mode="target" if on_target else "host",
        device=device,
        samples=None,
        duration_ms=_duration_ms(root, graph) if on_target else None,
        duration_min_ms=None,
        duration_max_ms=None,
        cycles=_cycles(root, graph) if on_target else None,
        outputs=outputs,
    )


def _duration_ms(root: Node, graph: Node | None) -> float | None:
    """Of one sample on the board: the sum over the epochs of an N6, else that of the graph."""
    if "aton_execution_time" in root:
        return round(sum(node.number("duration_ms") for node in root.items("aton_execution_time")), 6)
    if graph is not None and "exec_time" in graph and "duration_ms" in graph.part("exec_time"):
        return graph.part("exec_time").number("duration_ms")
    return None


def _cycles(root: Node, graph: Node | None) -> list[int] | None:
    """The counters of an N6's epochs, added up, else the processor's cycles of the graph; 0 is what was not counted."""
    if "aton_execution_time" in root:
        counters = [node.wholes("counters") for node in root.items("aton_execution_time")]
        if len({len(row) for row in counters}) > 1:
            raise missing("as many counters in all of 'aton_execution_time'", root.where)
        return [sum(column) for column in zip(*counters, strict=True)]
    cycles = graph.part("exec_time").optional_count("cycles") if graph is not None and "exec_time" in graph else None
    return [cycles] if cycles else None
