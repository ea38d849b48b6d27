"""From an entry of lab.yaml to a device: where it is now, and the key of its lock; or why it is not there.

The key names the device and not the entry: however two labs of a machine find a probe, they lock the same one.
"""

import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgeloop.boards.lab.config import LabBoard, Ssh
from edgeloop.boards.lab.kinds import kind_of_disk
from edgeloop.boards.lab.usb import PART_IN_BOOT_LOADER, PROBES_IN_BOOT_LOADER, ST, UsbDevice, usb_devices
from edgeloop.errors import BoardAbsent

REACH_S = 3.0
PORTS_OF_URLS = {"rfc2217": 2217, "socket": None}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Found:
    """A board that is attached."""

    key: str
    """The name of its lock."""
    address: str
    """Its serial port or URL, `user@host:port` for SSH, or nothing for what needs no address."""
    device: UsbDevice | None = None
    endpoint: tuple[str, int] | None = None
    """Host and port, where it is reached over a network."""

    @property
    def probe(self) -> str | None:
        """The serial number of its probe."""
        return self.device.serial if self.device else None


def find(board: LabBoard, project: Path, root: Path = Path("/")) -> Found:
    """Where the board is now. Nothing is opened; `reach` tries a network address.

    Raises:
        BoardAbsent: it is not attached, or cannot be told from another device.
    """
    how = board.entry.find
    if how.ssh is not None:
        return _over_ssh(how.ssh)
    if how.port is not None and "://" in how.port:
        return _at_url(how.port)
    if how.port is not None:
        return _at_port(how.port, root)
    if set(board.ways) & {"probe", "usb", "alone"}:
        return _attached(board, usb_devices(root), root)
    if board.entry.board is not None:
        return Found(f"{board.name} of {project.resolve()}", f"{board.entry.board} of ST's farm, which has a queue of its own")
    # This machine is one for all its users; an emulated board is the project's own.
    return Found(board.kind.driver if board.kind.driver == "host" else f"{board.name} of {project.resolve()}", "")


def reach(found: Found, deadline_s: float = REACH_S) -> None:
    """Connect to a board's network address once.

    Raises:
        BoardAbsent: nothing answers there.
    """
    if found.endpoint is None:
        return
    host, port = found.endpoint
    try:
        socket.create_connection((host, port), timeout=deadline_s).close()
    except socket.gaierror:
        raise BoardAbsent(f"The host {host} has no address.", "Correct its name in lab.yaml, or write the IP address.") from None
    except TimeoutError:
        raise BoardAbsent(
            f"{host} did not answer on port {port} within {deadline_s:.0f} s.", "Is it switched on and on this network?"
        ) from None
    except ConnectionRefusedError:
        what = f"{host} refuses connections on port {port}."
        raise BoardAbsent(what, "It is there, but nothing listens: start its SSH server or serial exporter, or correct the port.") from None
    except OSError as error:
        raise BoardAbsent(f"{host} cannot be reached on port {port}: {error.strerror}.", "Check the network.") from None


def _over_ssh(ssh: Ssh) -> Found:
    return Found(f"ssh {_host(ssh.host)}:{ssh.port}", str(ssh), endpoint=(ssh.host, ssh.port))


def _at_url(url: str) -> Found:
    parts = urlsplit(url)
    if parts.scheme not in PORTS_OF_URLS:
        known = ", ".join(f"{name}://HOST:PORT" for name in PORTS_OF_URLS)
        raise BoardAbsent(f"'{url}' is no serial port's address.", f"Write the path of a port, or one of: {known}.")
    port = parts.port or PORTS_OF_URLS[parts.scheme]
    if not parts.hostname or port is None:
        raise BoardAbsent(f"'{url}' names no host and port.", f"Write {parts.scheme}://HOST:PORT.")
    return Found(f"net {_host(parts.hostname)}:{port}", url, endpoint=(parts.hostname, port))


def _at_port(port: str, root: Path) -> Found:
    path = Path(port)
    real = path.resolve()
    try:
        is_terminal = stat.S_ISCHR(real.stat().st_mode)
    except FileNotFoundError:
        there = [str(candidate.device) for device in usb_devices(root) for candidate in device.ports]
        raise BoardAbsent(f"There is no port {path}.", f"Ports of USB devices here: {', '.join(there) or 'none'}.") from None
    except OSError as error:
        raise BoardAbsent(f"The port {path} cannot be looked at: {error.strerror}.", "Check the rights of its folder.") from None
    if not is_terminal:
        raise BoardAbsent(f"{path} is no serial port.", "Correct `port` in lab.yaml.")
    for device in usb_devices(root):
        if real in [candidate.device.resolve() for candidate in device.ports]:
            return Found(_key(device), port, device)
    return Found(f"port {real}", port)


