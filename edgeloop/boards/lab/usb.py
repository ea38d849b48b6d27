"""USB devices of this machine with their serial ports, as the kernel lists them below /sys.

pyserial's list_ports reads the same files, but shows no device that has no port (a probe without a driver, a part in
its boot loader), and fails when a device is unplugged while it reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ST = "0483"
PROBES = {
    "3744": "ST-LINK/V1",
    "3748": "ST-LINK/V2",
    "374b": "ST-LINK/V2-1",
    "3752": "ST-LINK/V2-1",
    "374e": "STLINK-V3",
    "374f": "STLINK-V3",
    "3753": "STLINK-V3",
    "3754": "STLINK-V3",
    "3757": "STLINK-V3PWR",
}
"""ST's probes by USB product; as in the udev rules that ST delivers with its tools."""
PROBES_IN_BOOT_LOADER = {"374d": "STLINK-V3", "3755": "STLINK-V3PWR"}
PART_IN_BOOT_LOADER = "df11"
"""An STM32 whose own boot loader waits for DFU."""


@dataclass(frozen=True)
class Port:
    """A serial port of a USB device."""

    device: Path
    interface: int


@dataclass(frozen=True)
class UsbDevice:
    """A USB device; `location` is the kernel's name of its place, e.g. 1-2.3, which stays while it is not moved."""

    location: str
    vendor: str
    product: str
    """Both as four lower-case hexadecimal digits."""
    serial: str | None
    name: str
    node: Path
    """What programs open to talk to it."""
    ports: tuple[Port, ...]
    disk: str | None = None
    """The label of its disk: an ST-LINK's names the board that it is on. None: it has none, or this machine does not list labels."""

    @property
    def ids(self) -> str:
        return f"{self.vendor}:{self.product}"

    @property
    def probe(self) -> str | None:
        """Which probe of ST's it is; None: it is none."""
        return PROBES.get(self.product) if self.vendor == ST else None

    def __str__(self) -> str:
        said = f"serial number {self.serial}" if self.serial else "no serial number"
        ports = ", ".join(str(port.device) for port in self.ports) or "no serial port"
        return f"{self.name} {self.ids} at USB place {self.location} ({said}; {ports})"


def usb_devices(root: Path = Path("/")) -> list[UsbDevice]:
    """All devices that are attached now, by their places; none where the machine has no USB."""
    folder = root / "sys/bus/usb/devices"
    if not folder.is_dir():
        return []
    found = (_device(entry, root) for entry in sorted(folder.iterdir()) if ":" not in entry.name)
    return [device for device in found if device is not None]


def _device(folder: Path, root: Path) -> UsbDevice | None:
    """None for what is no device, or was unplugged just now."""
    vendor, product = _read(folder / "idVendor"), _read(folder / "idProduct")
    if vendor is None or product is None:
        return None
    bus, number = _read(folder / "busnum") or "0", _read(folder / "devnum") or "0"
    return UsbDevice(
        location=folder.name,
        vendor=vendor.lower(),
        product=product.lower(),
        serial=_read(folder / "serial") or None,
        name=_read(folder / "product") or "a USB device",
        node=root / "dev/bus/usb" / bus.zfill(3) / number.zfill(3),
        ports=tuple(_ports(folder, root)),
        disk=_disk(folder, root),
    )


def _ports(folder: Path, root: Path) -> Iterator[Port]:
    """The terminals of its interfaces: CDC-ACM has them in `tty/`, the drivers of USB-to-serial chips one folder deeper."""
    for pattern in (f"{folder.name}:*/tty/tty*", f"{folder.name}:*/tty*/tty/tty*"):
        for terminal in sorted(folder.glob(pattern)):
            interface = terminal.relative_to(folder).parts[0]
            number = _read(folder / interface / "bInterfaceNumber") or interface.rpartition(".")[2]
            yield Port(root / "dev" / terminal.name, int(number, 16))


def _disk(folder: Path, root: Path) -> str | None:
    """The label of the file system on its first disk, as udev lists them."""
    disks = {disk.name for disk in folder.glob(f"{folder.name}:*/host*/target*/*/block/*")}
    labels = (root / "dev/disk/by-label").glob("*") if disks else ()
    return next((label.name for label in sorted(labels) if label.readlink().name in disks), None)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
