"""The size of generated code as a compiler makes it: linked with what it calls and nothing else, read from the ELF file."""

import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.portable.kernels import kernel_sources
from edgeloop.codegen.toolchain import Compiler
from edgeloop.errors import ToolchainError

FLAGS = ("-std=c99", "-O2", "-ffunction-sections", "-fdata-sections")
_PROGBITS, _NOBITS = 1, 8
_WRITE, _ALLOC, _EXECUTE = 1, 2, 4
_STAND_IN = ".stand_in"
_APPLICATION = """\
#include <stddef.h>
#include <stdint.h>
#include "{name}.h"
#define STAND_IN __attribute__((used, section("{section}")))
/* What a C library brings: compilers call these by themselves. */
STAND_IN void *memset(void *to, int byte, size_t count)
{{
    volatile uint8_t *bytes = to;
    for (size_t i = 0; i < count; i++) {{ bytes[i] = (uint8_t)byte; }}
    return to;
}}
STAND_IN void *memcpy(void *to, const void *from, size_t count)
{{
    volatile uint8_t *bytes = to;
    for (size_t i = 0; i < count; i++) {{ bytes[i] = ((const uint8_t *)from)[i]; }}
    return to;
}}
void application(void *image);
STAND_IN void application(void *image)
{{
    {name}_init();
#ifdef {upper}_STREAM_INPUT
    {name}_run(({name}_row_reader)image, image);
#else
    {name}_run();
    *(void *volatile *)image = {name}_input();
#endif
    *(const void *volatile *)image = {name}_output();
}}
"""
"""Calls the whole interface; in a section of its own, which is not counted."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of a linked program."""

    code: int
    constants: int
    """Weights and biases included."""
    variables: int
    """The arena included."""


def measure(folder: Path, name: str, compiler: Compiler) -> Sizes:
    """Compile and link a folder of generated code.

    Raises:
        ToolchainError: the compiler refuses it.
    """
    with tempfile.TemporaryDirectory(prefix="edgeloop-size-") as temporary:
        work = Path(temporary)
        application = work / "application.c"
        application.write_text(_APPLICATION.format(name=name, upper=name.upper(), section=_STAND_IN), encoding="utf-8")
        kernels = [folder / kernel for kernel in kernel_sources()]
        sources = [application, folder / f"{name}.c", folder / f"{name}_data.c", *kernels]
        objects = [work / f"{source.stem}.o" for source in sources]
        for source, target in zip(sources, objects, strict=True):
            # Loops that copy are not to become calls of themselves.
            own = ("-fno-builtin",) if source == application else ()
            compiler.compile(source, target, [*FLAGS, *own, f"-I{folder}"])
        linked = work / "linked.elf"
        compiler.link(objects, linked, ["-Wl,--gc-sections", "-Wl,-e,application"])
        return sizes(linked)


def sizes(elf: Path) -> Sizes:
    """The sizes of a linked 32-bit little-endian ELF file.

    Raises:
        ToolchainError: it is no such file.
    """
    try:
        sections = [section for section in _sections(elf.read_bytes()) if section.flags & _ALLOC and section.name != _STAND_IN]
    except (struct.error, ValueError, IndexError) as error:
        raise ToolchainError(f"{elf} is not a 32-bit ELF file that can be read.", "Report the compiler's name and version.") from error
    stored = [section for section in sections if section.type != _NOBITS and not section.flags & _WRITE]
    return Sizes(
        code=sum(section.size for section in stored if section.flags & _EXECUTE),
        constants=sum(section.size for section in stored if not section.flags & _EXECUTE),
        variables=sum(section.size for section in sections if section.flags & _WRITE),
    )


@dataclass(frozen=True)
class _Section:
    name: str
    type: int
    flags: int
    size: int


def _sections(content: bytes) -> Iterator[_Section]:
    """The section headers (ELF specification 1.2, book I)."""
    if content[:6] != b"\x7fELF\x01\x01":
        raise ValueError("no 32-bit little-endian ELF")
    (table,) = struct.unpack_from("<I", content, 32)
    each, count, names_index = struct.unpack_from("<HHH", content, 46)
    headers = [struct.unpack_from("<10I", content, table + number * each) for number in range(count)]
    names = headers[names_index][4]
    for name, kind, flags, _, _, size, *_ in headers:
        end = content.index(b"\0", names + name)
        yield _Section(content[names + name : end].decode("ascii", "replace"), kind, flags, size)
