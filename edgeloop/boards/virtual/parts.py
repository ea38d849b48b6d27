"""Parts that the virtual board can be: those of edgeloop/firmware that are emulated only, and real boards."""

from edgeloop.errors import InputError
from edgeloop.firmware.board import parts
from edgeloop.firmware.part import KIB, CounterKind, Part, Region, UartKind

__all__ = ["KIB", "MPS2_AN500", "PARTS", "STM32F405", "STM32H747", "CounterKind", "Part", "Region", "UartKind", "find_part"]

PARTS = {name: part for name, part in parts().items() if part.is_emulated}
STM32H747 = PARTS["stm32h747"]
STM32F405 = PARTS["stm32f405"]
MPS2_AN500 = PARTS["mps2-an500"]


def find_part(name: str) -> Part:
    """The emulated part, or the real board, of that name.

    Raises:
        InputError: there is none.
    """
    if name not in parts():
        raise InputError(f"There is no virtual part {name!r}.", f"Take one of: {', '.join(parts())}.")
    return parts()[name]
