"""What all families' clocks have in common: oscillators and PLLs that need time, and buses with limits."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgeloop.boards.virtual.strict.bank import Bank, RuleBroken

MHZ = 1_000_000
START_INSTRUCTIONS = 400
"""How long an oscillator, a PLL or a regulator takes: so long that a program that does not wait is seen."""
AHB_DIVIDERS = (*(1,) * 8, 2, 4, 8, 16, 64, 128, 256, 512)
APB_DIVIDERS = (*(1,) * 4, 2, 4, 8, 16)


@dataclass(frozen=True)
class Frequencies:
    """In Hz, as the registers have them now."""

    cpu: int
    ahb: int
    apb: dict[int, int]


class Delays:
    """What was switched on is ready some instructions later."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._since: dict[str, int] = {}

    def switch(self, name: str, is_on: bool) -> None:
        """It is switched on (once; again changes nothing), or off."""
        if is_on:
            self._since.setdefault(name, self._now())
        else:
            self._since.pop(name, None)

    def is_ready(self, name: str) -> bool:
        """Whether it has been on for long enough."""
        return name in self._since and self._now() >= self._since[name] + START_INSTRUCTIONS

    def is_under_way(self, name: str) -> bool:
        """Whether it is on and not ready."""
        return name in self._since and not self.is_ready(name)

    def clear(self) -> None:
        """As after power-on."""
        self._since.clear()


class ClockTree(ABC):
    """RCC, PWR and FLASH of a family. After each write all of its limits hold, or a rule is broken."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.delays = Delays(now)
        self._unread: set[str] = set()

    @property
    @abstractmethod
    def banks(self) -> tuple[Bank, ...]:
        """RCC, PWR and FLASH."""

    @property
    def rcc(self) -> Bank:
        """Reset and clock control."""
        return self.banks[0]

    @abstractmethod
    def frequencies(self) -> Frequencies:
        """Of core and buses."""

    @abstractmethod
    def uart_hz(self, name: str) -> int:
        """What divides to the baud rate of that port; 0 where it is off."""

    @abstractmethod
    def enable_of(self, peripheral: str) -> tuple[str, int]:
        """The register of RCC and the bit that switch a peripheral on."""

    def reset(self) -> None:
        """As after power-on."""
        self.delays.clear()
        self._unread.clear()
        for bank in self.banks:
            bank.reset()

    def check_on(self, peripheral: str) -> None:
        """See that a peripheral has its clock, and has had it for as long as reading the register back takes."""
        register, bit = self.enable_of(peripheral)
        if not self.rcc[register] >> bit & 1:
            raise RuleBroken(f"{peripheral} is used while its clock is off", f"{self.rcc.manual}, RCC_{register}")
        if register in self._unread:
            what = f"{peripheral} is used right after its clock was switched on, without reading RCC_{register} back"
            raise RuleBroken(what, f"{self.rcc.manual}, RCC, clock enabling delays")

    def note_enable(self, register: str, old: int, new: int) -> None:
        """A clock enable register was written."""
        if new & ~old:
            self._unread.add(register)

    def note_read(self, register: str) -> None:
        """A register of RCC was read."""
        self._unread.discard(register)


def within(value: int, low: int, high: int, what: str, source: str) -> None:
    """A frequency in Hz has to lie in a range."""
    if not low <= value <= high:
        raise RuleBroken(f"{what} is {value / MHZ:g} MHz, not within {low / MHZ:g} to {high / MHZ:g} MHz", source)


def needed(frequency: int, limits: Iterable[int]) -> int:
    """How many of the limits (MHz, ascending) a frequency is above: wait states."""
    return sum(frequency > limit * MHZ for limit in limits)


def only_while_off(changed: bool, is_on: bool, what: str, source: str) -> None:
    """Some settings may only change while something is off."""
    if changed and is_on:
        raise RuleBroken(f"{what} is changed while it is on", source)
