"""How far off the estimated cycles of a Cortex-M4 are: public assembler code whose cycles on a real one are published.

    python benchmarks/cycles.py --x25519 x25519-cortex-m4-gcc.s --aes aes.s

The files are those of their authors, and are not part of this project:

- X25519-Cortex-M4 (Emil Lenngren): 548,873 cycles "on ARM Cortex-M4, assuming no wait states", as its file and README say;
- aes-armcortexm, aes128/aes.s (Schwabe and Stoffelen, "All the AES You Need on Cortex-M3 and M4", SAC 2016): 254.9 cycles for the
  key schedule and 644.7 for a block, measured on an STM32F407 with the call and the reading of the counter in them.

Assembler, so that no compiler stands between. Each result is compared with the algorithm's published test vector first.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.cycles import estimated_cycles, since
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import STM32F405
from edgeloop.codegen.toolchain import Cpu, find_arm_compiler
from edgeloop.console import program

RAM = STM32F405.memory(STM32F405.data).start


@dataclass(frozen=True)
class Known:
    """A function of which the cycles on a real Cortex-M4 are published."""

    title: str
    function: str
    published_cycles: float
    run: Callable[[Core], tuple[bytes, bytes]]
    """Calls it; gives its result and the one that it should have."""


def x25519(core: Core) -> tuple[bytes, bytes]:
    """RFC 7748, 5.2, the first vector."""
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    core.write(RAM, bytes(32) + scalar + point)
    core.call("curve25519_scalarmult", RAM, RAM + 32, RAM + 64)
    return core.read(RAM, 32), bytes.fromhex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")


KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")


def key_schedule(core: Core) -> tuple[bytes, bytes]:
    """FIPS 197, A.1: the last round key."""
    core.write(RAM, KEY)
    core.call("AES_128_keyschedule", RAM, RAM + 16)
    return core.read(RAM + 160, 16), bytes.fromhex("d014f9a8c9ee2589e13f0cc8b6630ca6")


def block(core: Core) -> tuple[bytes, bytes]:
    """FIPS 197, B; behind `key_schedule`, whose round keys it takes."""
    core.write(RAM + 256, bytes.fromhex("3243f6a8885a308d313198a2e0370734"))
    core.call("AES_128_encrypt", RAM, RAM + 256, RAM + 272)
    return core.read(RAM + 272, 16), bytes.fromhex("3925841d02dc09fbdc118597196a0b32")


KNOWN = {
    "x25519": [Known("X25519 scalar multiplication", "curve25519_scalarmult", 548_873, x25519)],
    "aes": [
        Known("AES-128 key schedule", "AES_128_keyschedule", 254.9, key_schedule),
        Known("AES-128, one block", "AES_128_encrypt", 644.7, block),
    ],
}


def main() -> int:
    """Print the table; 1 where a result is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in KNOWN:
        parser.add_argument(f"--{name}", type=Path, help="the assembler file")
    given = {name: path for name, path in vars(parser.parse_args()).items() if path}
    print(f"{'':<32}{'instructions':>14}{'estimated':>12}{'published':>12}{'off by':>9}")
    return max((compare(KNOWN[name], path) for name, path in given.items()), default=0)


def compare(known: list[Known], source: Path) -> int:
    """One file's functions."""
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="edgeloop-cycles-") as folder:
        core = Core(STM32F405, read_program(assembled(source, known[0].function, Path(folder))))
        for one in known:
            before, instructions = core.executed(), core.instructions
            result, expected = one.run(core)
            cycles = estimated_cycles(since(before, core.executed()), core.read)
            off = f"{100 * (cycles / one.published_cycles - 1):+.1f} %"
            print(f"{one.title:<32}{core.instructions - instructions:>14,}{cycles:>12,}{one.published_cycles:>12,}{off:>9}")
            if result != expected:
                print(f"  WRONG RESULT: {result.hex()}")
                wrong = 1
    return wrong


def assembled(source: Path, entry: str, folder: Path) -> Path:
    """The file as a program in the part's flash memory."""
    program, script = folder / "program.elf", folder / "program.ld"
    script.write_text(f"ENTRY({entry}) SECTIONS {{ . = {STM32F405.flash.start:#x}; .text : {{ *(.text*) *(.rodata*) }} }}")
    find_arm_compiler(Cpu(STM32F405.core)).link([source], program, [f"-Wl,-T,{script}"])
    return program


if __name__ == "__main__":
    raise SystemExit(program(main))
