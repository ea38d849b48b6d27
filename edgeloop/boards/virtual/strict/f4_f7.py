"""Clocks, voltage and flash memory of the STM32F405 (RM0090), F446 (RM0390), F767 and F769 (RM0410)."""

from collections.abc import Callable
from dataclasses import dataclass

from edgeloop.boards.virtual.strict.bank import Bank, Register, RuleBroken, bits
from edgeloop.boards.virtual.strict.clocks import AHB_DIVIDERS, APB_DIVIDERS, MHZ, ClockTree, Frequencies, needed, only_while_off, within
from edgeloop.boards.virtual.strict.hardware import Hardware

HSI_HZ = 16 * MHZ
HSI, HSE, PLL = 0, 1, 2
WAIT_STATE_MHZ = range(30, 300, 30)
"""At 2.7 to 3.6 V every wait state is good for 30 MHz ("relation between CPU clock frequency and flash memory read time")."""
MCO_HSE = 1 << 18


@dataclass(frozen=True)
class _Limits:
    manual: str
    hclk: dict[int, int]
    """MHz by voltage scale, without over-drive (PWR, voltage regulator)."""
    overdriven: dict[int, int]
    apb1: float
    apb2: float
    latency_bits: int
    accelerator: int
    """Bits of FLASH_ACR besides the wait states."""


_F405 = _Limits("RM0090", {1: 168, 2: 144}, {}, 42, 84, 3, 0x1F00)
_F446 = _Limits("RM0390", {1: 168, 2: 144, 3: 120}, {1: 180, 2: 168}, 45, 90, 4, 0x1F00)
_F76X = _Limits("RM0410", {1: 180, 2: 168, 3: 144}, {1: 216, 2: 180}, 54, 108, 4, 0x0B00)
_LIMITS = {"STM32F405": _F405, "STM32F446": _F446, "STM32F767": _F76X, "STM32F769": _F76X}


