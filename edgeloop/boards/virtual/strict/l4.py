"""Clocks, voltage and flash memory of the STM32L475 (RM0351)."""

from collections.abc import Callable

from edgeloop.boards.virtual.strict.bank import Bank, Register, RuleBroken, bits
from edgeloop.boards.virtual.strict.clocks import AHB_DIVIDERS, APB_DIVIDERS, MHZ, ClockTree, Frequencies, needed, only_while_off, within
from edgeloop.boards.virtual.strict.hardware import Hardware

MANUAL = "RM0351"
HSI_HZ = 16 * MHZ
MSI, HSI, HSE, PLL = 0, 1, 2, 3
MSI_KHZ = (100, 200, 400, 800, 1000, 2000, 4000, 8000, 16_000, 24_000, 32_000, 48_000)
HCLK_MHZ = {1: 80, 2: 26}
WAIT_STATE_MHZ = {1: (16, 32, 48, 64), 2: (6, 12, 18)}
"""By voltage range (FLASH, read access latency)."""


class L4Clocks(ClockTree):
    """The part's clocks."""

    def __init__(self, _hardware: Hardware, now: Callable[[], int]) -> None:
        super().__init__(now)
        registers = {
            "CR": Register(0x00, 0x63, 0x3F0F_0FFF, 0x2A02_0402),
            "CFGR": Register(0x08, 0, 0x7F00_BFFF, 0xC),
            "PLLCFGR": Register(0x0C, 0x1000, 0xFF73_7F73),
            "AHB2ENR": Register(0x4C, 0, 0x0007_7FFF),
            "APB1ENR1": Register(0x58),
            "APB2ENR": Register(0x60),
            "CCIPR": Register(0x88),
        }
        self._rcc = Bank("RCC", 0x4002_1000, 0x400, registers, MANUAL)
        self._pwr = Bank("PWR", 0x4000_7000, 0x400, {"CR1": Register(0x00, 0x200, 0x4707), "SR2": Register(0x14, 0, 0, 0xFF00)}, MANUAL)
        self._flash = Bank("FLASH", 0x4002_2000, 0x400, {"ACR": Register(0x00, 0x600, 0x7F07)}, MANUAL)
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
            return "AHB2ENR", ord(peripheral[4]) - ord("A")
        known = {"PWR": ("APB1ENR1", 28), "USART2": ("APB1ENR1", 17), "USART3": ("APB1ENR1", 18), "USART1": ("APB2ENR", 14)}
        return known[peripheral]

    def uart_hz(self, name: str) -> int:
        bus = self.frequencies().apb[2 if name == "USART1" else 1]
        selected = bits(self._rcc["CCIPR"], {"USART1": 0, "USART2": 2, "USART3": 4}[name], 2)
        return (bus, self._source_hz(bits(self._rcc["CFGR"], 0, 2)), HSI_HZ * bits(self._rcc["CR"], 8), 0)[selected]

    def _frequencies(self, cfgr: int) -> Frequencies:
        ahb = self._source_hz(bits(cfgr, 0, 2)) // AHB_DIVIDERS[bits(cfgr, 4, 4)]
        return Frequencies(ahb, ahb, {1: ahb // APB_DIVIDERS[bits(cfgr, 8, 3)], 2: ahb // APB_DIVIDERS[bits(cfgr, 11, 3)]})

    def _source_hz(self, selected: int) -> int:
        if selected == PLL:
            return self._vco() // (2 * (bits(self._rcc["PLLCFGR"], 25, 2) + 1))
        return {MSI: MSI_KHZ[bits(self._rcc["CR"], 4, 4) % 12] * 1000, HSI: HSI_HZ}.get(selected, 0)

    def _reference(self) -> int:
        pllcfgr = self._rcc["PLLCFGR"]
        source = {1: self._source_hz(MSI), 2: HSI_HZ}.get(bits(pllcfgr, 0, 2), 0)
        return source // (bits(pllcfgr, 4, 3) + 1)

    def _vco(self) -> int:
        return self._reference() * bits(self._rcc["PLLCFGR"], 8, 7)

    def _is_ready(self, selected: int) -> bool:
        # This board has no external oscillator.
        pll = self.delays.is_ready("PLL") and bool(bits(self._rcc["PLLCFGR"], 24))
        return {MSI: bool(bits(self._rcc["CR"], 0)), HSI: self.delays.is_ready("HSI"), PLL: pll}.get(selected, False)

    def _read_rcc(self, name: str, value: int) -> int:
        self.note_read(name)
        if name == "CR":
            return value & ~0x0200_0402 | bits(value, 0) << 1 | self.delays.is_ready("HSI") << 10 | self.delays.is_ready("PLL") << 25
        return value & ~0xC | bits(value, 0, 2) << 2 if name == "CFGR" else value

    def _write_rcc(self, name: str, old: int, new: int) -> None:
        if name == "CR":
            self._write_cr(old, new)
        elif name == "PLLCFGR":
            outputs = 0x0111_0000
            only_while_off(bool((old ^ new) & ~outputs), bool(bits(self._rcc["CR"], 24)), "the PLL's setting", f"{MANUAL}, RCC_PLLCFGR")
        elif name == "CFGR":
            if not self._is_ready(bits(new, 0, 2)):
                raise RuleBroken("the core is switched to a clock that is not ready", f"{MANUAL}, RCC_CFGR, SW")
            self._check(cfgr=new)
        elif "ENR" in name:
            self.note_enable(name, old, new)

    def _write_cr(self, old: int, new: int) -> None:
        used = bits(self._rcc["CFGR"], 0, 2)
        for selected, bit in ((MSI, 0), (HSI, 8), (PLL, 24)):
            if used == selected and not bits(new, bit):
                raise RuleBroken("the clock that the core runs from is switched off", f"{MANUAL}, RCC_CR")
        self.delays.switch("HSI", bool(bits(new, 8)))
        if bits(new, 24) and not bits(old, 24):
            self._check_pll()
        self.delays.switch("PLL", bool(bits(new, 24)))

    def _check_pll(self) -> None:
        pllcfgr, source = self._rcc["PLLCFGR"], f"{MANUAL}, RCC_PLLCFGR"
        ready = {1: bool(bits(self._rcc["CR"], 0)), 2: self.delays.is_ready("HSI")}.get(bits(pllcfgr, 0, 2), False)
        if not ready:
            raise RuleBroken("the PLL is started before its source is ready", source)
        if not 8 <= bits(pllcfgr, 8, 7) <= 86:
            raise RuleBroken("PLLN is outside its range", source)
        within(self._reference(), 4 * MHZ, 16 * MHZ, "the PLL's input", source)
        within(self._vco(), 64 * MHZ, 344 * MHZ, "the PLL's oscillator", source)
        within(self._source_hz(PLL), 8 * MHZ, 80 * MHZ, "the PLL's output", source)

    def _read_pwr(self, name: str, value: int) -> int:
        return value | self.delays.is_under_way("VOS") << 10 if name == "SR2" else value

    def _write_pwr(self, name: str, old: int, new: int) -> None:
        if name != "CR1":
            return
        if bits(new, 9, 2) not in (1, 2):
            raise RuleBroken("there is no such voltage range", f"{MANUAL}, PWR_CR1, VOS")
        if (old ^ new) & 0x600:
            self.delays.switch("VOS", False)
            self.delays.switch("VOS", True)
        self._check(cr1=new)

    def _check(self, cfgr: int | None = None, acr: int | None = None, cr1: int | None = None) -> None:
        found = self._frequencies(self._rcc["CFGR"] if cfgr is None else cfgr)
        scale = bits(self._pwr["CR1"] if cr1 is None else cr1, 9, 2)
        within(found.ahb, 0, HCLK_MHZ[scale] * MHZ, f"HCLK in voltage range {scale}", f"{MANUAL}, PWR, dynamic voltage scaling")
        states = bits(self._flash["ACR"] if acr is None else acr, 0, 3)
        if states < needed(found.ahb, WAIT_STATE_MHZ[scale]):
            raise RuleBroken(f"HCLK is {found.ahb / MHZ:g} MHz with {states} wait states", f"{MANUAL}, FLASH, read access latency")
