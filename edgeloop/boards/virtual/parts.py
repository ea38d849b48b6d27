"""Parts that the virtual board can be: cores, memories and serial ports of real microcontrollers, as data.

Sources: reference manuals RM0399 (STM32H745/755 and H747/757) and RM0090 (STM32F405), memory maps and USART registers;
Arm application note AN400/AN500 for the MPS2 image that QEMU calls mps2-an500.
"""

from dataclasses import dataclass
from enum import StrEnum

from edgeloop.errors import InputError

KIB = 1024


@dataclass(frozen=True)
class Region:
    """A memory of the part."""

    name: str
    start: int
    size: int
    writable: bool = True

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.start + self.size


class UartKind(StrEnum):
    """How a serial port's registers are laid out; the firmware has one driver for each."""

    STM32H7 = "stm32h7"
    """ISR 0x1c, ICR 0x20, RDR 0x24, TDR 0x28 (RM0399, USART)."""
    STM32F4 = "stm32f4"
    """SR 0x00, DR 0x04 (RM0090, USART)."""
    CMSDK = "cmsdk"
    """DATA 0x00, STATE 0x04 (Arm Cortex-M System Design Kit, APB UART)."""


class CounterKind(StrEnum):
    """What the firmware counts cycles with."""

    DWT = "dwt"
    """DWT->CYCCNT, 32 bits, one tick for each cycle."""
    SYSTICK = "systick"
    """SysTick, 24 bits, downwards; for QEMU, whose DWT does not count."""


@dataclass(frozen=True)
class Part:
    """One microcontroller. `data`, `stack` and `spares` name the memories that the firmware puts things into."""

    name: str
    title: str
    core: str
    """As Arm writes it in lower case: cortex-m4, cortex-m7."""
    device_id: int
    """DBGMCU_IDCODE's lower 12 bits, as the protocol reports it."""
    series: int
    """The protocol's number of the series: 1 F4, 3 H7 (top byte of the cache word)."""
    clock_hz: int
    bus_hz: int
    flash: Region
    memories: tuple[Region, ...]
    data: str
    """Variables and the network's arena."""
    stack: str
    """The stack lies at this memory's very beginning: one that overflows leaves the memory, and faults."""
    spares: tuple[str, ...]
    """What is left of these memories keeps what layers compute, for runs that send it."""
    uart: UartKind
    uart_base: int
    counter: CounterKind = CounterKind.DWT
    cycles_per_tick: int = 1

    @property
    def regions(self) -> tuple[Region, ...]:
        """All memories, flash first."""
        return (self.flash, *self.memories)

    def memory(self, name: str) -> Region:
        """The memory of that name."""
        return next(region for region in self.regions if region.name == name)


STM32H747 = Part(
    name="stm32h747",
    title="STM32H747XI, Cortex-M7",
    core="cortex-m7",
    device_id=0x450,
    series=3,
    clock_hz=400_000_000,
    bus_hz=200_000_000,
    flash=Region("FLASH", 0x0800_0000, 2048 * KIB, writable=False),
    memories=(
        Region("ITCM", 0x0000_0000, 64 * KIB),
        Region("DTCM", 0x2000_0000, 128 * KIB),
        Region("AXI_SRAM", 0x2400_0000, 512 * KIB),
        Region("SRAM123", 0x3000_0000, 288 * KIB),
        Region("SRAM4", 0x3800_0000, 64 * KIB),
    ),
    data="AXI_SRAM",
    stack="DTCM",
    # Not ITCM: at its first address there is, in C, nothing.
    spares=("AXI_SRAM", "SRAM123", "DTCM", "SRAM4"),
    uart=UartKind.STM32H7,
    uart_base=0x4001_1000,
)

STM32F405 = Part(
    name="stm32f405",
    title="STM32F405RG, Cortex-M4",
    core="cortex-m4",
    device_id=0x413,
    series=1,
    clock_hz=168_000_000,
    bus_hz=168_000_000,
    flash=Region("FLASH", 0x0800_0000, 1024 * KIB, writable=False),
    memories=(Region("CCM", 0x1000_0000, 64 * KIB), Region("SRAM", 0x2000_0000, 128 * KIB)),
    data="SRAM",
    stack="CCM",
    spares=("SRAM", "CCM"),
    uart=UartKind.STM32F4,
    uart_base=0x4001_1000,
)

MPS2_AN500 = Part(
    name="mps2-an500",
    title="Arm MPS2 AN500, Cortex-M7",
    core="cortex-m7",
    device_id=0x500,
    series=0,
    # With -icount shift=0 QEMU takes one nanosecond for each instruction, and its SysTick counts at 25 MHz.
    clock_hz=1_000_000_000,
    bus_hz=25_000_000,
    flash=Region("FLASH", 0x0000_0000, 4096 * KIB, writable=False),
    memories=(Region("SSRAM", 0x2000_0000, 4096 * KIB),),
    data="SSRAM",
    stack="SSRAM",
    spares=("SSRAM",),
    uart=UartKind.CMSDK,
    uart_base=0x4000_4000,
    counter=CounterKind.SYSTICK,
    cycles_per_tick=40,
)

PARTS = {part.name: part for part in (STM32H747, STM32F405, MPS2_AN500)}


def find_part(name: str) -> Part:
    """The part of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PARTS:
        raise InputError(f"There is no virtual part {name!r}.", f"Take one of: {', '.join(PARTS)}.")
    return PARTS[name]
