"""The C files of a firmware, and the options that they are compiled with: the same for a build and for a project that is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.toolchain import Kind
from edgeloop.errors import InputError
from edgeloop.firmware.headers import SECOND_CORE
from edgeloop.firmware.part import Part
from edgeloop.firmware.registers import family

FOLDER = Path(__file__).with_name("c")
STRICT = ("-Wall", "-Wextra", "-Werror", "-Wconversion")
# Contraction would round once where the reference rounds twice.
OPTIONS = ("-std=c99", "-ffunction-sections", "-fdata-sections", "-fno-common", "-ffp-contract=off")
LINK_OPTIONS = ("-Wl,--gc-sections", "-Wl,--entry=reset_handler")
OBSERVED = {"inference_observed.c", "network.c"}
"""What is compiled for the run with its layers observed, the second of them once more."""
OBSERVED_OPTIONS = ("-DNETWORK_OBSERVE", *(f"-Dnetwork_{name}=observed_network_{name}" for name in ("init", "input", "run", "output")))


@dataclass(frozen=True)
class Unit:
    """A C file, the name of its object, and its options beside `OPTIONS`."""

    source: Path
    name: str
    options: tuple[str, ...]


def source_folders(part: Part) -> list[Path]:
    """The folders of c/ that this part's firmware is made of."""
    if part.is_emulated:
        names = ["common", "emulated"]
    else:
        names = ["common", "stm32", family(part.family).start]
        names += ["second_core"] if any(region.name == SECOND_CORE for region in part.memories) else []
    return [FOLDER / name for name in names]


def firmware_files(part: Part) -> list[Path]:
    """Its C files and headers."""
    other_core = "core_m4.c" if part.core == "cortex-m7" else "core_m7.c"
    found = [file for folder in source_folders(part) for file in sorted(folder.glob("*.[ch]"))]
    return [file for file in found if file.name != other_core]


def units(firmware: list[Path], generated: Path, kind: Kind) -> Iterator[Unit]:
    """What is compiled: the firmware's own files strictly, the network as it is and, for its observed twin, once more.

    Both share their weights, and their arenas lie in the same memory.
    """
    for source in firmware:
        if source.suffix == ".c":
            observed = OBSERVED_OPTIONS if source.name in OBSERVED else ()
            yield Unit(source, f"firmware_{source.stem}", (*observed, *own_options(kind)))
    for source in sorted(generated.glob("*.c")):
        yield Unit(source, source.stem, (arena("plain"),))
        if source.name in OBSERVED:
            yield Unit(source, f"{source.stem}_observed", (*OBSERVED_OPTIONS, arena("observed")))


def own_options(kind: Kind) -> tuple[str, ...]:
    """Of the firmware's own files: loops that are memcpy must not become calls of themselves."""
    return (*STRICT, "-fno-builtin", *(("-fno-tree-loop-distribute-patterns",) if kind == "gcc" else ()))


def arena(which: str) -> str:
    """The option that puts a network's memory into its section."""
    return f'-DNETWORK_ARENA_ATTRIBUTE=__attribute__((section(".bss.arena_{which}")))'


def check_generated(generated: Path) -> None:
    """See that there is a network.

    Raises:
        InputError: there is no network.h and network.c in `generated`.
    """
    if not (generated / "network.h").is_file() or not (generated / "network.c").is_file():
        raise InputError(f"There is no generated network in {generated}.", "Run `edgeloop generate` with the name `network`.")
