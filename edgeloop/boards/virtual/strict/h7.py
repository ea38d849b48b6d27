"""Clocks, supply, voltage and flash memory of the STM32H743 (RM0433), H747 (RM0399) and H723 (RM0468)."""

from collections.abc import Callable
from dataclasses import dataclass

from edgeloop.boards.virtual.strict.bank import Bank, Register, RuleBroken, bits
from edgeloop.boards.virtual.strict.clocks import AHB_DIVIDERS, APB_DIVIDERS, MHZ, ClockTree, Frequencies, needed, only_while_off, within
from edgeloop.boards.virtual.strict.hardware import Hardware

HSI_HZ = 64 * MHZ
HSI, CSI, HSE, PLL = 0, 1, 2, 3
BYPASS, LDO, SMPS = 1, 2, 4
AFTER_POWER_ON = LDO | SMPS
SCALE_OF = {3: 1, 2: 2, 1: 3}
PLL_INPUT_MHZ = ((1, 2), (2, 4), (4, 8), (8, 16))


@dataclass(frozen=True)
class _Limits:
    manual: str
    cpu: dict[int, float]
    """MHz by voltage scale (data sheets, general operating conditions)."""
    ahb: dict[int, float]
    """The same for AXI and AHB; APB is half of it."""
    wait_states: dict[int, tuple[int, ...]]
    """MHz of the AXI by scale, up to which 0, 1, … wait states do (FLASH, recommended number of wait states)."""
    programming: dict[int, tuple[int, ...]]
    """The same for WRHIGHFREQ."""


_H74X_STATES = {1: (70, 140, 210), 2: (55, 110, 165), 3: (45, 90, 135, 180)}
_H74X = {1: 400.0, 2: 300.0, 3: 200.0}
_H74X_AHB = {1: 200.0, 2: 150.0, 3: 100.0}
_H743 = _Limits("RM0433", _H74X, _H74X_AHB, _H74X_STATES, {1: (70, 185), 2: (55, 165), 3: (45, 135)})
_H747 = _Limits("RM0399", _H74X, _H74X_AHB, _H74X_STATES, {1: (70, 185), 2: (55, 165), 3: (45, 135)})
_H723_STATES = {0: (70, 140, 210), 1: (67, 133), 2: (50, 100), 3: (35, 70)}
# The core may run at 550 MHz where the option bit CPU_FREQ_BOOST is set, which it is not after a reset to factory values.
_H723_CPU, _H723_AHB = {0: 520.0, 1: 400.0, 2: 300.0, 3: 170.0}, {0: 275.0, 1: 200.0, 2: 150.0, 3: 85.0}
_H723 = _Limits("RM0468", _H723_CPU, _H723_AHB, _H723_STATES, _H723_STATES)
_LIMITS = {"STM32H743": _H743, "STM32H747": _H747, "STM32H723": _H723}


