"""A firmware as one file: generated code and the firmware's own, compiled and linked for a part.

The network is compiled twice, as it is and with its layers observed, so that what is timed has no observer in it. Both
share their weights, and their arenas lie in the same memory.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgeloop.codegen.toolchain import Compiler, Cpu, find_arm_compiler
from edgeloop.errors import ToolchainError
from edgeloop.files import atomic_path
from edgeloop.firmware import headers
from edgeloop.firmware.part import Part
from edgeloop.firmware.protocol.header import protocol_header
from edgeloop.firmware.registers import registers_header
from edgeloop.firmware.sources import FOLDER, LINK_OPTIONS, OPTIONS, check_generated, firmware_files, source_folders, units

COMPILE_JOBS = 2
OPTIMIZATION = "-O2"


def cpu_of(part: Part) -> Cpu:
    """What is compiled for. The emulator's cores have no double precision, so that it is computed in software everywhere: only what
    scales the few sums of a last layer needs it. Emulated parts compute all floats so."""
    return Cpu(part.core) if part.is_emulated else Cpu(part.core, "hard", single_precision=True)


def is_too_large(error: ToolchainError) -> bool:
    """Whether it is the linker's, for a program that does not fit into a memory."""
    return any(words in error.what for words in ("will not fit in region", "overflowed by", "past end of"))


def build_firmware(generated: Path, part: Part, out: Path, *, compiler: Compiler | None = None, optimization: str = OPTIMIZATION) -> Path:
    """Compile and link the firmware around the generated code of a network (named `network`), as the file `out`.

    Raises:
        InputError: there is no network.h and network.c in `generated`.
        ToolchainError: there is no compiler, it refuses something, or the program does not fit into the part's memories.
    """
    check_generated(generated)
    compiler = compiler or find_arm_compiler(cpu_of(part))
    with tempfile.TemporaryDirectory(prefix="edgeloop-firmware-") as name:
        work = Path(name)
        for file, text in written(part, f"{compiler} {optimization}").items():
            (work / file).write_text(text, encoding="utf-8")
        objects = _compile(compiler, part, generated, work, optimization)
        with atomic_path(out) as temporary:
            compiler.link(objects, temporary, [f"-Wl,-T,{work / 'part.ld'}", *LINK_OPTIONS])
    return out


def written(part: Part, built_with: str) -> dict[str, str]:
    """The files of a firmware that are made for its part, by their names."""
    return {
        "part.h": headers.part_header(part),
        "registers.h": registers_header(part.family),
        "protocol.h": protocol_header(),
        "build.h": headers.build_header(part, built_with),
        "part.ld": headers.linker_script(part, FOLDER / "part.ld.in"),
    }


def _compile(compiler: Compiler, part: Part, generated: Path, work: Path, optimization: str) -> list[Path]:
    folders = [f"-I{folder}" for folder in (*source_folders(part), work, generated)]
    common = [*OPTIONS, optimization, *folders]
    jobs = [
        (unit.source, work / f"{unit.name}.o", [*common, *unit.options]) for unit in units(firmware_files(part), generated, compiler.kind)
    ]
    with ThreadPoolExecutor(COMPILE_JOBS) as pool:
        for done in [pool.submit(compiler.compile, *job) for job in jobs]:
            done.result()
    return [target for _, target, _ in jobs]
