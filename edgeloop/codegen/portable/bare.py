"""Generated code linked for one memory map and nothing else: no start-up, no board; its functions are called one by one.

That is what an emulator needs to run and count `network_run`, and what tests compare on the target's instruction set.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.portable.kernels import kernel_sources
from edgeloop.codegen.toolchain import Compiler

FLAGS = ("-std=c99", "-ffunction-sections", "-fdata-sections")
_LIBRARY = """\
#include <stddef.h>
#include <stdint.h>
/* What compilers call by themselves and a C library brings. */
void *memset(void *to, int byte, size_t count);
void *memcpy(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count)
{
    uint8_t *bytes = to;
    for (size_t i = 0; i < count; i++) { bytes[i] = (uint8_t)byte; }
    return to;
}
void *memcpy(void *to, const void *from, size_t count)
{
    uint8_t *bytes = to;
    for (size_t i = 0; i < count; i++) { bytes[i] = ((const uint8_t *)from)[i]; }
    return to;
}
"""
_SCRIPT = """\
ENTRY({entry})
MEMORY
{{
    FLASH (rx) : ORIGIN = {flash.start:#x}, LENGTH = {flash.size:#x}
    RAM (rwx) : ORIGIN = {ram.start:#x}, LENGTH = {ram.size:#x}
}}
SECTIONS
{{
    .text : {{ KEEP(*(.text.{entry})) *(.text*) *(.rodata*) *(.ARM.extab*) }} > FLASH
    .ARM.exidx : {{ *(.ARM.exidx*) }} > FLASH
    .data : {{ *(.data*) }} > RAM
    .bss (NOLOAD) : {{ *(.bss*) *(COMMON) }} > RAM
}}
"""


@dataclass(frozen=True)
class Memory:
    """A range of addresses."""

    start: int
    size: int


def link_bare(
    folder: Path,
    name: str,
    compiler: Compiler,
    target: Path,
    *,
    flash: Memory,
    ram: Memory,
    flags: Sequence[str] = ("-O2",),
    extra: str = "",
    entry: str = "",
) -> None:
    """Compile a folder of generated code, with the C text `extra` beside it, and link it for that memory map; what is kept is what
    `entry` calls, a function of `extra`, else the network's `run`.

    Raises:
        ToolchainError: the compiler refuses it, or it does not fit.
    """
    with tempfile.TemporaryDirectory(prefix="edgeloop-bare-") as temporary:
        work = Path(temporary)
        library, own, script = work / "library.c", work / "extra.c", work / "memory.ld"
        library.write_text(_LIBRARY, encoding="utf-8")
        own.write_text(extra, encoding="utf-8")
        script.write_text(_SCRIPT.format(entry=entry or f"{name}_run", flash=flash, ram=ram), encoding="utf-8")
        kernels = [folder / kernel for kernel in kernel_sources()]
        sources = [folder / f"{name}.c", folder / f"{name}_data.c", *kernels, library, *([own] if extra else [])]
        objects = [work / f"{source.stem}.o" for source in sources]
        for source, made in zip(sources, objects, strict=True):
            builtin = ("-fno-builtin",) if source == library else ()
            compiler.compile(source, made, [*FLAGS, *builtin, f"-I{folder}", *flags])
        compiler.link(objects, target, [f"-Wl,-T,{script}"])
