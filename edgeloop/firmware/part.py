"""What a firmware is built for: core, memories, serial port and, on a real board, clock tree, supply and pins."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from edgeloop.config import Positive, Section

KIB = 1024
MHZ = 1_000_000
AHB_DIVIDERS = {1: 0, 2: 8, 4: 9, 8: 10, 16: 11, 64: 12, 128: 13, 256: 14, 512: 15}
"""HPRE of every STM32, and PPRE below."""
APB_DIVIDERS = {1: 0, 2: 4, 4: 5, 8: 6, 16: 7}
Pin = Annotated[str, Field(pattern="^P[A-K]([0-9]|1[0-5])$")]


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
    """ISR 0x1c, ICR 0x20, RDR 0x24, TDR 0x28: F7, H7, L4 (RM0399, USART)."""
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


class Clock(Section):
    """How the core's clock is made: source / m * n / p, and the dividers of the buses."""

    source: Literal["crystal", "bypass", "hsi"]
    """The external oscillator with a crystal, the same driven from outside, or the internal one."""
    hz: Positive
    """Of the source."""
    m: Positive
    n: Positive
    p: Positive
    ahb: int
    apb1: int
    apb2: int
    apb3: int = 1
    apb4: int = 1

    @field_validator("ahb")
    @classmethod
    def _divides_ahb(cls, value: int) -> int:
        return _one_of(value, AHB_DIVIDERS)

    @field_validator("apb1", "apb2", "apb3", "apb4")
    @classmethod
    def _divides_apb(cls, value: int) -> int:
        return _one_of(value, APB_DIVIDERS)

    @property
    def vco_hz(self) -> int:
        """What the PLL's oscillator swings at."""
        return self.hz * self.n // self.m

    @property
    def system_hz(self) -> int:
        """What the PLL gives out."""
        return self.vco_hz // self.p


class Supply(Section):
    """How the core is supplied: from what, at which voltage scale (None: as after a reset), and whether it is overdriven (F4, F7)."""

    source: Literal["ldo", "smps"] = "ldo"
    scale: Annotated[int, Field(ge=0, le=3)] | None = None
    overdrive: bool = False


class Flash(Section):
    """Wait states of the flash memory and, on the H7, its programming delay (WRHIGHFREQ)."""

    wait_states: Annotated[int, Field(ge=0, le=15)]
    programming_delay: Annotated[int, Field(ge=0, le=3)] = 0


class Pins(Section):
    """The serial port's pins and their alternate function, and a LED that says that the firmware runs."""

    tx: Pin
    rx: Pin
    alternate: Annotated[int, Field(ge=0, le=15)]
    led: Pin | None = None
    led_on: Literal["high", "low"] = "high"


class Setup(Section):
    """All that a real board needs before it can say anything."""

    clock: Clock
    supply: Supply = Supply()
    flash: Flash
    enables: tuple[str, ...] = ()
    """Clocks of memories, as REGISTER.FIELD of RCC."""
    pins: Pins

    @model_validator(mode="after")
    def _uses_its_supply(self) -> "Setup":
        if self.supply.source == "smps" and self.supply.scale == 0:
            raise ValueError("with the SMPS there is no voltage scale 0")
        return self


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
    """The protocol's number of the series: 1 F4 and L4, 2 F7, 3 H7 (top byte of the cache word)."""
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
    mcu: str = ""
    """The part's name as its vendor writes it, for a real board: STM32H747XI."""
    family: str = "h7"
    """Names its registers: registers/FAMILY.yaml."""
    uart_name: str = "USART1"
    setup: Setup | None = None
    """None: it is emulated, and its clocks are assumed."""
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Where each fact is from, other than the reference manual alone."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """All memories, flash first."""
        return (self.flash, *self.memories)

    @property
    def is_emulated(self) -> bool:
        """Whether it exists in the emulator only."""
        return self.setup is None

    def memory(self, name: str) -> Region:
        """The memory of that name."""
        return next(region for region in self.regions if region.name == name)


def _one_of(value: int, known: dict[int, int]) -> int:
    if value not in known:
        raise ValueError(f"there is no such divider; take one of {', '.join(map(str, known))}")
    return value
