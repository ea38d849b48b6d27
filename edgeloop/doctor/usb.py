"""Checks of USB devices, probes and serial ports: there, told apart, and open to this user."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from edgeloop.boards.lab.find import find
from edgeloop.boards.lab.usb import PART_IN_BOOT_LOADER, PROBES_IN_BOOT_LOADER, ST
from edgeloop.boards.lock import occupancy
from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine
from edgeloop.errors import BoardAbsent, BoardError

ST_LINK_V2 = "3748"
_PLUGGED_IN_ORDER = re.compile(r"/dev/tty(ACM|USB)\d+")
_BRAILLE = ("10c4:ea60", "1a86:7523", "0403:6001")
"""USB-to-serial chips that brltty takes for braille displays."""


def usb_there(machine: Machine) -> Iterator[Finding]:
    boards = [board.name for board in machine.boards("probe", "usb", "alone")]
    if boards and not (machine.root / "sys/bus/usb/devices").is_dir():
        yield found("no-usb", boards=", ".join(boards))


def boards_attached(machine: Machine) -> Iterator[Finding]:
    keys = defaultdict(list)
    for board in machine.boards("probe", "usb", "port", "alone"):
        try:
            keys[find(board, machine.start, machine.root).key].append(board.name)
        except BoardAbsent as absent:
            yield found("board-absent", board=board.name, reason=absent.what, remedy=absent.remedy)
    for key, names in keys.items():
        if len(names) > 1:
            yield found("same-device", boards=" and ".join(names), key=key)


def twins(machine: Machine) -> Iterator[Finding]:
    """Probes that have one serial number, or none, between them."""
    alike = defaultdict(list)
    for device in machine.devices:
        if device.probe:
            alike[device.ids, device.serial].append(device)
    for devices in alike.values():
        if len(devices) > 1:
            yield found("twins", devices="; ".join(map(str, devices)))


def names_that_stay(machine: Machine) -> Iterator[Finding]:
    for board in machine.boards("port"):
        if _PLUGGED_IN_ORDER.fullmatch(board.entry.find.port or ""):
            yield found("unstable-port-name", board=board.name, port=board.entry.find.port)


def probes(machine: Machine) -> Iterator[Finding]:
    for device in machine.devices:
        if device.vendor == ST and device.product in PROBES_IN_BOOT_LOADER:
            yield found("probe-in-boot-loader", device=device)
        elif device.vendor == ST and device.product == PART_IN_BOOT_LOADER:
            yield found("part-in-boot-loader", device=device)
        elif device.probe and not device.ports:
            yield found("probe-without-uart" if device.product == ST_LINK_V2 else "probe-without-port", device=device)


def port_permissions(machine: Machine) -> Iterator[Finding]:
    for port in _ports(machine):
        if not machine.may(port):
            group, is_member = machine.group_of(port)
            fault = "group-not-active" if is_member else "port-permission"
            yield found(fault, user=machine.user, port=port, group=group)


def probe_permissions(machine: Machine) -> Iterator[Finding]:
    for device in machine.devices:
        if device.probe and device.node.exists() and not machine.may(device.node):
            yield found("probe-permission", user=machine.user, node=device.node, device=device)


def ports_in_use(machine: Machine) -> Iterator[Finding]:
    """By others than the board's holder, whose right it is."""
    for board in machine.boards("probe", "usb", "port", "alone"):
        try:
            there = find(board, machine.start, machine.root)
            if there.endpoint is not None or occupancy(there.key).held:
                continue
        except BoardError:  # other checks say so
            continue
        openers = machine.openers(Path(there.address))
        if openers:
            holders = ", ".join(f"{name} (process {pid})" for pid, name in openers)
            yield found("port-in-use", board=board.name, port=there.address, holders=holders)


def meddlers(machine: Machine) -> Iterator[Finding]:
    """Programs that talk to new serial ports unasked."""
    adapters = [device for device in machine.devices if device.ids in _BRAILLE]
    attached = any(device.ports or device.probe for device in machine.devices)
    for pid, name in machine.processes():
        if name == "ModemManager" and attached:
            yield found("modem-manager", pid=pid)
        elif name == "brltty" and adapters:
            yield found("brltty", pid=pid, device=adapters[0])


def boot_switches(machine: Machine) -> Iterator[Finding]:
    for board in machine.lab.all():
        if board.kind.boot:
            yield found("boot-switches", board=board.name, how=board.kind.boot)


def _ports(machine: Machine) -> list[Path]:
    """The serial ports that boards of the lab may be at: those of probes, and those that lab.yaml names."""
    of_probes = [port.device for device in machine.devices if device.probe for port in device.ports]
    named = [Path(board.entry.find.port or "") for board in machine.boards("port") if "://" not in (board.entry.find.port or "")]
    return [port for port in dict.fromkeys([*of_probes, *named]) if port.exists()]


CHECKS = (
    Check("USB", usb_there),
    Check("boards that are attached", boards_attached),
    Check("probes that are alike", twins),
    Check("names of ports", names_that_stay),
    Check("state of probes", probes),
    Check("rights on serial ports", port_permissions),
    Check("rights on probes", probe_permissions),
    Check("ports in use", ports_in_use),
    Check("programs that meddle with ports", meddlers),
    Check("boot switches", boot_switches),
)