def _attached(board: LabBoard, devices: Sequence[UsbDevice], root: Path) -> Found:
    device = _only(board, devices, root)
    ports = [port for port in device.ports if board.entry.find.interface in (None, port.interface)]
    if len(ports) == 1:
        return Found(_key(device), str(ports[0].device), device)
    if not device.ports:
        raise BoardAbsent(
            f"{device} has no serial port.",
            "The kernel lacks the driver cdc_acm, or the probe needs newer firmware: edgeloop doctor. A board whose serial port is "
            "another device's is found by that: find: {port: ...}",
        )
    listed = ", ".join(f"{port.device} (interface {port.interface})" for port in device.ports)
    raise BoardAbsent(f"{device} has {len(device.ports)} serial ports: {listed}.", "Say which one in lab.yaml: `interface` below `find`.")


def _only(board: LabBoard, devices: Sequence[UsbDevice], root: Path) -> UsbDevice:
    """The one device that fits; several are refused, whichever of them would have answered first."""
    how = board.entry.find
    fitting = [device for device in devices if _fits(board, device)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        wanted = f"USB device with the serial number {how.probe}" if how.probe else f"USB device {how.usb}"
        wanted = wanted if how.ways else f"debug probe that may be that of {board.name} ({board.kind.title})"
        why_not = "".join(f" {reason}" for device in devices if (reason := _why_not(board, device)))
        raise BoardAbsent(f"No {wanted} is attached.", what_is_there(devices, root) + why_not)
    what = f"{len(fitting)} USB devices fit {board.name}: {'; '.join(map(str, fitting))}."
    serials = {device.serial for device in fitting}
    if None not in serials and len(serials) == len(fitting):
        raise BoardAbsent(what, 'Say which one in lab.yaml: find: {probe: "SERIAL NUMBER"}.')
    raise BoardAbsent(
        what, "They cannot be told apart. Detach all but one, or name its port by its USB place: a link in /dev/serial/by-path/."
    )


def _fits(board: LabBoard, device: UsbDevice) -> bool:
    """Without `find`: a probe that no other entry names, and whose disk does not tell of another kind."""
    how = board.entry.find
    if how.probe is not None:
        return device.serial == how.probe
    if how.usb is not None:
        return device.ids == how.usb.lower()
    return bool(device.probe) and device.serial not in board.others and kind_of_disk(device.disk) in (None, board.entry.kind)


def _why_not(board: LabBoard, device: UsbDevice) -> str | None:
    """Why an attached probe is not that of a board without `find`, where something tells."""
    if board.entry.find.ways or not device.probe or _fits(board, device):
        return None
    if device.serial in board.others:
        return f"Another entry of lab.yaml has the one at {device.location}."
    told = f"By its disk {device.disk} the one at {device.location} is that of a board of the kind {kind_of_disk(device.disk)}"
    return f"{told}: correct `kind`, or, if that is not so, name the probe with `find`."


def what_is_there(devices: Sequence[UsbDevice], root: Path) -> str:
    """What is attached instead of what was looked for, or why nothing may be."""
    if not (root / "sys/bus/usb/devices").is_dir():
        return "This machine shows no USB at all: a container or a virtual machine needs the device passed through."
    waiting = [device for device in devices if device.vendor == ST and device.product in (PART_IN_BOOT_LOADER, *PROBES_IN_BOOT_LOADER)]
    if waiting:
        return f"There is one in its boot loader: {'; '.join(map(str, waiting))}. Take its cable out and put it in again: edgeloop doctor"
    probes = [device for device in devices if device.probe]
    if probes:
        return f"Attached probes: {'; '.join(map(str, probes))}."
    return "No ST-LINK is attached: check the cable (some only charge) and the board's power."


def _key(device: UsbDevice) -> str:
    return f"probe {device.serial}" if device.serial else f"usb {device.location}"


def _host(name: str) -> str:
    return "localhost" if name.lower() in _LOOPBACK else name.lower()
