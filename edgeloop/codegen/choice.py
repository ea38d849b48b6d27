"""Which backend generates for a target, and from which format of a variant's model."""

from pathlib import Path
from typing import Literal

from edgeloop.codegen.stedgeai.locate import REMEDY, find_tool, is_installed
from edgeloop.codegen.stedgeai.targets import NO_GENERATION, TOOL_ALONE, TOOL_TARGETS, tool_target
from edgeloop.codegen.targets import Target, portable_cpu
from edgeloop.errors import InputError, StedgeaiMissing
from edgeloop.tflite.formats import Format
from edgeloop.yamlfile import near_match

Backend = Literal["auto", "portable", "stedgeai", "st-cloud"]
BACKENDS: tuple[Backend, ...] = ("auto", "portable", "stedgeai", "st-cloud")
Chosen = Literal["portable", "stedgeai", "st-cloud", "none"]


def choose_backend(backend: str, target: Target, tool: Path | None = None) -> Chosen:
    """The backend for a target; `auto` is ST Edge AI Core where it is installed, else the portable one on a Cortex-M.

    `st-cloud` is never chosen by itself: the model leaves this machine.

    Raises:
        InputError: there is no such backend, or the portable one cannot generate for the target.
        StedgeaiMissing: the target's NPU needs ST Edge AI Core, which is not here: code for its processor is never made by accident.
    """
    if backend not in BACKENDS:
        raise InputError(f"There is no backend '{backend}'{near_match(backend, BACKENDS)}.")
    if backend == "portable":
        portable_cpu(target)
        return "portable"
    if target.name == NO_GENERATION:
        return "none"
    if backend == "st-cloud":
        return "st-cloud"
    if backend == "stedgeai" or is_installed(tool):
        return "stedgeai"
    if target.name in TOOL_ALONE:
        raise StedgeaiMissing(f"{target.title} needs ST Edge AI Core, which is not installed here.", REMEDY)
    return "portable"


def check_generation(backend: str, target: Target, tool: Path | None = None) -> None:
    """Refuse a pair of backend and target that cannot be, before anything runs: ST's tool is asked for its version.

    Raises:
        InputError, StedgeaiMissing: as `choose_backend`; or no version here generates for the target.
        StedgeaiTimeout: the tool does not tell its version in time.
    """
    if choose_backend(backend, target, tool) == "stedgeai":
        tool_target(target.name)
        find_tool(tool, target.name)


def model_format(chosen: Chosen, target: Target) -> Format:
    """The format that the target runs best."""
    known = TOOL_TARGETS.get(target.name) if chosen in ("stedgeai", "st-cloud") else None
    return known.format if known else "int8 per-channel"
