"""The block "Requested memory size by section": what each object of the built network takes, by text, rodata, data and bss.

It is there only where the tool found a compiler. "RT total" (text + rodata + data in flash, data + bss in RAM) already holds the
row "lib (toolchain)*"; adding that again, as a client of the vendor does, counts it twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

from edgeloop.codegen.stedgeai.numbers import integer
from edgeloop.codegen.stedgeai.summary import missing

_HEADING = re.compile(r'^\s*Requested memory size by section - "(\w+)" target')
_ROW = re.compile(r"^\s*(\S.*?)\s{2,}([\d,]+)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)\s*$")
_RUNTIME = re.compile(r"^NetworkRuntime\w*?_CM(\d+)_(\w+)\.a$")
_WEIGHTS_OBJECT = re.compile(r"_atonbuf\.\w+\.o$")
"""Weights of an NPU that were written as C (ST Edge AI Core 4.0.1 within AI Studio): "RT total" then counts them as code."""


@dataclass(frozen=True)
class Size:
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
    """The rows by name, stars removed, and the series that was built for, e.g. stm32h7 or stm32n6npu."""

    series: str
    rows: dict[str, Size]

    @property
    def runtime(self) -> Size:
        """Kernels, infrastructure, the generated code and the toolchain's part of it, without weights."""
        total = self.rows["RT total"]
        weights = [size for name, size in self.rows.items() if _WEIGHTS_OBJECT.search(name)]
        return Size(
            total.text - sum(size.text for size in weights),
            total.rodata - sum(size.rodata for size in weights),
            total.data - sum(size.data for size in weights),
            total.bss - sum(size.bss for size in weights),
        )

    @property
    def toolchain(self) -> Size | None:
        """The toolchain's part of `runtime`."""
        return self.rows.get("lib (toolchain)")

    @property
    def weights_as_code(self) -> int:
        """Bytes of weights within "RT total"."""
        return self.rows["RT total"].flash - self.runtime.flash

    @property
    def cpu(self) -> str | None:
        """The processor of the runtime library, e.g. cortex-m7."""
        found = [match for name in self.rows if (match := _RUNTIME.match(name))]
        return f"cortex-m{found[0][1]}" if found else None


def find_sections(lines: Sequence[str], where: str) -> Sections | None:
    """The first such block; None where the tool measured no code.

    Raises:
        StedgeaiUnreadable: the block has no total, or its rows do not add up to it.
    """
    for number, line in enumerate(lines):
        heading = _HEADING.match(line)
        if heading:
            rows = dict(_rows(lines[number + 1 :]))
            if "RT total" not in rows:
                raise missing("the row 'RT total' of the section sizes", where)
            _check_sums(rows, where)
            return Sections(heading[1], rows)
    return None


def _check_sums(rows: dict[str, Size], where: str) -> None:
    """All rows above "RT total" make it up; with those below it, "TOTAL"."""
    runtime = list(rows).index("RT total")
    for total, parts in (("RT total", list(rows)[:runtime]), ("TOTAL", list(rows)[runtime:-1])):
        if total not in rows or _sum([rows[part] for part in parts]) != rows[total]:
            raise missing(f"a part of the section sizes (their rows do not make up '{total}')", where)


def _sum(sizes: Sequence[Size]) -> Size:
    return Size(*(sum(getattr(size, field.name) for size in sizes) for field in fields(Size)))


def _rows(lines: Sequence[str]) -> list[tuple[str, Size]]:
    rows = []
    for line in lines:
        row = _ROW.match(line)
        if row:
            text, rodata, data, bss = (integer(cell) or 0 for cell in row.groups()[1:])
            rows.append((row[1].rstrip("*"), Size(text, rodata, data, bss)))
        if line.lstrip().startswith("TOTAL"):
            break
    return rows
