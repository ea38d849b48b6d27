"""The block "Requested memory size by section": what each object of the built network takes, by text, rodata, data and bss.

It is there only where the tool found a compiler. "RT total" (text + rodata + data in flash, data + bss in RAM) already holds the
row "lib (toolchain)*"; adding that again, as a client of the vendor does, counts it twice.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.codegen.stedgeai.source import Code, Memory
from edgeloop.codegen.stedgeai.text import missing
from edgeloop.records import CompiledSize

UNKNOWN_COMPILER = "GNU Arm (the version is not stated)"

_HEADING = re.compile(r'^\s*Requested memory size by section - "(\w+)" target')
_ROW = re.compile(r"^\s*(\S.*?)\s{2,}([\d,]+)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)\s*$")
_RUNTIME = re.compile(r"^NetworkRuntime\w*?_CM(\d+)_(\w+)\.a$")
_WEIGHTS_OBJECT = re.compile(r"_atonbuf\.\w+\.o$")
"""Weights of an NPU that were written as C (ST Edge AI Core 4.0.1 within AI Studio): "RT total" then counts them as code."""


class _Size(NamedTuple):
    """Bytes of one row."""

    text: int
    rodata: int
    data: int
    bss: int

    @property
    def flash(self) -> int:
        return self.text + self.rodata + self.data

    @property
    def ram(self) -> int:
        return self.data + self.bss


@dataclass(frozen=True)
class Sections:
    """What the block states of the series that was built for, e.g. stm32h7 or stm32n6npu."""

    series: str
    code: Code
    """Kernels, infrastructure, the generated code and the toolchain's part of it, without weights."""
    memory: Memory | None
    notes: list[str]


def find_sections(lines: Sequence[str], where: str) -> Sections | None:
    """The first such block; None where the tool measured no code.

    Raises:
        StedgeaiUnreadable: the block has no total, or its rows do not add up to it.
    """
    for number, line in enumerate(lines):
        heading = _HEADING.match(line)
        if heading:
            rows = _rows(lines[number + 1 :])
            _check_sums(rows, where)
            weights = sum(size.flash for name, size in rows.items() if _WEIGHTS_OBJECT.search(name))
            notes = [f'The tool\'s "RT total" holds {weights} bytes of weights; they are not in code_flash_bytes.'] if weights else []
            return Sections(heading[1], _code(rows), _memory(rows, npu=heading[1].endswith("npu")), notes)
    return None


def _rows(lines: Iterable[str]) -> dict[str, _Size]:
    """The rows by name, stars removed."""
    rows = {}
    for line in lines:
        row = _ROW.match(line)
        if row:
            rows[row[1].rstrip("*")] = _Size(*(integer(cell) or 0 for cell in row.groups()[1:]))
        if line.lstrip().startswith("TOTAL"):
            break
    return rows


def _check_sums(rows: dict[str, _Size], where: str) -> None:
    """All rows above "RT total" make it up; with those below it, "TOTAL"."""
    if "RT total" not in rows:
        raise missing("the row 'RT total' of the section sizes", where)
    runtime = list(rows).index("RT total")
    for total, parts in (("RT total", list(rows)[:runtime]), ("TOTAL", list(rows)[runtime:-1])):
        if total not in rows or _sum(rows[part] for part in parts) != rows[total]:
            raise missing(f"a part of the section sizes (their rows do not make up '{total}')", where)


def _sum(sizes: Iterable[_Size]) -> _Size:
    return _Size(*map(sum, zip(_Size(0, 0, 0, 0), *sizes, strict=True)))


def _code(rows: dict[str, _Size]) -> Code:
    own = list(rows)[: list(rows).index("RT total")]
    runtime = _sum(rows[name] for name in own if not _WEIGHTS_OBJECT.search(name))
    toolchain = rows.get("lib (toolchain)")
    library = next((match for name in rows if (match := _RUNTIME.match(name))), None)
    cpu = f"cortex-m{library[1]}" if library else None
    return Code(
        cpu=cpu,
        code_flash_bytes=runtime.flash,
        runtime_ram_bytes=runtime.ram,
        toolchain_flash_bytes=toolchain.flash if toolchain else None,
        compiled=CompiledSize(
            compiler=UNKNOWN_COMPILER,
            flags=[],
            cpu=cpu or "not stated",
            code_bytes=runtime.text,
            constant_bytes=runtime.rodata + runtime.data,
        ),
    )


def _memory(rows: dict[str, _Size], *, npu: bool) -> Memory | None:
    if not {"weights", "activations"} <= rows.keys():
        return None
    io = rows["io"].ram if "io" in rows else None
    # Of a processor the row of the weights is padded to whole words.
    return Memory(rows["activations"].ram, rows["weights"].flash, io, rounded=not npu)
