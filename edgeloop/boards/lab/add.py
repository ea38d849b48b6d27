"""Entries of lab.yaml for the boards that are attached: an ST-LINK tells by the label of its disk which board it is on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.config import Lab, LabBoard, load_lab
from edgeloop.boards.lab.find import find, what_is_there
from edgeloop.boards.lab.kinds import kind_of_disk, kinds
from edgeloop.boards.lab.usb import UsbDevice, usb_devices
from edgeloop.errors import BoardAbsent, InputError
from edgeloop.files import read_text, write_text
from edgeloop.names import RULE, is_name
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import changed, near_match, parse_yaml, save

NEW_FILE = "# The boards of this lab: docs/lab.md.\n\nboards:\n"
_PART = re.compile(r"[fhlnu]\d{3}")


@dataclass(frozen=True)
class Wanted:
    """What a user says of the board that is to be added; what is not said is found out."""

    name: str | None = None
    kind: str | None = None
    probe: str | None = None
    """The serial number of its probe; None: whichever is attached."""


@dataclass(frozen=True)
class Attached:
    """A board that is attached."""

    device: UsbDevice
    kind: str | None
    """None where nobody knows which board it is."""
    name: str | None
    """Its name in lab.yaml, as it was, or is now."""
    written: str | None = None
    """The line that was written; None: none was."""

    def in_words(self) -> str:
        """For people."""
        if self.written is not None:
            return f"lab.yaml has now: {self.written}\n  {self.device}"
        if self.name is not None:
            return f"lab.yaml has it already: {self.name}\n  {self.device}"
        remedy = f"edgeloop boards add --probe {self.device.serial} --kind KIND"
        return f"not written, because its ST-LINK does not tell which board it is: {remedy}\n  {self.device}"


def add_boards(workspace: Workspace, wanted: Wanted, root: Path = Path("/")) -> list[Attached]:
    """Write an entry for each board that is attached and has none; returns all that are attached, or the one that is wanted.

    With one board attached the entry needs no `find`; with several it has the probe's serial number.

    Raises:
        BoardAbsent: no probe is attached, or not the one that is wanted.
        InputError: the name is taken or cannot be one, there is no such kind, nobody knows which board it is, or an entry
            without `find` may mean several of them.
        ConfigError: lab.yaml cannot be read.
    """
    lab, probes = load_lab(workspace), _probes(root)
    meant = [probe for probe in probes if wanted.probe in (None, probe.serial)]
    if not meant:
        raise BoardAbsent(f"No debug probe with the serial number {wanted.probe} is attached.", what_is_there(probes, root))
    there = [Attached(probe, wanted.kind or kind_of_disk(probe.disk), _name_of(probe, lab, probes, workspace, root)) for probe in meant]
    new = [board for board in there if board.name is None]
    _check_wanted(wanted, lab, new)
    _check_known(new)
    entries = _entries(lab, wanted.name, [board for board in new if board.kind], alone=len(probes) == 1)
    _write(workspace, dict(entries.values()))
    return [_shown(board, *entries[board.device.location]) if board.device.location in entries else board for board in there]


def _probes(root: Path) -> list[UsbDevice]:
    devices = usb_devices(root)
    if not (probes := [device for device in devices if device.probe]):
        raise BoardAbsent("No debug probe is attached, so there is no board to add.", what_is_there(devices, root))
    return probes


def _name_of(device: UsbDevice, lab: Lab, probes: Sequence[UsbDevice], workspace: Workspace, root: Path) -> str | None:
    """The board of lab.yaml that a device is; None: none. An entry of another lab that has no `find` means a board there."""
    for board in (board for board in lab.all() if board.entry.lab is None or board.ways != ["alone"]):
        try:
            found = find(board, workspace.root, root).device
        except BoardAbsent as absent:
            found = _without_find(board, probes, absent)
        if found is not None and found.location == device.location:
            return board.name
    return None


def _without_find(board: LabBoard, probes: Sequence[UsbDevice], absent: BoardAbsent) -> UsbDevice | None:
    """The probe that an entry without `find` meant before others were attached: the only one whose disk tells of its kind."""
    if board.ways != ["alone"]:
        return None
    fitting = [probe for probe in probes if probe.serial not in board.others and kind_of_disk(probe.disk) == board.entry.kind]
    if len(fitting) > 1:
        what = f"{board.name} of lab.yaml has no `find`, and several of the boards that are attached may be it."
        raise InputError(what, f"Give it one, then add the others. {absent.what} {absent.remedy}")
    return fitting[0] if fitting else None


def _check_wanted(wanted: Wanted, lab: Lab, new: Sequence[Attached]) -> None:
    """Whether name and kind can be those of the board that is to be added."""
    able = [name for name, kind in kinds().items() if DRIVERS[kind.driver].found_alone]
    if wanted.kind is not None and wanted.kind not in able:
        raise InputError(f"There is no kind '{wanted.kind}' of boards with a debug probe{near_match(wanted.kind, able)}.", "docs/lab.md")
    if wanted.name is not None and not is_name(wanted.name):
        raise InputError(f"'{wanted.name}' cannot be a board's name.", f"{RULE[0].upper()}{RULE[1:]}.")
    if wanted.name is not None and new and _is_taken(wanted.name, lab.boards):
        raise InputError(f"lab.yaml has a board '{wanted.name}' already, which is another one.", "Give another name.")
    if (wanted.name or wanted.kind) and len(new) > 1:
        listed = "; ".join(str(board.device) for board in new)
        raise InputError(f"{len(new)} boards are to be added, and a name or a kind is that of one: {listed}.", "Say which: --probe SERIAL")


def _check_known(new: Sequence[Attached]) -> None:
    """Where only some are unknown, the others are written."""
    if new and not any(board.kind for board in new):
        listed = "; ".join(f"{board.device}, {board.device.disk or 'no disk'}" for board in new)
        known = ", ".join(name for name, kind in kinds().items() if DRIVERS[kind.driver].found_alone)
        what = f"The label of its ST-LINK's disk does not tell which board it is: {listed}."
        raise InputError(what, f"Say it: edgeloop boards add --kind KIND. Kinds: {known}.")


def _entries(lab: Lab, name: str | None, new: Sequence[Attached], *, alone: bool) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name and entry of each new board, by its USB place."""
    taken, entries = [*lab.boards], {}
    for board in new:
        assert board.kind is not None, "only those that are known"
        taken.append(name or next(short for short in _names(board.kind) if not _is_taken(short, taken)))
        if board.device.serial is None and not alone:
            raise InputError(f"{board.device} cannot be told from others.", "Detach the others, and add it alone.")
        entries[board.device.location] = taken[-1], _entry(board.kind, None if alone else board.device.serial)
    return entries


