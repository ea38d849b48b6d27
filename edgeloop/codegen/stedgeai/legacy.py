"""`network_report.json` and `*_c_graph.json`, which ST Edge AI Core leaves in its workspace, in a form that is older than itself."""

from dataclasses import dataclass

from edgeloop.codegen.stedgeai.jsonfile import Node
from edgeloop.codegen.stedgeai.summary import missing
from edgeloop.codegen.stedgeai.versions import retired
from edgeloop.records import CodegenLayer


@dataclass(frozen=True)
class LegacyInfo:
    """What both kinds of file state; code sizes are in neither (`code_size` is 0 in every file that was seen)."""

    version: str
    command: str
    name: str
    model: str
    model_format: str | None
    model_hash: str
    compression: str | None
    optimization: str | None
    activations: int
    weights: int
    io: int
    macs: int
    """0 of an NPU, whose work is not told in them."""
    layers: list[CodegenLayer]

    @property
    def is_npu(self) -> bool:
        """Whether the network was generated for an NPU: its own sum is 0, that of the model's layers is not."""
        return self.macs == 0 and any(layer.macs for layer in self.layers)


def is_legacy(root: Node) -> bool:
    """Whether the file is one of the two."""
    return "report_version" in root or "c_layers" in root


def parse_legacy(root: Node) -> LegacyInfo:
    """Read either.

    Raises:
        StedgeaiUnreadable: a field is missing or no figure (the message names it), or it is of a tool before Core 1.0.
    """
    keys = ("cli_version_str", "tools_version") if "report_version" in root else ("st_ai_version", "tool_version")
    version = _version(root, *keys)
    return _report(root, version) if "report_version" in root else _graph(root, version)


def _report(root: Node, version: str) -> LegacyInfo:
    return LegacyInfo(
        version=version,
        command=root.text("cli_parameters"),
        name=root.text("name"),
        model=root.text("model_name"),
        model_format=None,
        model_hash=root.text("hash"),
        compression=None,
        optimization=None,
        # Of a list the first is the whole, as the vendor's own clients read it.
        activations=_numbers(root, "ram_size")[0],
        weights=_numbers(root, "rom_size")[0],
        io=_besides(root),
        macs=root.count("rom_n_macc"),
        layers=[_report_layer(node) for node in root.items("layers")],
    )


def _version(root: Node, program: str, tools: str) -> str:
    """Core gives its program and its tools one version. STM32Cube.AI, before it, gave them two: 1.6.0 was the program of 7.2.0."""
    own = root.optional_text(program)
    other = root.child(tools).value if tools in root else own
    if isinstance(other, dict):
        other = ".".join(str(other.get(key)) for key in ("major", "minor", "micro"))
    if own is None or other != own:
        raise retired(root.where, other)
    return own


def _besides(root: Node) -> int:
    """Bytes of inputs and outputs that are not allocated within the activations."""
    sizes = _numbers(root, "ram_io_size")
    within = [root.optional_count(key) for key in ("_allocate_inputs", "_allocate_outputs")]
    return sum(size for size, inside in zip(sizes, within, strict=False) if not inside)


def _numbers(root: Node, key: str) -> list[int]:
    """A number as a list of one, or a list of them."""
    value = root.child(key).value
    numbers = value if isinstance(value, list) else [value]
    if not numbers or not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers):
        raise missing(f"the whole number '{key}'", root.where)
    return numbers


def _report_layer(node: Node) -> CodegenLayer:
    extras = node.child("extras")
    return CodegenLayer(
        name=node.text("name"),
        type=node.optional_text("original") or node.text("type"),
        position=node.optional_count("id"),
        output_shape=None,
        macs=extras.count("n_macc"),
        weight_bytes=extras.optional_count("psize"),
    )


def _graph(root: Node, version: str) -> LegacyInfo:
    footprint, options = root.child("memory_footprint"), root.child("compilation_options")
    return LegacyInfo(
        version=version,
        command=root.text("arguments"),
        name=root.text("c_name"),
        model=root.text("model_name"),
        model_format=root.text("model_fmt"),
        model_hash=root.text("model_signature"),
        compression=options.optional_text("compression"),
        optimization=options.optional_text("optimization"),
        activations=footprint.count("activations"),
        weights=footprint.count("weights"),
        io=sum(_numbers(footprint, "io")),
        macs=root.count("macc"),
        layers=[_graph_layer(node) for node in root.items("c_layers")],
    )


def _graph_layer(node: Node) -> CodegenLayer:
    return CodegenLayer(
        name=node.text("name"),
        type=node.text("layer_type"),
        position=node.optional_count("m_id"),
        output_shape=None,
        macs=node.count("macc"),
        weight_bytes=node.count("rom"),
    )
