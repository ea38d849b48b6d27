"""`network_report.json` and `*_c_graph.json`, which ST Edge AI Core leaves in its workspace, in a form that is older than itself.

Code sizes are in neither: `code_size` is 0 in every file that was seen.
"""

from typing import Any

from pydantic import AliasChoices, AliasPath, Field, field_validator

from edgeloop.codegen.stedgeai.jsonfile import Content, Count, Text, parse
from edgeloop.codegen.stedgeai.source import Memory, Source, series_option
from edgeloop.codegen.stedgeai.versions import retired
from edgeloop.records import CodegenLayer, ToolRun


def _either(in_report: str | AliasPath, in_graph: str | AliasPath) -> AliasChoices:
    """The names of one figure in the two files."""
    return AliasChoices(in_report, in_graph)


class _Layer(Content):
    name: str
    type: str = Field(validation_alias=_either("type", "layer_type"))
    original: Text = None
    """The model's own name of the operator."""
    position: Count | None = Field(None, validation_alias=_either("id", "m_id"))
    macs: Count = Field(validation_alias=_either(AliasPath("extras", "n_macc"), "macc"))
    weight_bytes: Count | None = Field(None, validation_alias=_either(AliasPath("extras", "psize"), "rom"))


class _File(Content):
    command: str = Field(validation_alias=_either("cli_parameters", "arguments"))
    c_name: str = Field(validation_alias=_either("name", "c_name"))
    model_name: str
    model_format: Text = Field(None, validation_alias="model_fmt")
    model_hash: str = Field(validation_alias=_either("hash", "model_signature"))
    compression: Text = Field(None, validation_alias=AliasPath("compilation_options", "compression"))
    optimization: Text = Field(None, validation_alias=AliasPath("compilation_options", "optimization"))
    activations: list[Count] = Field(validation_alias=_either("ram_size", AliasPath("memory_footprint", "activations")), min_length=1)
    """The first of the list is the whole, as the vendor's own clients read it."""
    weights: list[Count] = Field(validation_alias=_either("rom_size", AliasPath("memory_footprint", "weights")), min_length=1)
    io: list[Count] = Field(validation_alias=_either("ram_io_size", AliasPath("memory_footprint", "io")), min_length=1)
    inputs_within: Count | None = Field(None, validation_alias="_allocate_inputs")
    outputs_within: Count | None = Field(None, validation_alias="_allocate_outputs")
    macs: Count = Field(validation_alias=_either("rom_n_macc", "macc"))
    layers: list[_Layer] = Field(validation_alias=_either("layers", "c_layers"))

    @field_validator("activations", "weights", "io", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]

    @property
    def io_besides(self) -> int:
        """Bytes of inputs and outputs that are not allocated within the activations."""
        within = zip(self.io, (self.inputs_within, self.outputs_within), strict=False)
        return sum(self.io) - sum(size for size, inside in within if inside)


def is_legacy(content: dict[str, Any]) -> bool:
    """Whether the file is one of the two."""
    return "report_version" in content or "c_layers" in content


def read_legacy(content: dict[str, Any], where: str) -> Source:
    """What either states.

    Raises:
        StedgeaiUnreadable: a field is missing or no figure (the message names it), or it is of a tool before Core 1.0.
    """
    keys = ("cli_version_str", "tools_version") if "report_version" in content else ("st_ai_version", "tool_version")
    version = _version(content, *keys, where)
    file = parse(_File, content, where)
    return Source(
        where=where,
        version=version,
        # The work of an NPU is not told in these files: its own sum is 0, that of the model's layers is not.
        npu=file.macs == 0 and any(layer.macs for layer in file.layers),
        run=ToolRun(
            command=file.command,
            model=file.model_name,
            model_format=file.model_format,
            model_hash=file.model_hash,
            compression=file.compression,
            optimization=file.optimization,
        ),
        name=file.c_name,
        series=series_option(file.command),
        memory=Memory(file.activations[0], file.weights[0], file.io_besides),
        macs=file.macs or None,
        layers=[_layer(layer) for layer in file.layers],
    )


def _version(content: dict[str, Any], program: str, tools: str, where: str) -> str:
    """Core gives its program and its tools one version. STM32Cube.AI, before it, gave them two: 1.6.0 was the program of 7.2.0."""
    own = content.get(program)
    other = content.get(tools, own)
    if isinstance(other, dict):
        other = ".".join(str(other.get(key)) for key in ("major", "minor", "micro"))
    if not own or other != own:
        raise retired(where, other)
    return parse(str, own, where, program)


def _layer(layer: _Layer) -> CodegenLayer:
    return CodegenLayer(
        name=layer.name,
        type=layer.original or layer.type,
        position=layer.position,
        output_shape=None,
        macs=layer.macs,
        weight_bytes=layer.weight_bytes,
    )
