"""What one file of the tool states, whatever its kind, in parts of a record."""

import shlex
from dataclasses import dataclass, field
from itertools import zip_longest

from edgeloop.codegen.stedgeai.failures import Failure
from edgeloop.records import CodegenLayer, CompiledSize, Epochs, MemoryPool, ToolRun, ToolValidation

EXTERNAL_FROM = 0x60000000
"""Memory of an STM32 from this address on is outside the chip (Arm's map of Cortex-M: external RAM and devices)."""


@dataclass(frozen=True)
class Memory:
    """The record's fields of RAM and weights of the network; `rounded` if only to three decimals of KiB or MiB."""

    activation_ram_bytes: int | None = None
    weight_bytes: int | None = None
    io_ram_bytes: int | None = None
    rounded: bool = False


@dataclass(frozen=True)
class Code:
    """The record's fields of what the built network takes besides weights and activations."""

    cpu: str | None = None
    code_flash_bytes: int | None = None
    runtime_ram_bytes: int | None = None
    toolchain_flash_bytes: int | None = None
    compiled: CompiledSize | None = None


@dataclass(frozen=True)
class Pools:
    """The record's fields of memory pools with addresses."""

    pools: list[MemoryPool]
    pools_rounded: bool = False


@dataclass(frozen=True)
class Source:
    """None is what the file does not state."""

    where: str
    version: str | None
    npu: bool
    """Whether the network was generated for an NPU: told by the results, since `--st-neural-art` may end in plain C all the same."""
    run: ToolRun
    name: str | None = None
    series: str | None = None
    """The target as the tool names it."""
    memory: Memory | None = None
    code: Code | None = None
    toolchain: str | None = None
    """The compiler that `code` was built with."""
    pools: Pools | None = None
    macs: int | None = None
    macs_of_model: bool = False
    """Whether they are the model's, before it was mapped to an NPU."""
    layers: list[CodegenLayer] | None = None
    epochs: Epochs | None = None
    validation: ToolValidation | None = None
    binary_bytes: int | None = None
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def option(command: str | None, *names: str) -> str | None:
    """The value of an option in the tool's arguments, behind it or behind an equals sign; None where it is not there, or has none."""
    words = _words(command or "")
    for word, value in zip_longest(words, words[1:], fillvalue="-"):
        name, equals, joined = word.partition("=")
        if name in names:
            return joined if equals else None if value.startswith("-") else value
    return None


def series_option(command: str | None) -> str | None:
    """The target that the command asked for (`--series` is the older name of `--target`)."""
    return option(command, "--target", "--series")


def _words(command: str) -> list[str]:
    try:
        # Backslashes are those of Windows' paths.
        return shlex.split(command.replace("\\", "/"))
    except ValueError:
        return command.split()
