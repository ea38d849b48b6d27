"""What edgeloop's own firmware takes of its part, by the segments of its ELF file and its linker script's symbols."""

from dataclasses import dataclass
from pathlib import Path

from edgeloop.boards.virtual.elf import read_program
from edgeloop.firmware.part import Part


@dataclass(frozen=True)
class Footprint:
    """What a firmware takes of its part."""

    flash_bytes: int
    ram_bytes: int
    """Variables, the network's memory, and the reserved stack."""


def footprint(firmware: Path, part: Part) -> Footprint:
    """What a firmware takes, by its segments and its linker script's symbols.

    Raises:
        BoardError: it is damaged.
    """
    program = read_program(firmware)
    address = {name: symbol.address for name, symbol in program.symbols.items()}
    variables = address["firmware_clear_end"] - address["firmware_data_begin"]
    stack = address["firmware_stack_end"] - part.memory(part.stack).start
    return Footprint(sum(len(segment.content) for segment in program.segments), variables + stack)
