"""The model of a part on a board, around an emulated core: every access to a peripheral goes through its rules."""

from collections import defaultdict

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.strict.arm import CoreRegisters
from edgeloop.boards.virtual.strict.bank import Bank, Register, RuleBroken
from edgeloop.boards.virtual.strict.clocks import ClockTree
from edgeloop.boards.virtual.strict.f4_f7 import F4F7Clocks
from edgeloop.boards.virtual.strict.h7 import H7Clocks
from edgeloop.boards.virtual.strict.hardware import Hardware
from edgeloop.boards.virtual.strict.l4 import L4Clocks
from edgeloop.boards.virtual.strict.ports import Ports
from edgeloop.boards.virtual.strict.usart import Line, Usart

PAGE = 0x1000
LONGEST_IDLE_S = 0.6
SRAMS = {"STM32H743": (128, 128, 32), "STM32H747": (128, 128, 32), "STM32H723": (16, 16)}
"""KiB of SRAM1, 2, … of the H7, from 0x30000000 on: they have clocks of their own (RCC_AHB2ENR)."""
SRAM_START = 0x3000_0000


def clock_tree(hardware: Hardware, core: Core) -> ClockTree:
    """RCC, PWR and FLASH of that part."""
    kinds: dict[str, type[F4F7Clocks | H7Clocks | L4Clocks]] = {"STM32F": F4F7Clocks, "STM32H": H7Clocks, "STM32L": L4Clocks}
    return kinds[hardware.mcu[:6]](hardware, lambda: core.instructions)


class StrictPart:
    """All peripherals of a board's part. It is its own cycle counter; `line` is its serial port's."""

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self.hardware = hardware
        self.line = Line(self._rest, hardware.host_baud)
        self.tree = clock_tree(hardware, core)
        self.ports = Ports(hardware.mcu, self.tree)
        self.core_registers = CoreRegisters(hardware.mcu, hardware.core == "cortex-m7", self._cycles)
        self._core, self._rested = core, 0
        names = ("USART1", "USART2", "USART3") if hardware.mcu.startswith("STM32L4") else ("USART1", "USART2", "USART3", "USART6")
        self._usarts = [Usart(name, hardware, self.tree, self.ports, self.line) for name in names]
        self._map()

    def reset(self) -> None:
        """As after power-on."""
        self.tree.reset()
        self.ports.reset()
        self.core_registers.reset()
        for usart in self._usarts:
            usart.bank.reset()
        self._rested = 0
        self._show_memories()

    def rest(self, seconds: float) -> None:
        """Time that has passed without an instruction; at most LONGEST_IDLE_S of it is told."""
        self._rested += int(min(seconds, LONGEST_IDLE_S) * self.tree.frequencies().cpu)

    @property
    def is_led_on(self) -> bool:
        """Whether the board's LED shines; a board without one never says that something is wrong."""
        return self.hardware.led is None or self.ports.is_driven(self.hardware.led, self.hardware.led_on_high)

    def _rest(self) -> None:
        """The program waits for its host: what it has to have set up by then is looked at."""
        self.core_registers.check_running()
        self._core.stop()

    def _cycles(self) -> int:
        return self._core.instructions + self._rested

    def _identity(self) -> Bank:
        base = 0x5C00_1000 if self.hardware.mcu.startswith("STM32H7") else 0xE004_2000
        return Bank("DBGMCU", base, 0x400, {"IDCODE": Register(0, 0x2003_0000 | self.hardware.device_id, 0, 0xFFFF_FFFF)}, "DBGMCU")

    def _map(self) -> None:
        pages: dict[int, list[Bank]] = defaultdict(list)
        known = [*self.tree.banks, *self.ports.banks.values(), self._identity(), self.core_registers.scs, self.core_registers.dwt]
        for bank in [*known, *(usart.bank for usart in self._usarts)]:
            pages[bank.base & -PAGE].append(bank)
        for page, banks in pages.items():
            self._map_page(page, banks)

    def _map_page(self, page: int, banks: list[Bank]) -> None:
        def find(offset: int) -> tuple[Bank, int]:
            for bank in banks:
                if bank.base <= page + offset < bank.base + bank.size:
                    return bank, page + offset - bank.base
            raise RuleBroken(f"there is no peripheral at {page + offset:#010x}", "memory map")

        def read(offset: int, size: int) -> int:
            try:
                bank, inside = find(offset)
                return bank.read(inside, size)
            except RuleBroken as broken:
                self._core.fail(str(broken))
                return 0

        def write(offset: int, size: int, value: int) -> None:
            try:
                bank, inside = find(offset)
                bank.write(inside, size, value)
                self._show_memories()
            except RuleBroken as broken:
                self._core.fail(str(broken))

        self._core.add_peripheral(page, PAGE, read, write)

    def _show_memories(self) -> None:
        """Memories with clocks of their own are there while these are on."""
        place = SRAM_START
        for number, kib in enumerate(SRAMS.get(self.hardware.mcu[:9], ()), 1):
            register, bit = self.tree.enable_of(f"SRAM{number}")
            self._core.show(place, kib * 1024, bool(self.tree.rcc[register] >> bit & 1))
            place += kib * 1024
