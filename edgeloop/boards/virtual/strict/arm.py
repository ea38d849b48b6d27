"""The core's own registers: caches, FPU, memory protection, cycle counter. Armv7-M Architecture Reference Manual, Cortex-M7 TRM."""

from collections.abc import Callable

from edgeloop.boards.virtual.strict.bank import Bank, Register, RuleBroken, bits

ARM = "Armv7-M ARM"
UNLOCK = 0xC5AC_CE55
CCSIDR = {"STM32F7": 0xF00F_E019, "STM32H72": 0xF01F_E019, "STM32H74": 0xF00F_E019}
"""Data caches of 4 ways with lines of 32 bytes: 128 sets are 16 KiB, 256 sets are 32 KiB."""
FULL_ACCESS = 0xF << 20
EXTERNAL = 0x6000_0000
"""Below it are code, memories and peripherals (Armv7-M ARM, B3.1, system address map)."""


class CoreRegisters:
    """System control space and DWT. `cycles` is what the counter counts."""

    def __init__(self, mcu: str, is_m7: bool, cycles: Callable[[], int]) -> None:
        self._is_m7, self._cycles = is_m7, cycles
        self._ccsidr = next((value for name, value in CCSIDR.items() if mcu.startswith(name)), 0)
        scs = {
            "CTR": Register(0xD7C),
            "VTOR": Register(0xD08, 0, 0xFFFF_FF80),
            "CCR": Register(0xD14, 0x200 if not is_m7 else 0x4_0200, 0x7_031B if is_m7 else 0x31B),
            "CPACR": Register(0xD88, 0, 0x00F0_0000),
            "DEMCR": Register(0xDFC, 0, 0x010F_07F1),
        }
        if is_m7:
            scs |= {"CCSIDR": Register(0xD80, self._ccsidr, 0, 0xFFFF_FFFF), "CSSELR": Register(0xD84, 0, 0xF)}
            scs |= {"ICIALLU": Register(0xF50), "DCISW": Register(0xF60)}
            scs |= {"MPU_CTRL": Register(0xD94, 0, 7), "MPU_RNR": Register(0xD98, 0, 0xFF)}
            scs |= {"MPU_RBAR": Register(0xD9C), "MPU_RASR": Register(0xDA0, 0, 0x173F_FF3F)}
        self.scs = Bank("SCS", 0xE000_E000, 0x1000, scs, ARM)
        dwt = {"CTRL": Register(0x000, 0x4000_0000, 0x007F_1FFF), "CYCCNT": Register(0x004)}
        # On the Cortex-M4 nothing is locked, and nothing is at this address: writes to it are ignored (B4.1, reserved locations).
        dwt["LAR"] = Register(0xFB0)
        self.dwt = Bank("DWT", 0xE000_1000, 0x1000, dwt, ARM)
        self.scs.on_write, self.dwt.on_read, self.dwt.on_write = self._write_scs, self._read_dwt, self._write_dwt
        self.reset()

    def reset(self) -> None:
        """As after power-on."""
        self.scs.reset()
        self.dwt.reset()
        self._invalidated: set[int] = set()
        self._is_clean_i, self._is_unlocked, self._counter = False, not self._is_m7, 0

    @property
    def has_fpu_on(self) -> bool:
        """Whether code may use the FPU."""
        return self.scs["CPACR"] & FULL_ACCESS == FULL_ACCESS

    def check_running(self) -> None:
        """What must be on when a program begins to work."""
        if not self.has_fpu_on:
            raise RuleBroken("code with floats would fault: the FPU is off", f"{ARM}, CPACR")
        if self._is_m7 and bits(self.scs["CCR"], 16, 2) != 3:
            raise RuleBroken("a cache is off, and what is measured is another part", f"{ARM}, CCR, IC and DC")

    def _write_scs(self, name: str, old: int, new: int) -> None:
        if name == "ICIALLU":
            self._is_clean_i = True
        elif name == "DCISW":
            self._invalidated.add(new)
        elif name == "MPU_RASR" and bits(new, 0):
            self._check_region(self.scs["MPU_RBAR"] & ~0x1F, 1 << (bits(new, 1, 5) + 1), bits(new, 24, 3))
        elif name == "CCR" and bits(new & ~old, 17) and not self._is_clean_i:
            raise RuleBroken("the instruction cache is switched on with what it held", f"{ARM}, B4.8 (initialization of caches)")
        elif name == "CCR" and bits(new & ~old, 16) and len(self._invalidated) < 4 * (bits(self._ccsidr, 13, 15) + 1):
            what = f"the data cache is switched on, and {len(self._invalidated)} of its lines were made invalid"
            raise RuleBroken(what, f"{ARM}, B4.8 (initialization of caches)")

    def _check_region(self, begin: int, size: int, access: int) -> None:
        """A region lies at a multiple of its size: lower bits of its address are taken as 0."""
        if begin % size:
            raise RuleBroken(f"a region of {size:#x} bytes is set to {begin:#010x}, which is no multiple of that", f"{ARM}, MPU_RBAR")
        if not access and begin < EXTERNAL:
            raise RuleBroken(f"a region without access lies at {begin:#010x}, where the part is", f"{ARM}, MPU_RASR")

    def _read_dwt(self, name: str, value: int) -> int:
        is_counting = bits(self.scs["DEMCR"], 24) and bits(self.dwt["CTRL"], 0)
        return self._cycles() & 0xFFFF_FFFF if name == "CYCCNT" and is_counting else value

    def _write_dwt(self, name: str, old: int, new: int) -> None:
        if name == "LAR":
            self._is_unlocked = self._is_unlocked or new == UNLOCK
        elif not self._is_unlocked and old != new:
            raise RuleBroken(
                f"DWT_{name} is written while the unit is locked, and the write is lost", "Cortex-M7 TRM, DWT lock access register"
            )
