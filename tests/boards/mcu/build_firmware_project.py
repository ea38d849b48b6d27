"""Stands in for a user's firmware project: compiles generated code with a validation firmware. GENERATED ELF PART.

Its firmware is the virtual board's, except for what it says of itself: a test of physical boards needs one that does not
say that it is virtual.
"""

import sys
from pathlib import Path

from edgeloop.boards.virtual import build
from edgeloop.boards.virtual.parts import Part, find_part

SAYS = "TEST STAND-IN"


def say_no_more_that_it_is_virtual() -> None:
    """From now on this process builds firmware that calls itself a stand-in."""
    header = build._build_header

    def stand_in(part: Part) -> str:
        return header(part).replace("VIRTUAL board", SAYS).replace("VIRTUAL", SAYS).replace(", assumed", ",")

    build._build_header = stand_in


def main(generated: Path, elf: Path, part: str) -> None:
    say_no_more_that_it_is_virtual()
    build.build_firmware(generated, find_part(part), elf)
    sys.stdout.write(f"built {elf}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