class F4F7Clocks(ClockTree):
    """The part's clocks; `hardware` says what is soldered to it."""

    def __init__(self, hardware: Hardware, now: Callable[[], int]) -> None:
        super().__init__(now)
        self._hardware = hardware
        self._limits = limits = _LIMITS[hardware.mcu[:9]]
        self._is_f405, self._is_f7 = limits is _F405, limits is _F76X
        pll_r = 0 if self._is_f405 else 0x7000_0000
        registers = {
            "CR": Register(0x00, 0x83, 0x0F0F_FFFB if self._is_f405 else 0x3F0F_FFFB, 0x2A02_FF02),
            "PLLCFGR": Register(0x04, 0x2400_3010, 0x0F43_7FFF | pll_r),
            "CFGR": Register(0x08, 0, 0xFFFF_FCFF, 0xC),
            "AHB1ENR": Register(0x30, 0x0010_0000, 0x7EFF_FFFF),
            "APB1ENR": Register(0x40, 0x400 if self._is_f7 else 0),
            "APB2ENR": Register(0x44),
        }
        if self._is_f7:
            registers["DCKCFGR2"] = Register(0x90, 0, 0x7FFF_FFFF)
        vos = 0x4000 if self._is_f405 else 0xC000
        overdrive = (0xF_0000 if self._is_f7 else 0x3F_0000) if limits.overdriven else 0
        pwr = {
            "CR1": Register(0x00, vos, 0x3FFF | vos | overdrive),
            "CSR1": Register(0x04, 0, 0x0000_0380, 0x000F_400F),
        }
        self._rcc = Bank("RCC", 0x4002_3800, 0x400, registers, limits.manual)
        self._pwr = Bank("PWR", 0x4000_7000, 0x400, pwr, limits.manual)
        acr = Register(0x00, 0, (1 << limits.latency_bits) - 1 | limits.accelerator)
        self._flash = Bank("FLASH", 0x4002_3C00, 0x400, {"ACR": acr}, limits.manual)
        self._rcc.on_read, self._rcc.on_write = self._read_rcc, self._write_rcc
        self._pwr.on_read, self._pwr.on_write = self._read_pwr, self._write_pwr
        self._flash.on_write = lambda _name, _old, new: self._check(acr=new)
        self._pwr.check_clock = lambda: self.check_on("PWR")

    @property
    def banks(self) -> tuple[Bank, ...]:
        return self._rcc, self._pwr, self._flash

    def frequencies(self) -> Frequencies:
        return self._frequencies(self._rcc["CFGR"])

    def enable_of(self, peripheral: str) -> tuple[str, int]:
        if peripheral.startswith("GPIO"):
            return "AHB1ENR", ord(peripheral[4]) - ord("A")
        known = {"PWR": ("APB1ENR", 28), "USART2": ("APB1ENR", 17), "USART3": ("APB1ENR", 18)}
        return (known | {"USART1": ("APB2ENR", 4), "USART6": ("APB2ENR", 5)})[peripheral]

    def uart_hz(self, name: str) -> int:
        bus = self.frequencies().apb[2 if name in ("USART1", "USART6") else 1]
        if not self._is_f7:
            return bus
        at = {"USART1": 0, "USART2": 2, "USART3": 4, "USART6": 10}[name]
        system = self._source_hz(bits(self._rcc["CFGR"], 0, 2))
        return (bus, system, HSI_HZ * bits(self._rcc["CR"], 0), 0)[bits(self._rcc["DCKCFGR2"], at, 2)]

    def _frequencies(self, cfgr: int) -> Frequencies:
        ahb = self._source_hz(bits(cfgr, 0, 2)) // AHB_DIVIDERS[bits(cfgr, 4, 4)]
        apb = {1: ahb // APB_DIVIDERS[bits(cfgr, 10, 3)], 2: ahb // APB_DIVIDERS[bits(cfgr, 13, 3)]}
        return Frequencies(ahb, ahb, apb)

    def _source_hz(self, selected: int) -> int:
        if selected == PLL:
            return self._pll_vco() // (2 * (bits(self._rcc["PLLCFGR"], 16, 2) + 1))
        return self._hardware.oscillator_hz if selected == HSE else HSI_HZ

    def _pll_reference(self) -> int:
        pllcfgr = self._rcc["PLLCFGR"]
        source = self._hardware.oscillator_hz if bits(pllcfgr, 22) else HSI_HZ
        return source // max(bits(pllcfgr, 0, 6), 1)

    def _pll_vco(self) -> int:
        return self._pll_reference() * bits(self._rcc["PLLCFGR"], 6, 9)

    def _is_oscillator_ready(self) -> bool:
        """A crystal does not swing with its amplifier bypassed; a clock from outside also gets through the amplifier."""
        fits = self._hardware.oscillator == "bypass" or (self._hardware.oscillator == "crystal" and not bits(self._rcc["CR"], 18))
        return fits and self.delays.is_ready("HSE")

    def _is_ready(self, selected: int) -> bool:
        return {HSI: bool(bits(self._rcc["CR"], 0)), HSE: self._is_oscillator_ready(), PLL: self.delays.is_ready("PLL")}.get(
            selected, False
        )

    def _read_rcc(self, name: str, value: int) -> int:
        self.note_read(name)
        if name == "CR":
            ready = (bits(value, 0) << 1) | (self._is_oscillator_ready() << 17) | (self.delays.is_ready("PLL") << 25)
            return value & ~0x0202_0002 | ready
        return value & ~0xC | bits(value, 0, 2) << 2 if name == "CFGR" else value

    def _write_rcc(self, name: str, old: int, new: int) -> None:
        if name == "CR":
            self._write_cr(old, new)
        elif name == "PLLCFGR":
            only_while_off(new != old, bool(bits(self._rcc["CR"], 24)), "the PLL's setting", self._cite("RCC_PLLCFGR"))
        elif name == "CFGR":
            self._write_cfgr(new)
        elif name.endswith("ENR"):
            self.note_enable(name, old, new)

    def _write_cr(self, old: int, new: int) -> None:
        used = bits(self._rcc["CFGR"], 0, 2)
        only_while_off(bool((old ^ new) & MCO_HSE), bool(bits(old, 16)), "the bypass of the HSE", self._cite("RCC_CR, HSEBYP"))
        for selected, bit in ((HSI, 0), (HSE, 16), (PLL, 24)):
            if used == selected and not bits(new, bit):
                raise RuleBroken("the clock that the core runs from is switched off", self._cite("RCC_CR"))
        if bits(new, 24) and not bits(old, 24):
            self._check_pll()
        self.delays.switch("HSE", bool(bits(new, 16)))
        self.delays.switch("PLL", bool(bits(new, 24)))

    def _check_pll(self) -> None:
        pllcfgr, source = self._rcc["PLLCFGR"], self._cite("RCC_PLLCFGR")
        if not self._is_ready(HSE if bits(pllcfgr, 22) else HSI):
            raise RuleBroken("the PLL is started before its source is ready", source)
        if bits(pllcfgr, 0, 6) < 2 or not 50 <= bits(pllcfgr, 6, 9) <= 432 or bits(pllcfgr, 24, 4) < 2:
            raise RuleBroken("PLLM, PLLN or PLLQ is outside its range", source)
        within(self._pll_reference(), 1 * MHZ, 2 * MHZ, "the PLL's input", source)
        within(self._pll_vco(), 100 * MHZ, 432 * MHZ, "the PLL's oscillator", source)
        within(self._pll_vco() // bits(pllcfgr, 24, 4), 0, 48 * MHZ, "the PLL's output for USB", source)

    def _write_cfgr(self, new: int) -> None:
        selected = bits(new, 0, 2)
        if not self._is_ready(selected):
            raise RuleBroken("the core is switched to a clock that is not ready", self._cite("RCC_CFGR, SW"))
        self._check(cfgr=new)

    def _read_pwr(self, name: str, value: int) -> int:
        if name == "CSR1":
            over = (self.delays.is_ready("OD") << 16) | (self.delays.is_ready("ODSW") << 17)
            return value | over | (self.delays.is_ready("PLL") << 14)
        return value

    def _write_pwr(self, name: str, old: int, new: int) -> None:
        if name != "CR1":
            return
        only_while_off(
            bool((old ^ new) & 0xC000), bool(bits(self._rcc["CR"], 24)), "the voltage scale, with the PLL,", self._cite("PWR_CR, VOS")
        )
        if bits(new, 17) and not self.delays.is_ready("OD"):
            raise RuleBroken("over-drive is switched to before it is ready", self._cite("PWR, entering over-drive mode"))
        if (old ^ new) & 0x3_0000 and bits(self._rcc["CFGR"], 0, 2) == PLL:
            raise RuleBroken("over-drive is changed while the core runs from the PLL", self._cite("PWR, entering over-drive mode"))
        self.delays.switch("OD", bool(bits(new, 16)))
        self.delays.switch("ODSW", bool(bits(new, 17)))

    def _scale(self) -> int:
        if self._is_f405:
            return 1 if bits(self._pwr["CR1"], 14) else 2
        return {3: 1, 2: 2}.get(bits(self._pwr["CR1"], 14, 2), 3)

    def _check(self, cfgr: int | None = None, acr: int | None = None) -> None:
        found = self._frequencies(self._rcc["CFGR"] if cfgr is None else cfgr)
        table = self._limits.overdriven if self.delays.is_ready("ODSW") else self._limits.hclk
        within(
            found.ahb, 0, table.get(self._scale(), 0) * MHZ, f"HCLK at voltage scale {self._scale()}", self._cite("PWR, voltage regulator")
        )
        within(found.apb[1], 0, int(self._limits.apb1 * MHZ), "APB1", self._cite("RCC_CFGR, PPRE1"))
        within(found.apb[2], 0, int(self._limits.apb2 * MHZ), "APB2", self._cite("RCC_CFGR, PPRE2"))
        states = bits(self._flash["ACR"] if acr is None else acr, 0, self._limits.latency_bits)
        if states < needed(found.ahb, WAIT_STATE_MHZ):
            what = f"HCLK is {found.ahb / MHZ:g} MHz with {states} wait states"
            raise RuleBroken(what, self._cite("FLASH, relation between CPU clock frequency and flash memory read time"))

    def _cite(self, section: str) -> str:
        return f"{self._limits.manual}, {section}"
