"""A /sys and /dev tree with USB devices, laid out as Linux does, below any folder."""

from dataclasses import dataclass
from pathlib import Path

from edgeloop.boards.lab.usb import UsbDevice, usb_devices

TERMINALS = {"ttyACM0": "null", "ttyACM1": "zero", "ttyUSB0": "full"}
"""Ports are links to character devices that every machine has and anybody may open."""


@dataclass(frozen=True)
class FakeUsb:
    """A machine's root folder."""

    root: Path

    def plug(
        self,
        location: str,
        ids: str,
        serial: str | None = None,
        ports: tuple[str, ...] = (),
        name: str = "STM32 STLink",
        disk: str | None = None,
    ) -> UsbDevice:
        """Attach a device whose `ports` are on interfaces 2, 4, …; `disk` is the label of its disk."""
        devices = self.root / "sys/bus/usb/devices"
        folder = devices / location
        folder.mkdir(parents=True)
        number = str(len(list(devices.iterdir())))
        vendor, product = ids.split(":")
        content = {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": number, "product": name}
        if serial is not None:
            content["serial"] = serial
        for file, text in content.items():
            (folder / file).write_text(text + "\n", encoding="ascii")
        self.device(f"bus/usb/001/{number.zfill(3)}")
        for place, port in enumerate(ports):
            self._port(folder, 2 + 2 * place, port)
        if disk is not None:
            self._disk(folder, f"sd{chr(ord('a') + int(number))}", disk)
        return next(device for device in usb_devices(self.root) if device.location == location)

    def unplug(self, location: str) -> None:
        """Take a device away, as far as the reader can see."""
        (self.root / "sys/bus/usb/devices" / location / "idVendor").unlink()

    def device(self, name: str) -> Path:
        """What lies below /dev."""
        path = self.root / "dev" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in TERMINALS:
            path.symlink_to(Path("/dev") / TERMINALS[name])
        else:
            path.touch()
        return path

    def _disk(self, folder: Path, name: str, label: str) -> None:
        (folder / f"{folder.name}:1.1/host6/target6:0:0/6:0:0:0/block" / name).mkdir(parents=True)
        labels = self.root / "dev/disk/by-label"
        labels.mkdir(parents=True, exist_ok=True)
        (labels / label).symlink_to(f"../../{name}")

    def _port(self, folder: Path, interface: int, name: str) -> None:
        inside = folder / f"{folder.name}:1.{interface}"
        if name.startswith("ttyUSB"):
            inside = inside / name
        (inside / "tty" / name).mkdir(parents=True)
        (folder / f"{folder.name}:1.{interface}" / "bInterfaceNumber").write_text(f"{interface:02x}\n", encoding="ascii")
        self.device(name)
