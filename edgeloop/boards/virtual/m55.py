"""A program for a Cortex-M55 with its vector instructions (Helium), run by QEMU: the emulator of core.py has no such core.

The machine is `mps3-an547`. Under `-icount shift=0` an executed instruction, a vector's or not, takes a nanosecond of its clock, and
SysTick counts down at 32 MHz, which START shows as `ticks_since`: so many times INSTRUCTIONS_PER_TICK instructions have been executed,
to one tick. They are no time: a Cortex-M55 takes two cycles for most vector instructions, and overlaps them.
"""

import os
import shutil
import struct
import subprocess
from pathlib import Path

from edgeloop.boards.virtual.elf import Program, read_program
from edgeloop.codegen.portable.bare import Memory
from edgeloop.codegen.toolchain import Cpu
from edgeloop.errors import BoardError, CoreFault
from edgeloop.shell import session

QEMU = "qemu-system-arm"
MACHINE = "mps3-an547"
START = Path(__file__).with_name("m55.c")
"""To be compiled with every program: the reset, and the functions by which a program reads and writes files of its folder."""
CPU = Cpu("cortex-m55", "hard")
FLASH = Memory(0x6000_0000, 16 << 20)
RAM = Memory(0x6100_0000, 16 << 20)
"""Both in the machine's DDR memory, of which code may be executed as well."""
SPARE = 0x6400_0000
"""Where a program may put what it likes: 64 MiB that nothing is linked to."""
INSTRUCTIONS_PER_TICK = 31.25
MOST_TICKS = 1 << 24
DEADLINE_S = 120.0
_STACK_TOP = RAM.start + RAM.size
_VECTORS = 16
_FAULT_STATUS, _HOST_STATUS = 254, 255


def is_here() -> bool:
    """Whether QEMU for Arm is installed."""
    return shutil.which(QEMU) is not None


def run_program(elf: Path, folder: Path, deadline_s: float = DEADLINE_S) -> int:
    """Run a program linked with START for FLASH and RAM; what its `start` returned, 0 .. 253. Its files are in `folder`.

    Raises:
        BoardError: QEMU is not installed, or was not done in time; or the program asked for a file that is not there.
        CoreFault: the program did what faults.
    """
    program, vectors = read_program(elf), folder / "vectors.bin"
    vectors.write_bytes(_vectors(program))
    loader = f"loader,file={vectors},addr=0x0,force-raw=on"
    machine = ["-M", MACHINE, "-icount", "shift=0", "-semihosting-config", "enable=on,target=native"]
    command = [QEMU, *machine, "-display", "none", "-monitor", "none", "-serial", "none", "-kernel", str(elf), "-device", loader]
    try:
        with session(command, os.environ, subprocess.DEVNULL, subprocess.PIPE, folder=folder) as process:
            _, words = process.communicate(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        raise BoardError(f"{elf.name} was not done in QEMU after {deadline_s:.0f} s.", "Look for a loop without an end.") from None
    except OSError as error:
        raise BoardError(f"{QEMU} does not start: {error.strerror}.", "Install the Debian package qemu-system-arm.") from error
    if process.returncode == _FAULT_STATUS:
        raise _fault(program, (folder / "fault").read_bytes())
    if process.returncode == _HOST_STATUS or words:
        what = f"{elf.name} could not go on in QEMU (exit status {process.returncode}): {words.decode(errors='replace').strip()}"
        raise BoardError(what, f"Check that its files are in {folder}.")
    return process.returncode


def _vectors(program: Program) -> bytes:
    """The stack, the reset, and one function for all exceptions; with the Thumb bit."""
    reset, fault = (program.symbols[name].address | 1 for name in ("reset", "fault"))
    return struct.pack(f"<{_VECTORS}I", _STACK_TOP, reset, *[fault] * (_VECTORS - 2))


def _fault(program: Program, words: bytes) -> CoreFault:
    counter, status, memory, bus = struct.unpack("<4I", words)
    what = (
        f"The program faulted in QEMU at {program.nearest(counter)} ({counter:#x}): CFSR {status:#x}, addresses {memory:#x} and {bus:#x}."
    )
    return CoreFault(what, "See CFSR in the Armv8-M Architecture Reference Manual.", counter)
