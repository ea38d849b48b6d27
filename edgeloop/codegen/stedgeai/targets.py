"""What the tool generates for each of edgeloop's targets, as data."""

from dataclasses import dataclass
from typing import Literal

from edgeloop.errors import InputError
from edgeloop.tflite.formats import Format


@dataclass(frozen=True)
class ToolTarget:
    """A target in the tool's words."""

    argument: str
    makes: Literal["c", "nb"] = "c"
    """C code, or a binary that the processor's runtime loads."""
    npu: bool = False
    """Whether the Neural-ART compiler runs: without --st-neural-art `--target stm32n6` is plain C for the Cortex-M55."""
    format: Format = "int8 per-channel"
    """The format of a variant's model that the target runs best."""


TOOL_TARGETS = {
    "stm32f4": ToolTarget("stm32f4"),
    "stm32f7": ToolTarget("stm32f7"),
    "stm32h7": ToolTarget("stm32h7"),
    "stm32h7p": ToolTarget("stm32h7p", npu=True),
    "stm32l4": ToolTarget("stm32l4"),
    "stm32n6": ToolTarget("stm32n6", npu=True),
    "stm32n6-cpu": ToolTarget("stm32n6"),
    "stm32u3": ToolTarget("stm32u3"),
    "stm32u5": ToolTarget("stm32u5"),
    # Its NPU multiplies per tensor: per-channel models are converted anyway, and run slower.
    "stm32mp2": ToolTarget("stm32mp25", makes="nb", format="int8 per-tensor"),
}
NO_GENERATION = "stm32mp1"
"""Its processor runs the .tflite file itself."""
TOOL_ALONE = tuple(name for name, target in TOOL_TARGETS.items() if target.npu or target.makes == "nb")
"""Targets whose NPU nothing but the tool generates for."""


def tool_target(name: str) -> ToolTarget:
    """The tool's target.

    Raises:
        InputError: the tool does not generate for it.
    """
    if name not in TOOL_TARGETS:
        raise InputError(f"ST Edge AI Core generates nothing for {name}.", f"It does for: {', '.join(TOOL_TARGETS)}.")
    return TOOL_TARGETS[name]
