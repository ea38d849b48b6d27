"""The record of generated code, by any backend."""

from typing import Literal

from pydantic import Field

from edgeloop.records.base import Part, Record
from edgeloop.resolution import AnyResolution


class CodegenBackend(Part):
    """What generated the code; `none` where the target runs the .tflite file itself."""

    name: Literal["portable", "stedgeai", "none"]
    version: str | None
    """Null where a log does not state it."""


class CodegenLayer(Part):
    """One layer of generated code, in the order of execution."""

    name: str
    type: str
    """The operator's name, e.g. CONV_2D."""
    position: int | None
    """Its place among the operators of the model's file."""
    output_shape: list[int] | None
    """(height, width, channels); as the tool states it where that has other dimensions."""
    macs: int | None
    weight_bytes: int | None


class CompiledSize(Part):
    """The size of the generated code as one compiler makes it."""

    compiler: str
    """Name and version."""
    flags: list[str]
    cpu: str
    code_bytes: int
    """Instructions and their literals, kernels included."""
    constant_bytes: int
    """Constants other than weights and biases: scaling and layer parameters."""


class MemoryPool(Part):
    """One region of a target's memory."""

    name: str
    internal: bool | None
    """On the chip; null where the linker decides."""
    weight_bytes: int | None
    activation_ram_bytes: int | None
    address: int | None = None
    size_bytes: int | None = None
    """Null where it is not limited or not stated."""


class Epochs(Part):
    """The steps in which an NPU and its processor run a network."""

    total: int
    software: int
    """Run by the processor alone."""
    hybrid: int | None
    """Run by both; null in records of before they were told apart."""
    hardware: int | None
    """Run by the NPU, each started by the processor."""
    controller: int | None
    """Run by the NPU, started by its epoch controller."""
    unknown: dict[str, int] = Field(default_factory=dict)
    """How many are of a type that is none of these, by the tool's own word for it."""


class ValidationOutput(Part):
    """How one output of the generated network differs from a reference, in dequantized values."""

    name: str
    """What is compared, as the tool calls it, e.g. X-cross #1 (the model against the generated network)."""
    accuracy: float | None
    """Share of equal classes; null where the tool did not take the model for a classifier."""
    rmse: float | None
    mae: float | None
    l2r: float | None
    """Euclidean norm of the difference over that of the reference."""
    nse: float | None
    """Nash-Sutcliffe efficiency, 1 is best."""
    cos: float | None
    """Cosine similarity."""


class ToolValidation(Part):
    """What the tool's own `validate` states. Times are of the board, never of the host (where the tool calls them an indication)."""

    mode: Literal["host", "target"]
    device: str | None
    samples: int | None
    duration_ms: float | None
    """Mean of the samples, measured on the board."""
    duration_min_ms: float | None
    duration_max_ms: float | None
    cycles: list[int] | None
    """Cycles of the processor: one number, or on the N6 software before, NPU, software after."""
    outputs: list[ValidationOutput]


class ToolRun(Part):
    """What a vendor's generator states of its own run."""

    command: str | None = None
    """Its arguments as it repeats them."""
    components: dict[str, str] = Field(default_factory=dict)
    """Versions of its parts, as it prints them."""
    model: str | None = None
    model_format: str | None = None
    model_hash: str | None = None
    optimization: str | None = None
    compression: str | None = None
    profile: str | None = None
    """The NPU's profile, NAME or NAME@FILE."""
    npu_compiler: str | None = None
    npu_options: str | None = None
    size_series: str | None = None
    """The series that code sizes were measured for."""
    network_signature: str | None = None
    errors: list[str] = Field(default_factory=list)
    """Failures of later steps in the same log (a board that did not answer); the figures here are from before."""


class CodegenRecord(Record):
    """Code generated from a model, by any backend. Null is what this backend does not state or nobody measured."""

    kind: Literal["codegen"] = "codegen"
    dataset: str | None = None
    network: str | None = None
    resolution: AnyResolution | None = None
    """Of the variant's images; null where the model is a file of its own."""
    backend: CodegenBackend
    target: str | None
    """Null where a foreign report does not state it."""
    cpu: str | None
    note: str
    """What should be known of code for this target; may be empty."""
    model_sha256: str | None
    """Null where the record was read from a tool's output without the model."""
    name: str
    """Prefix of the generated C names."""
    stream_input: bool | None
    """Whether the input comes row by row through a callback, so that no frame is held."""
    macs: int | None
    weight_bytes: int | None
    """int8 weights plus int32 biases."""
    activation_ram_bytes: int | None
    """Input, output, scratch and everything between."""
    runtime_ram_bytes: int | None
    """RAM of the runtime besides activations."""
    code_flash_bytes: int | None
    """Code and constants besides weights and biases, as compiled."""
    compiled: CompiledSize | None
    """What `code_flash_bytes` was measured on."""
    pools: list[MemoryPool] | None
    """Null where the placement is left to the linker."""
    layers: list[CodegenLayer] | None
    io_ram_bytes: int | None = None
    """RAM of inputs and outputs besides `activation_ram_bytes`: 0 where they lie in it."""
    toolchain_flash_bytes: int | None = None
    """The part of `code_flash_bytes` that is the compiler's own libraries: contained, never to be added."""
    internal_ram_bytes: int | None = None
    """RAM on the chip, of inputs and outputs too where they lie in a memory pool; null where the linker decides."""
    external_ram_bytes: int | None = None
    internal_flash_bytes: int | None = None
    """Weights on the chip; null where the linker decides."""
    external_flash_bytes: int | None = None
    binary_bytes: int | None = None
    """Size of the network's file where the target loads one (.nb, .tflite)."""
    rounded: bool = False
    """Whether weights and activations are known only as the tool rounded them (KiB or MiB with three decimals)."""
    pools_rounded: bool = False
    """Whether the pools, and what is internal or external, are known only so."""
    epochs: Epochs | None = None
    """Null where no NPU is used."""
    run: ToolRun | None = None
    validation: ToolValidation | None = None
