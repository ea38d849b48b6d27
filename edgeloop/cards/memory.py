"""What generated code takes of a target's memory, with the columns of the published cards, from any record that states it."""

from collections.abc import Sequence

from edgeloop.cards.markdown import Table
from edgeloop.markup import text
from edgeloop.records import CodegenRecord, McuCode

NOT_MEASURED = "not measured"
NOT_STATED = "an unknown target"
MCU = ["Activation RAM (KiB)", "Runtime RAM (KiB)", "Weights Flash (KiB)", "Code Flash (KiB)", "Total RAM (KiB)", "Total Flash (KiB)"]
NPU = ["Internal RAM (KiB)", "External RAM (KiB)", "Weights Flash (KiB)"]

Code = CodegenRecord | McuCode
Named = tuple[Sequence[str], Code]
"""Model, format and resolution as cells, and the code that was generated of it."""


def memory_table(named: Sequence[Named]) -> Table | None:
    """A row for each code, those of an NPU with that one's columns; None without code."""
    if not named:
        return None
    npu = any(is_npu(code) for _, code in named)
    rows = [[*cells, text((code.target or NOT_STATED).upper()), *(npu_cells(code) if npu else mcu_cells(code))] for cells, code in named]
    return Table(["Model", "Format", "Resolution", "Series", *(NPU if npu else MCU)], rows)


def is_npu(code: Code) -> bool:
    """Whether an NPU runs it."""
    profile = code.profile if isinstance(code, McuCode) else code.run and code.run.npu_compiler
    return profile is not None


def mcu_cells(code: Code) -> list[str]:
    """Activation and runtime RAM, weights and code in flash, and their sums: inputs and outputs that lie apart are activations, too."""
    ram, flash = _ram(code), _flash(code)
    return [kib(size) for size in (*ram, *flash, _sum(*ram), _sum(*flash))]


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


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
