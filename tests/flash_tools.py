"""A desk with a board in miniature, and stand-ins for STM32_Programmer_CLI, openocd and pyOCD that reach it.

The three names are links to this file. Each takes the arguments that the real one takes (and refuses others), reads and
writes the board's flash memory, which is a file, and says what the real one says; `fault` breaks the board or its cable.

Where their words and exit codes are from:
- STM32_Programmer_CLI: banner of a connection and of writing: mbed-ce/mbed-os pull request 43 (v2.11.0), dmitrystu/sboot_stm32
  issue 23 (v2.4.0); `-r32`: ST's notes on the wireless stack (v2.3.0); no probe: stm32duino/Arduino_Core_STM32 issue 2466
  (v2.17.0); no target: osresearch/airbreak issue 59, community.st.com 865533; held in reset: DEV_TARGET_HELD_UNDER_RESET, as
  users of v2.1x and v2.2x report it for NRST held low; exit code 0 after a failure: several wrappers of the tool say so.
- openocd 0.12: its sources (stlink_usb.c, libusb_helper.c, startup.tcl, stm32h7x.c), and Debian's own binary where no probe is;
  LIBUSB_ERROR_ACCESS: techoverflow.net 2021/09/22; not halted: vsergeev/arm-bmw-sw issues 1 and 2.
- pyOCD 0.46: its sources (helpers.py, probe/stlink, cortex_m.py, loader.py, __main__.py), and itself where no probe is.

What they say on real hardware that nobody has put into public words is not here.
"""

import itertools
import json
import os
import re
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote

DESK = "EDGELOOP_TEST_DESK"
NO_TARGET = """Error: Unable to get core ID
Error: No STM32 target found! If your product embeds Debug Authentication, please perform a discovery using Debug Authentication"""
DOWNLOADED = """Erasing internal memory sector 0
Download in Progress:


File download complete
Time elapsed during download operation: 00:00:00.486
"""
DENIED = (
    "0000412 W [Errno 13] Access denied (insufficient permissions) while trying to get the STLink USB device configuration "
    "(VID=0483 PID=374e). This can probably be remedied with a udev rule. See <https://github.com/pyocd/pyOCD/tree/master/udev> "
    "for help. [usb]"
)
SERIAL = "003900393137510C39383538"
H7 = {"0x5c001000": 0x20036450, "0x5200201c": 0x1FEFAAF0}
"""An STM32H747's DBGMCU_IDC and FLASH_OPTSR_CUR: revision V, read-out protection of level 0."""
TOOLS = ("STM32_Programmer_CLI", "openocd", "pyocd")


@dataclass
class Desk:
    """One board on one probe. `registers` are all that its debugger can read, by address."""

    folder: str
    probe: str
    registers: dict[str, int]
    fault: str = ""
    """absent, ambiguous, forbidden, busy, reset, locked, smaller (bank 2 is not there), damaged (it writes, and not what it should)
    or outside (the firmware has a segment for another memory)."""
    exit_code: int = 1
    """Of a tool that failed."""
    bench: str = ""
    """HOST:PORT of the test bench (lab_bench.py) whose core starts with what is written here."""

    @property
    def flash(self) -> Path:
        """What is in its flash memory."""
        return Path(self.folder) / "flash"

    @property
    def log(self) -> Path:
        """The command lines, one a line."""
        return Path(self.folder) / "calls"

    def save(self) -> None:
        (Path(self.folder) / "desk.json").write_text(json.dumps(asdict(self)), encoding="utf-8")

    def install(self, *tools: str) -> Path:
        """The folder of programs that holds these tools only."""
        programs = Path(self.folder) / "bin"
        programs.mkdir(exist_ok=True)
        for tool in tools:
            program = programs / tool
            program.write_text(f'#!/bin/sh\nexec {quote(sys.executable)} -I -S {quote(__file__)} {tool} "$@"\n', encoding="utf-8")
            program.chmod(0o755)
        return programs

    def write(self, elf: Path) -> None:
        content = elf.read_bytes()
        self.flash.write_bytes(bytes(len(content)) if self.fault == "damaged" else content)
        if self.bench:
            host, _, port = self.bench.partition(":")
            with socket.create_connection((host, int(port)), timeout=90) as bench:
                bench.sendall(f"{json.dumps(['load', str(self.flash)])}\n".encode())
                assert bench.makefile().readline()

    def holds(self, elf: Path) -> bool:
        return self.flash.is_file() and self.flash.read_bytes() == elf.read_bytes()


