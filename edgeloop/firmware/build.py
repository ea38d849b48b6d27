"""A firmware as one file: generated code and the firmware's own, compiled and linked for a part.

The network is compiled twice, as it is and with its layers observed, so that what is timed has no observer in it. Both
share their weights, and their arenas lie in the same memory.
"""

import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.toolchain import Compiler, Cpu, find_arm_compiler
from edgeloop.errors import ToolchainError
from edgeloop.files import atomic_path
from edgeloop.firmware import headers
from edgeloop.firmware.part import Part
from edgeloop.firmware.protocol.header import protocol_header
from edgeloop.firmware.registers import registers_header
from edgeloop.firmware.sources import FOLDER, LINK_OPTIONS, OPTIONS, Unit, check_generated, firmware_files, source_folders, units

COMPILE_JOBS = 2
OPTIMIZATION = "-O2"
SIZED_BY_PACKETS = ("packets.c", "agree.c")
"""The files that know how large the extension's packets may be (PART_PACKET_BYTES)."""


def cpu_of(part: Part) -> Cpu:
    """What is compiled for. The emulator's cores have no double precision, so that it is computed in software everywhere: only what
    scales the few sums of a last layer needs it. Emulated parts compute all floats so."""
    return Cpu(part.core) if part.is_emulated else Cpu(part.core, "hard", single_precision=True)


def is_too_large(error: ToolchainError) -> bool:
    """Whether it is the linker's, for a program that does not fit into a memory."""
    return any(words in error.what for words in ("will not fit in region", "overflowed by", "past end of"))


def build_firmware(generated: Path, part: Part, out: Path, *, compiler: Compiler | None = None, optimization: str = OPTIMIZATION) -> Path:
    """Compile and link the firmware around the generated code of a network (named `network`), as the file `out`.

    Where the part's memory is too small by what large packets of the serial port take, it has small ones.

    Raises:
        InputError: there is no network.h and network.c in `generated`.
        ToolchainError: there is no compiler, it refuses something, or the program does not fit into the part's memories.
    """
    check_generated(generated)
    compiler = compiler or find_arm_compiler(cpu_of(part))
    with tempfile.TemporaryDirectory(prefix="edgeloop-firmware-") as name:
        work = _Work(Path(name), part, compiler, optimization, list(units(firmware_files(part), generated, compiler.kind)))
        work.compile(generated, headers.PACKET_BYTES)
        with atomic_path(out) as temporary:
            try:
                work.link(temporary)
            except ToolchainError as error:
                if not is_too_large(error):
                    raise
                work.compile(generated, headers.LEAST_PACKET_BYTES, only=SIZED_BY_PACKETS)
                work.link(temporary)
    return out


def written(part: Part, built_with: str, packet_bytes: int = headers.PACKET_BYTES) -> dict[str, str]:
    """The files of a firmware that are made for its part, by their names."""
    return {
        "part.h": headers.part_header(part, packet_bytes),
        "registers.h": registers_header(part.family),
        "protocol.h": protocol_header(),
        "build.h": headers.build_header(part, built_with, " ".join(OPTIONS)),
        "part.ld": headers.linker_script(part, FOLDER / "part.ld.in"),
    }


@dataclass(frozen=True)
class _Work:
    """A build: what is made for the part, and its objects, are files of `folder`."""

    folder: Path
    part: Part
    compiler: Compiler
    optimization: str
    units: list[Unit]

    def compile(self, generated: Path, packet_bytes: int, only: Collection[str] = ()) -> None:
        """All files, or those of these names."""
        for file, text in written(self.part, f"{self.compiler} {self.optimization}", packet_bytes).items():
            (self.folder / file).write_text(text, encoding="utf-8")
        folders = [f"-I{folder}" for folder in (*source_folders(self.part), self.folder, generated)]
        common = [*OPTIONS, self.optimization, *folders]
        chosen = [unit for unit in self.units if not only or unit.source.name in only]
        with ThreadPoolExecutor(COMPILE_JOBS) as pool:
            jobs = [pool.submit(self.compiler.compile, unit.source, self._object(unit), [*common, *unit.options]) for unit in chosen]
            for done in jobs:
                done.result()

    def link(self, out: Path) -> None:
        self.compiler.link([self._object(unit) for unit in self.units], out, [f"-Wl,-T,{self.folder / 'part.ld'}", *LINK_OPTIONS])

    def _object(self, unit: Unit) -> Path:
        return self.folder / f"{unit.name}.o"