class H7Clocks(ClockTree):
    """The part's clocks; `hardware` says what is soldered to it."""

    def __init__(self, hardware: Hardware, now: Callable[[], int]) -> None:
        super().__init__(now)
        self._hardware, self._limits = hardware, _LIMITS[hardware.mcu[:9]]
        manual = self._limits.manual
        registers = {
            "CR": Register(0x00, 0x83, 0x3F0F_F3BF, 0x2A02_E124),
            "CFGR": Register(0x10, 0, 0xFFFC_FFFF, 0x38),
            "D1CFGR": Register(0x18, 0, 0xF7F),
            "D2CFGR": Register(0x1C, 0, 0x770),
            "D3CFGR": Register(0x20, 0, 0x70),
            "PLLCKSELR": Register(0x28, 0x0202_0200, 0x03F3_F3F3),
            "PLLCFGR": Register(0x2C, 0x01FF_0000, 0x01FF_0FFF),
            "PLL1DIVR": Register(0x30, 0x0101_0280, 0x7F7F_FFFF),
            "D2CCIP2R": Register(0x54, 0, 0x70F0_333F),
            "AHB2ENR": Register(0xDC),
            "AHB4ENR": Register(0xE0),
            "APB1LENR": Register(0xE8),
            "APB2ENR": Register(0xF0),
        }
        pwr = {
            "CSR1": Register(0x04, 0x4000, 0, 0x1_F010),
            "CR3": Register(0x0C, AFTER_POWER_ON, 0x0700_033F, 0x0400_0000),
            "D3CR": Register(0x18, 0x4000, 0xC000, 0x2000),
        }
        self._rcc = Bank("RCC", 0x5802_4400, 0x400, registers, manual)
        self._pwr = Bank("PWR", 0x5802_4800, 0x400, pwr, manual)
        self._flash = Bank("FLASH", 0x5200_2000, 0x400, {"ACR": Register(0x00, 0x37, 0x3F)}, manual)
        self._rcc.on_read, self._rcc.on_write = self._read_rcc, self._write_rcc
        self._pwr.on_read, self._pwr.on_write = self._read_pwr, self._write_pwr
        self._flash.on_write = lambda _name, _old, new: self._check(acr=new)
        self._is_supply_chosen = False

    @property
    def banks(self) -> tuple[Bank, ...]:
        return self._rcc, self._pwr, self._flash

    def reset(self) -> None:
        super().reset()
        chosen = self._hardware.supply_register
        self._is_supply_chosen = chosen is not None
        self._pwr.values["CR3"] = AFTER_POWER_ON if chosen is None else chosen
        self.delays.switch("SUPPLY", self._is_supply_chosen)

    def frequencies(self) -> Frequencies:
        return self._frequencies({})

    def enable_of(self, peripheral: str) -> tuple[str, int]:
        if peripheral.startswith("GPIO"):
            return "AHB4ENR", ord(peripheral[4]) - ord("A")
        known = {"USART2": ("APB1LENR", 17), "USART3": ("APB1LENR", 18), "USART1": ("APB2ENR", 4), "USART6": ("APB2ENR", 5)}
        return (known | {f"SRAM{number}": ("AHB2ENR", 28 + number) for number in (1, 2, 3)})[peripheral]

    def uart_hz(self, name: str) -> int:
        is_fast = name in ("USART1", "USART6")
        selected = bits(self._rcc["D2CCIP2R"], 3 if is_fast else 0, 3)
        return {0: self.frequencies().apb[2 if is_fast else 1], 3: HSI_HZ * bits(self._rcc["CR"], 0)}.get(selected, 0)

    def _frequencies(self, changed: dict[str, int]) -> Frequencies:
        values = self._rcc.values | changed
        cpu = self._source_hz(bits(values["CFGR"], 0, 3)) // AHB_DIVIDERS[bits(values["D1CFGR"], 8, 4)]
        ahb = cpu // AHB_DIVIDERS[bits(values["D1CFGR"], 0, 4)]
        codes = {
            1: bits(values["D2CFGR"], 4, 3),
            2: bits(values["D2CFGR"], 8, 3),
            3: bits(values["D1CFGR"], 4, 3),
            4: bits(values["D3CFGR"], 4, 3),
        }
        return Frequencies(cpu, ahb, {bus: ahb // APB_DIVIDERS[code] for bus, code in codes.items()})

    def _source_hz(self, selected: int) -> int:
        if selected == PLL:
            return self._vco() // (bits(self._rcc["PLL1DIVR"], 9, 7) + 1)
        return {HSI: HSI_HZ, CSI: 4 * MHZ, HSE: self._hardware.oscillator_hz}.get(selected, 0)

    def _reference(self) -> int:
        selected = self._rcc["PLLCKSELR"]
        divider = bits(selected, 4, 6)
        return self._source_hz(bits(selected, 0, 2)) // divider if divider else 0

    def _vco(self) -> int:
        return self._reference() * (bits(self._rcc["PLL1DIVR"], 0, 9) + 1)

    def _is_oscillator_ready(self) -> bool:
        """A crystal does not swing with its amplifier bypassed; a clock from outside also gets through the amplifier."""
        fits = self._hardware.oscillator == "bypass" or (self._hardware.oscillator == "crystal" and not bits(self._rcc["CR"], 18))
        return fits and self.delays.is_ready("HSE")

    def _is_ready(self, selected: int) -> bool:
        pll = self.delays.is_ready("PLL") and bool(bits(self._rcc["PLLCFGR"], 16))
        return {HSI: bool(bits(self._rcc["CR"], 0)), HSE: self._is_oscillator_ready(), PLL: pll}.get(selected, False)

    def _read_rcc(self, name: str, value: int) -> int:
        self.note_read(name)
        if name == "CR":
            ready = bits(value, 0) << 2 | self._is_oscillator_ready() << 17 | self.delays.is_ready("PLL") << 25
            return value & ~0x0202_0004 | ready
        return value & ~0x38 | bits(value, 0, 3) << 3 if name == "CFGR" else value

    def _write_rcc(self, name: str, old: int, new: int) -> None:
        if name == "CR":
            self._write_cr(old, new)
        elif name in ("PLLCKSELR", "PLL1DIVR"):
            only_while_off(old != new, bool(bits(self._rcc["CR"], 24)), "the PLL's setting", self._cite(f"RCC_{name}"))
        elif name == "PLLCFGR":
            only_while_off(bool((old ^ new) & 0x7_000F), bool(bits(self._rcc["CR"], 24)), "the PLL's setting", self._cite("RCC_PLLCFGR"))
        elif name in ("CFGR", "D1CFGR", "D2CFGR", "D3CFGR"):
            if name == "CFGR" and not self._is_ready(bits(new, 0, 3)):
                raise RuleBroken("the core is switched to a clock that is not ready", self._cite("RCC_CFGR, SW"))
            self._check({name: new})
        elif name.endswith("ENR"):
            self.note_enable(name, old, new)

    def _write_cr(self, old: int, new: int) -> None:
        used = bits(self._rcc["CFGR"], 0, 3)
        only_while_off(bool((old ^ new) & 1 << 18), bool(bits(old, 16)), "the bypass of the HSE", self._cite("RCC_CR, HSEBYP"))
        for selected, bit in ((HSI, 0), (HSE, 16), (PLL, 24)):
            if used == selected and not bits(new, bit):
                raise RuleBroken("the clock that the core runs from is switched off", self._cite("RCC_CR"))
        if bits(new, 24) and not bits(old, 24):
            self._check_pll()
        self.delays.switch("HSE", bool(bits(new, 16)))
        self.delays.switch("PLL", bool(bits(new, 24)))

    def _check_pll(self) -> None:
        config, source = self._rcc["PLLCFGR"], self._cite("RCC, PLL description and RCC_PLLCFGR")
        if not self._is_ready(bits(self._rcc["PLLCKSELR"], 0, 2)):
            raise RuleBroken("the PLL is started before its source is ready", source)
        low, high = PLL_INPUT_MHZ[bits(config, 2, 2)]
        within(self._reference(), low * MHZ, high * MHZ, "the PLL's input", source)
        is_medium, divider = bool(bits(config, 1)), bits(self._rcc["PLL1DIVR"], 9, 7) + 1
        if is_medium:
            within(self._reference(), 1 * MHZ, 2 * MHZ, "the input of the PLL's medium oscillator", source)
        within(self._vco(), *((150 * MHZ, 420 * MHZ) if is_medium else (192 * MHZ, 836 * MHZ)), "the PLL's oscillator", source)
        # An undivided output is of the H72x and H73x only.
        is_even = divider % 2 == 0 or (divider == 1 and self._limits is _H723)
        if bits(self._rcc["PLL1DIVR"], 0, 9) < 3 or not is_even:
            raise RuleBroken("DIVN1 or DIVP1 is a value that is not allowed", self._cite("RCC_PLL1DIVR"))

    def _read_pwr(self, name: str, value: int) -> int:
        if name == "CSR1":
            return value | self.delays.is_ready("SUPPLY") << 13
        return value | self.delays.is_ready("VOS") << 13 if name == "D3CR" else value

    def _write_pwr(self, name: str, old: int, new: int) -> None:
        if name == "CR3":
            self._choose_supply(old, new)
        elif name == "D3CR":
            if not self.delays.is_ready("SUPPLY"):
                raise RuleBroken("the voltage scale is set before the supply is ready", self._cite("PWR, system supply startup"))
            if (old ^ new) & 0xC000:
                self.delays.switch("VOS", False)
            self.delays.switch("VOS", True)
            self._check(d3cr=new)

    def _choose_supply(self, old: int, new: int) -> None:
        source = self._cite("PWR, system supply startup, PWR_CR3")
        if (old ^ new) & 0x3F and self._is_supply_chosen:
            raise RuleBroken("the supply is chosen a second time", source)
        wanted = SMPS if self._hardware.supply == "smps" else LDO
        if new & 0x3F != wanted:
            raise RuleBroken(
                f"the supply is set to {new & 0x3F:#x}, which this board has no parts for: it locks until a power cycle", source
            )
        self._is_supply_chosen = True
        self.delays.switch("SUPPLY", True)

    def _scale(self, d3cr: int) -> int:
        code = bits(d3cr, 14, 2)
        if code == 0 and 0 not in self._limits.cpu:
            raise RuleBroken("there is no such voltage scale", self._cite("PWR_D3CR, VOS"))
        return SCALE_OF.get(code, 0)

    def _check(self, changed: dict[str, int] | None = None, acr: int | None = None, d3cr: int | None = None) -> None:
        found = self._frequencies(changed or {})
        # A higher voltage counts once it is there, a lower one at once.
        voltage = self._scale(self._pwr["D3CR"] if d3cr is None else d3cr)
        if found.cpu > HSI_HZ and not self.delays.is_ready("VOS"):
            raise RuleBroken("the clock is raised before the voltage is ready", self._cite("PWR_D3CR, VOSRDY"))
        bus_limit, place = int(self._limits.ahb[voltage] * MHZ), f"at voltage scale {voltage}"
        source = self._cite("data sheet, general operating conditions; PWR, voltage scaling")
        within(found.cpu, 0, int(self._limits.cpu[voltage] * MHZ), f"the core's clock {place}", source)
        within(found.ahb, 0, bus_limit, f"AXI and AHB {place}", source)
        for bus, frequency in found.apb.items():
            within(frequency, 0, bus_limit // 2, f"APB{bus} {place}", source)
        self._check_flash(found.ahb, voltage, self._flash["ACR"] if acr is None else acr)

    def _check_flash(self, axi: int, voltage: int, acr: int) -> None:
        states, delay = bits(acr, 0, 4), bits(acr, 4, 2)
        enough = states >= needed(axi, self._limits.wait_states[voltage]) and delay >= needed(axi, self._limits.programming[voltage])
        if not enough:
            what = f"AXI is {axi / MHZ:g} MHz at voltage scale {voltage} with {states} wait states and a programming delay of {delay}"
            raise RuleBroken(what, self._cite("FLASH, recommended number of wait states and programming delay"))

    def _cite(self, section: str) -> str:
        return f"{self._limits.manual}, {section}"