def the_desk() -> Desk:
    return Desk(**json.loads((Path(os.environ[DESK]) / "desk.json").read_text(encoding="utf-8")))


class Ended(Exception):
    """The tool ends with a last word and an exit code."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def ends(desk: Desk, text: str) -> Ended:
    say(text)
    return Ended(desk.exit_code)


def programmer(desk: Desk, words: list[str]) -> None:
    say("      -------------------------------------------------------------------")
    say("                       STM32CubeProgrammer v2.17.0                  ")
    say("      -------------------------------------------------------------------\n")
    commands = [at for at, word in enumerate(words) if word.startswith("-")] + [len(words)]
    groups = [words[first:last] for first, last in itertools.pairwise(commands)]
    connect = groups.pop(0)
    assert connect[:2] == ["-c", "port=SWD"], connect
    options = dict(word.split("=") for word in connect[2:])
    assert set(options) == {"sn", "mode", "reset"} and (options["mode"], options["reset"]) == ("UR", "HWrst"), options
    if desk.fault == "absent":
        raise ends(desk, "Error: No debug probe detected.")
    if options["sn"] != desk.probe:
        raise ends(desk, "Error: Serial number not found")
    if desk.fault == "busy":
        raise ends(desk, "Error: ST-LINK error (DEV_CONNECT_ERR)")
    say(f"ST-LINK SN  : {desk.probe}\nST-LINK FW  : V3J15M7\nBoard       : --\nVoltage     : 3.27V")
    if desk.fault == "reset":
        raise ends(desk, "Error: ST-LINK error (DEV_TARGET_HELD_UNDER_RESET)")
    if desk.fault == "locked":
        raise ends(
            desk,
            NO_TARGET,
        )
    say("SWD freq    : 8000 KHz\nConnect mode: Under Reset\nReset mode  : Hardware reset\nDevice type : MCU\nBL Version  : --\n\n\n")
    for name, *rest in groups:
        if name == "-r32":
            address, size = int(rest[0], 16), rest[1]
            say(f"Reading 32-bit memory content\n  Size          : {size} Bytes\n  Address:      : 0x{address:08X}\n")
            say(f"0x{address:08X} : {desk.registers[f'0x{address:08x}']:08X} ")
        elif name == "-w":
            desk.write(Path(rest[0]))
            say(f"\n\nMemory Programming ...\nOpening and parsing file: {Path(rest[0]).name}\n\nErasing memory corresponding to segment 0:")
            say(DOWNLOADED)
        elif name == "-v":
            say("\nVerifying ...\n\n")
            elf = next(Path(group[1]) for group in groups if group[0] == "-w")
            if not desk.holds(elf):
                raise ends(
                    desk,
                    "Error: Data mismatch found at address 0x08000000 (byte = 0x00 instead of 0x7F)\nError: Download verification failed",
                )
            say("Download verified successfully \n\n")
        elif name == "-rst":
            say("MCU Reset\n\nSoftware reset is performed")
        else:
            raise AssertionError(f"the stand-in knows no {name}")


def openocd(desk: Desk, words: list[str]) -> None:
    say("Open On-Chip Debugger 0.12.0\nLicensed under GNU GPL v2\nFor bug reports, read\n\thttp://openocd.org/doc/doxygen/bugs.html")
    assert words[::2] == [word for word in words[::2] if word in ("-f", "-c")], words
    asked = words[1::2]
    assert asked[0] == "interface/stlink.cfg" and re.fullmatch(r"target/stm32[a-z0-9_]+\.cfg", asked[2]), asked
    assert asked[1] == f"adapter serial {desk.probe}" or desk.fault == "absent", asked
    for text in asked[3:]:
        if text == "init":
            _openocd_init(desk)
        elif found := re.fullmatch(r'echo "(0x[0-9A-F]{8}) : \[read_memory (0x[0-9A-F]{8}) 32 1\]"', text):
            say(f"{found[1]} : 0x{desk.registers[found[2].lower()]:x}")
        elif found := re.fullmatch(r"program \{(.*)\} verify reset exit", text):
            _openocd_program(desk, Path(found[1]))
        else:
            assert text in ("gdb_port disabled; tcl_port disabled; telnet_port disabled", "reset_config srst_only", "shutdown"), text


def _openocd_init(desk: Desk) -> None:
    say("Info : clock speed 1800 kHz")
    if desk.fault == "forbidden":
        say("Error: libusb_open() failed with LIBUSB_ERROR_ACCESS")
    if desk.fault == "busy":
        say("Error: libusb_claim_interface() failed with LIBUSB_ERROR_BUSY")
    if desk.fault in ("absent", "forbidden", "busy"):
        raise ends(desk, "Error: open failed\n\n")
    say("Info : STLINK V3J15M7 (API v3) VID:PID 0483:374E\nInfo : Target voltage: 3.271375")
    if desk.fault == "locked":
        raise ends(desk, "Error: init mode failed (unable to connect to the target)\n\n")


def _openocd_program(desk: Desk, elf: Path) -> None:
    _openocd_init(desk)
    if desk.fault == "reset":
        raise ends(desk, "Error: timed out while waiting for target halted\nembedded:startup.tcl:1813: Error: ** Unable to reset target **")
    say("** Programming Started **")
    if desk.fault == "smaller":
        raise ends(
            desk, "Error: this device has a single bank only\nError: auto_probe failed\n** Programming Failed **\nshutdown command invoked"
        )
    desk.write(elf)
    say("** Programming Finished **\n** Verify Started **")
    if not desk.holds(elf):
        raise ends(desk, "Error: checksum mismatch\n** Verify Failed **\nshutdown command invoked")
    say("** Verified OK **\n** Resetting Target **\nshutdown command invoked")


def pyocd(desk: Desk, words: list[str]) -> None:
    command, *rest = words
    assert command in ("commander", "load") and "auto_unlock=false" in rest, words
    if desk.fault == "forbidden":
        say(DENIED)
    if desk.fault == "ambiguous":
        raise ends(desk, f"More than one debug probe matches unique ID '{desk.probe}':")
    if desk.fault in ("absent", "forbidden"):
        raise ends(desk, f"No connected debug probe matches unique ID '{desk.probe}'\n0000651 E No target device available [load_cmd]")
    if desk.fault == "busy":
        raise ends(desk, "0000651 C Error: [Errno 16] Resource busy [__main__]")
    if desk.fault == "locked":
        raise ends(desk, "0000731 E Error while initing target: STLink error (9): Get IDCODE error [commander]")
    if command == "commander":
        for word in rest:
            if word.startswith("read32 "):
                address = int(word.split()[1], 16)
                say(f"{address:08x}:  {desk.registers[f'0x{address:08x}']:08x}    |....|")
        return
    if desk.fault == "reset":
        say("0002711 W Timed out waiting for core to halt after reset (state is RESET) [cortex_m]")
        raise ends(desk, "0002720 C Memory transfer fault (AP fault) @ 0x20000000-0x20000003 [__main__]")
    elf, size = Path(rest[-1]), Path(rest[-1]).stat().st_size
    same = size if desk.holds(elf) else 0
    desk.write(elf)
    say(f"0001593 I Loading {elf} [load_cmd]")
    if desk.fault == "outside":
        say("0001590 W Failed to add data chunk: no memory region defined for address 0x90000000 [file_programmer]")
    say(
        f"0001706 I Erased {size - same} bytes (1 sector), programmed {size - same} bytes (1 page), "
        f"identical {same} bytes (1 page) at 8.04 kB/s [loader]"
    )


def main(tool: str, *words: str) -> int:
    desk = the_desk()
    with desk.log.open("a", encoding="utf-8") as log:
        log.write(f"{tool} {' '.join(words)}\n")
    try:
        {"STM32_Programmer_CLI": programmer, "openocd": openocd, "pyocd": pyocd}[tool](desk, list(words))
    except Ended as end:
        return int(end.args[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
