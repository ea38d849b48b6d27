"""Stands in for a user's firmware project: compiles generated code with a validation firmware. GENERATED ELF PART [CACHE].

With the folder CACHE the same code is compiled once and copied then.

Its firmware is the virtual board's, except for what it says of itself: a test of physical boards needs one that does not
say that it is virtual.
"""

import hashlib
import shutil
import sys
from pathlib import Path

from edgeloop.boards.virtual.parts import Part, find_part
from edgeloop.firmware import build, headers

SAYS = "TEST STAND-IN"


def say_no_more_that_it_is_virtual() -> None:
    """From now on this process builds firmware that calls itself a stand-in."""
    header = headers.build_header

    def stand_in(part: Part, built_with: str, options: str) -> str:
        return header(part, built_with, options).replace("VIRTUAL board", SAYS).replace("VIRTUAL", SAYS).replace(", assumed", ",")

    headers.build_header = stand_in


def main(generated: Path, elf: Path, part: str, cache: Path | None = None) -> None:
    built = elf if cache is None else cache / f"{part}-{_digest(generated)}.elf"
    if cache is None or not built.is_file():
        say_no_more_that_it_is_virtual()
        build.build_firmware(generated, find_part(part), built)
    if built != elf:
        shutil.copyfile(built, elf)
    sys.stdout.write(f"built {elf}\n")


def _digest(generated: Path) -> str:
    sources = sorted(file for file in generated.iterdir() if file.suffix in (".c", ".h"))
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in sources)).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], *map(Path, sys.argv[4:]))
