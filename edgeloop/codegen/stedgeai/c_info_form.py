"""The form of `network_c_info.json`, schema 2.0: what is read of it, by ST Edge AI Core 1.0 to 4.0 and the NPU's compiler."""

import re
from typing import Any

from pydantic import AliasPath, Field

from edgeloop.codegen.stedgeai.jsonfile import Content, Count, Text
from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.codegen.stedgeai.source import EXTERNAL_FROM

CORE, COMPILER = "ST.EdgeAI.Core", "ATONN Compiler"
_UNCOUNTED = ("Param", "Return", "Node kind=Param", "Node kind=Return")
"""Kinds of nodes that are no work: an epoch of nothing else is not counted by the tool's report either."""
_IDLE = "NODE_NO_X"


class _Tool(Content):
    name: str
    version: str
    arguments: Text = None
    model: Text = Field(None, validation_alias=AliasPath("input_model", "name"))


class Environment(Content):
    """Who wrote the file, of what."""

    generated_model: dict[str, Any]
    files: list[dict[str, Any]] = Field(default_factory=list, validation_alias=AliasPath("generated_model", "model_files"))
    c_name: Text = Field(None, validation_alias=AliasPath("generated_model", "name"))
    network_signature: Text = None
    device: Text = None
    tools: list[_Tool] = Field(default_factory=list)

    def tool(self, name: str) -> _Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)


class Head(Content):
    """What every such file begins with."""

    json_schema_version: str
    environment: Environment


class Footprint(Content):
    """Bytes; sizes of code are there where something was built."""

    activations: Count
    weights: Count
    io: list[Count]
    kernel_flash: Count | None = None
    """The report's "RT total" in flash: holds the toolchain's part."""
    kernel_ram: Count | None = None
    toolchain_flash: Count | None = None
    series: Text = None
    toolchain: Text = None

    @property
    def built(self) -> str | None:
        """The series that code was built for: with "generic" nothing was, and its sizes are null, or since 4.0 a 0."""
        return None if self.series == "generic" else self.series


class Pool(Content):
    """A memory pool."""

    name: str
    address: str
    size_bytes: int
    used_size_bytes: Count
    rights: str
    subpools: list[Any]
    virtual: bool = False
    """Not in files for the N6."""

    @property
    def counts(self) -> bool:
        """Whether it is memory of its own: neither an aggregate (it would count twice) nor a virtual one."""
        return not self.subpools and not self.virtual

    @property
    def read_only(self) -> bool:
        return self.rights == "ACC_READ"

    @property
    def start(self) -> int | None:
        """`0x20000000`, `875888640`, or None where the linker decides: `NULL`, and since 2.0 the symbol of a C array."""
        return int(self.address, 16) if re.fullmatch(r"0x[0-9A-Fa-f]+", self.address) else integer(self.address)

    @property
    def internal(self) -> bool | None:
        """On the chip; an EXTERNAL in the name counts as well as the address."""
        if "EXTERNAL" in self.name.upper():
            return False
        return None if self.start is None else self.start < EXTERNAL_FROM


class _Kind(Content):
    type: Text = None
    description: Text = None

    @property
    def kind(self) -> str:
        """`description` up to 3.0, `type` since."""
        return self.type or self.description or ""


class LayerNode(_Kind):
    """A node of the C model."""

    name: str
    macc: Count
    inputs: list[int]
    outputs: list[int]
    original_nodes: list[Any] | None = None


class EpochNode(Content):
    """A node of the NPU: one epoch."""

    mapping: str
    subgraph_nodes: list[_Kind]

    @property
    def works(self) -> bool:
        kinds = [node.kind for node in self.subgraph_nodes]
        return self.mapping != _IDLE and (not kinds or any(kind not in _UNCOUNTED for kind in kinds))


class Buffer(Content):
    """A tensor."""

    id: int
    shape: list[int]
    size_bytes: Count
    is_param: bool


class TimedNode(Content):
    """A node of a `validate`: an epoch, or a layer."""

    name: str
    macc: Count | None = None
    exec_time: "Duration | None" = None


class Duration(Content):
    """How long one sample takes."""

    duration_ms: float | None = None
    cycles: Count | None = None


class EpochTime(Content):
    duration_ms: float
    counters: list[int]


class Graph(Content):
    """The nodes are epochs of an NPU, or layers."""

    nodes: list[Any]
    exec_time: Duration | None = None


class Info(Head):
    """The whole file."""

    memory_footprint: Footprint | None = None
    memory_pools: list[Pool] | None = None
    graphs: list[Graph] | None = None
    buffers: Any = None
    validation: dict[str, Any] | None = None
    metrics: list[dict[str, Any]] = Field(default_factory=list, validation_alias=AliasPath("validation", "val_metrics"))
    aton_execution_time: list[EpochTime] | None = None
    """The times of an NPU's epochs, after a `validate` on a board."""
    ec_blobs_info: list[Any] | None = None

    @property
    def has_memory(self) -> bool:
        """Not after a `validate` on the board of an N6."""
        return self.memory_footprint is not None or self.memory_pools is not None
