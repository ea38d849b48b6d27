"""`network_report.json` and `*_c_graph.json`, which the tool wrote up to Core 1.0 (and stm32ai) and not since."""

from dataclasses import dataclass

from edgeloop.codegen.stedgeai.jsonfile import Node
from edgeloop.codegen.stedgeai.summary import missing
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
    layers: list[CodegenLayer]


def is_legacy(root: Node) -> bool:
    """Whether the file is one of the two."""
    return "report_version" in root or ("c_layers" in root and "st_ai_version" in root)


def parse_legacy(root: Node) -> LegacyInfo:
    """Read either.

    Raises:
        StedgeaiUnreadable: a field is missing or no figure; the message names it.
    """
    return _report(root) if "report_version" in root else _graph(root)


def _report(root: Node) -> LegacyInfo:
    return LegacyInfo(
        version=root.text("cli_version_str"),
        command=root.text("cli_parameters"),
        name=root.text("name"),
        model=root.text("model_name"),
        model_format=None,
        model_hash=root.text("hash"),
        compression=None,
        optimization=None,
        activations=_total(root, "ram_size"),
        weights=_total(root, "rom_size"),
        io=_total(root, "ram_io_size"),
        macs=root.count("rom_n_macc"),
        layers=[_report_layer(node) for node in root.items("layers")],
    )


def _total(root: Node, key: str) -> int:
    """A number (Core 1.0), or a list of one for each memory (Cube.AI up to 8.1)."""
    value = root.child(key).value
    numbers = value if isinstance(value, list) else [value]
    if not all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers):
        raise missing(f"the whole number '{key}'", root.where)
    return sum(numbers)


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


def _graph(root: Node) -> LegacyInfo:
    footprint, options = root.child("memory_footprint"), root.child("compilation_options")
    return LegacyInfo(
        version=root.text("st_ai_version"),
        command=root.text("arguments"),
        name=root.text("c_name"),
        model=root.text("model_name"),
        model_format=root.text("model_fmt"),
        model_hash=root.text("model_signature"),
        compression=options.optional_text("compression"),
        optimization=options.optional_text("optimization"),
        activations=footprint.count("activations"),
        weights=footprint.count("weights"),
        io=_total(footprint, "io"),
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
