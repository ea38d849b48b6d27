"""Firmware is written to a board with a flash tool: which probe, which part, and an error that names the cause where it fails.

Nothing is written before the part has said that it is the right one, and that its read-out protection is off.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from edgeloop import errors
from edgeloop.boards.lab.command import read_log, run_command
from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.lab.find import Found
from edgeloop.boards.lab.tools import Flasher, tools
from edgeloop.boards.lab.usb import UsbDevice
from edgeloop.boards.lock import Held
from edgeloop.errors import FlashError, ProbeAbsent, ProbeAmbiguous

DEVICE_ID = 0xFFF
SERIAL = re.compile("[0-9A-Za-z]+")
"""It becomes part of a command of openocd, and a device may call itself what it likes."""


def probe_of(board: LabBoard, found: Found, devices: Sequence[UsbDevice]) -> UsbDevice:
    """The debug probe that a board is flashed with: its own, or the only one of this machine where its serial port is another device's.

    Raises:
        ProbeAbsent: none is attached.
        ProbeAmbiguous: several are, or it has no serial number by which a tool would know it.
        FlashError: the board is on another machine.
    """
    if found.endpoint is not None:
        raise FlashError(
            f"{board.name} has no flash command, and its serial port is on another machine.",
            "Add `flash:` to its entry in lab.yaml, with a command that reaches that machine.",
        )
    probes = [found.device] if found.device and found.device.probe else [device for device in devices if device.probe]
    if not probes:
        raise ProbeAbsent(f"There is no debug probe to flash {board.name} with.", "Connect the board's ST-LINK connector: edgeloop doctor")
    if len(probes) > 1:
        listed = "; ".join(map(str, probes))
        raise ProbeAmbiguous(
            f"{len(probes)} debug probes are attached, and nothing says which one is that of {board.name}: {listed}.",
            'Find the board by its probe: find: {probe: "SERIAL NUMBER"} in lab.yaml.',
        )
    if not SERIAL.fullmatch(probes[0].serial or ""):
        raise ProbeAmbiguous(
            f"The debug probe of {board.name} has no serial number that a flash tool could be told: {probes[0]}.",
            "Update its firmware with ST's STM32CubeProgrammer, or write `flash:` in lab.yaml.",
        )
    return probes[0]


def flash_with(flasher: Flasher, board: LabBoard, probe: UsbDevice, parts: Mapping[str, str], log: Path, held: Held | None) -> None:
    """Look which part it is, write {elf}, verify it, and reset the part. The tool's whole output goes to `log`, which is begun anew.

    Raises:
        FlashError: of the class that says why, where the tool tells.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    if probe.node.exists() and not os.access(probe.node, os.R_OK | os.W_OK, effective_ids=True):
        raise fault("ProbeForbidden", flasher, board, f"It may not read and write {probe.node}.")
    if set(parts["elf"]) & set("{}\\"):
        raise FlashError(f"The path {parts['elf']} has a character that flash tools misread.", "Move the project to a folder without it.")
    for command in (flasher.look, *flasher.write):
        with _explained(flasher, board, log):
            run_command(command, parts, log, held)
            if command is flasher.look:
                check_target(flasher, board, read_log(log))
            _check_whole(flasher, read_log(log), parts["elf"])


def check_target(flasher: Flasher, board: LabBoard, said: str) -> None:
    """Judge what a tool read of the part.

    Raises:
        WrongPart: it is not the kind's.
        TargetProtected: its read-out protection is on.
        FlashError: the tool ended well and did not print it.
    """
    identity, protection = word_at(said, flasher.family.identity), word_at(said, flasher.family.protection[0])
    if identity is None or protection is None:
        raise FlashError(
            f"{flasher.tool.title} did not say which part is on {board.name}, and nothing was written.",
            f"Its output is in flash.log. Update it ({flasher.tool.get}), or write `flash:` in lab.yaml.",
        )
    if identity & DEVICE_ID != flasher.kind.device_id:
        raise fault("WrongPart", flasher, board, f"Its device id is 0x{identity & DEVICE_ID:x}, not 0x{flasher.kind.device_id:x}.")
    if flasher.family.is_protected(protection):
        raise fault("TargetProtected", flasher, board, f"Its option register says 0x{protection:08x}.")


def _check_whole(flasher: Flasher, said: str, elf: str) -> None:
    if lost := [line.strip() for line in said.splitlines() if any(text in line for text in flasher.tool.loses)]:
        raise FlashError(
            f"{flasher.tool.title} wrote a part of {elf} only: {lost[0]}",
            "It does not reach that memory. Flash this firmware with STM32CubeProgrammer and its external loader: `flash:` in lab.yaml.",
        )


def word_at(said: str, address: int) -> int | None:
    """The word that a tool printed for an address: `0x5C001000 : 10036450` and its likes."""
    found = re.findall(rf"\b(?:0x)?{address:08x}\s*:\s*(?:0x)?([0-9a-f]{{1,8}})\b", said, re.IGNORECASE)
    return int(found[-1], 16) if found else None


def fault(name: str, flasher: Flasher, board: LabBoard, words: str) -> FlashError:
    """A fault of tools.yaml as its error; `words` say how it was told."""
    known = {"tool": flasher.tool.title, "board": board.name, "probe": flasher.probe, "title": flasher.kind.title}
    told = tools().faults[name]
    made: FlashError = getattr(errors, name)(f"{told.what.format_map(known)} {words}", told.fix.format_map(known))
    return made


@contextmanager
def _explained(flasher: Flasher, board: LabBoard, log: Path) -> Iterator[None]:
    """A command's failure becomes the fault that its output tells, if it tells one."""
    begin = log.stat().st_size
    try:
        yield
    except FlashError as error:
        if type(error) is not FlashError:
            raise
        said = read_log(log, begin)
        name = next((name for name, texts in flasher.tool.says.items() if any(text in said for text in texts)), None)
        if name is None:
            raise
        raise fault(name, flasher, board, error.what) from error
