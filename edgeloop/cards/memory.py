"""What generated code takes of a target's memory, with the columns of the published cards, from any record that states it."""

from collections.abc import Iterable, Sequence

from edgeloop.cards.markdown import Table
from edgeloop.markup import text
from edgeloop.records import CodegenRecord, McuCode

NOT_MEASURED = "not measured"
NOT_STATED = "an unknown target"
MCU = ["Activation RAM", "Runtime RAM", "Weights Flash", "Code Flash", "Total RAM", "Total Flash"]
NPU = ["Internal RAM (KiB)", "External RAM (KiB)", "Weights Flash (KiB)"]
TOOLS = ["STM32Cube.AI version", "STEdgeAI Core version"]
OTHER_TOOL = "Code generator"

Code = CodegenRecord | McuCode
Named = tuple[Sequence[str], Code]
"""Model, format and resolution as cells, and the code that was generated of it."""


def memory_table(named: Sequence[Named]) -> Table | None:
    """A row for each code, those of an NPU with that one's columns; None without code."""
    if not named:
        return None
    npu = any(is_npu(code) for _, code in named)
    heads = tool_heads(code for _, code in named)
    rows = [
        [*cells, text((code.target or NOT_STATED).upper()), *(npu_cells(code) if npu else mcu_cells(code)), *tool_cells(code, heads)]
        for cells, code in named
    ]
    return Table(["Model", "Format", "Resolution", "Series", *(NPU if npu else MCU), *heads], rows)


def tool_heads(codes: Iterable[Code]) -> list[str]:
    """The columns that name the generators of these codes: ST's with the words of the published cards, others in one of their own."""
    found = {head for code in codes for head in _tools(code)}
    return [head for head in (*TOOLS, OTHER_TOOL) if head in found]


def tool_cells(code: Code | None, heads: Sequence[str]) -> list[str]:
    """What fills these columns."""
    found = _tools(code) if code else {}
    return [text(found.get(head, "-")) for head in heads]


def _tools(code: Code) -> dict[str, str]:
    """Generator and version by column."""
    if isinstance(code, McuCode):
        name, version, parts = code.backend, code.backend_version, code.components
    else:
        name, version, parts = code.backend.name, code.backend.version, code.run.components if code.run else {}
    if name != "stedgeai":
        return {OTHER_TOOL: f"{name} {version or 'of unknown version'}"}
    cube = {TOOLS[0]: parts["STM32CubeAI"]} if "STM32CubeAI" in parts else {}
    return {**cube, TOOLS[1]: version or "unknown"}


def is_npu(code: Code) -> bool:
    """Whether an NPU runs it."""
    profile = code.profile if isinstance(code, McuCode) else code.run and code.run.npu_compiler
    return profile is not None


def mcu_cells(code: Code) -> list[str]:
    """Activation and runtime RAM, weights and code in flash, and their sums: inputs and outputs that lie apart are activations, too."""
    ram, flash = _ram(code), _flash(code)
    return [with_unit(size) for size in (*ram, *flash, _sum(*ram), _sum(*flash))]


def total_ram_bytes(code: Code) -> int | None:
    """All RAM that it takes: of an NPU on the chip and outside of it, else activations and runtime; None where a part is not stated."""
    return _sum(code.internal_ram_bytes, code.external_ram_bytes) if is_npu(code) else _sum(*_ram(code))


def total_flash_bytes(code: Code) -> int | None:
    """Weights and code; None where a part is not stated."""
    return _sum(*_flash(code))


def _ram(code: Code) -> tuple[int | None, int | None]:
    activations = code.activation_ram_bytes if code.activation_ram_bytes is None else code.activation_ram_bytes + (code.io_ram_bytes or 0)
    return activations, code.runtime_ram_bytes


def _flash(code: Code) -> tuple[int | None, int | None]:
    return code.weight_bytes, code.code_flash_bytes


def npu_cells(code: Code) -> list[str]:
    """RAM on the chip and outside of it, and the weights."""
    return [kib(size) for size in (code.internal_ram_bytes, code.external_ram_bytes, code.weight_bytes)]


def kib(size: int | None) -> str:
    """A size in KiB."""
    return NOT_MEASURED if size is None else f"{size / 1024:.2f}"


def with_unit(size: int | None) -> str:
    """The same with the unit, in a column whose head has none."""
    return NOT_MEASURED if size is None else f"{kib(size)} KiB"


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