def _entry(kind: str, probe: str | None) -> dict[str, Any]:
    return _in_one_line({"kind": kind} | ({"find": _in_one_line({"probe": DoubleQuotedScalarString(probe)})} if probe else {}))


def _in_one_line(entry: Mapping[str, Any]) -> CommentedMap:
    line = CommentedMap(entry)
    line.fa.set_flow_style()
    return line


def _names(kind: str) -> Iterator[str]:
    """h747, h747-2, ... for stm32h747i-disco."""
    part = _PART.search(kind)
    short = part[0] if part else kind
    yield short
    number = 2
    while True:
        yield f"{short}-{number}"
        number += 1


def _is_taken(name: str, taken: Sequence[str] | Mapping[str, Any]) -> bool:
    return name.casefold() in [other.casefold() for other in taken]


def _write(workspace: Workspace, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Into lab.yaml, which is made with the boards of every lab where there is none."""
    if not entries:
        return
    if not workspace.lab.exists():
        write_text(workspace.lab, NEW_FILE + "".join(f"  {name}: {{kind: {name}}}\n" for name in load_lab(workspace).boards))
    text = changed(read_text(workspace.lab), lambda tree: tree["boards"].update(entries))
    parse_yaml(text, workspace.lab, Lab)
    save(workspace.lab, text)


def _shown(board: Attached, name: str, entry: Mapping[str, Any]) -> Attached:
    find = f', find: {{probe: "{board.device.serial}"}}' if "find" in entry else ""
    return Attached(board.device, board.kind, name, f"{name}: {{kind: {board.kind}{find}}}")
