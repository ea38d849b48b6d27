"""The kinds of boards, as data: kinds.yaml beside this file."""

from functools import cache
from pathlib import Path

from pydantic import RootModel, field_validator

from edgeloop.boards.drivers import DRIVERS
from edgeloop.config import Positive, Section
from edgeloop.yamlfile import near_match, read_yaml


class Memory(Section):
    """What a board has, in KiB (1024 bytes); None: not said."""

    ram_kib: Positive | None = None
    flash_kib: Positive | None = None
    external_ram_kib: Positive | None = None
    external_flash_kib: Positive | None = None


class Targets(Section):
    """What flash tools call the part."""

    openocd: str
    """The file of its target, as openocd's `-f` finds it."""
    pyocd: str
    """One of `pyocd list --targets`, built in."""


class Kind(Section):
    """What all boards of one kind have in common."""

    title: str
    driver: str
    """One of `DRIVERS` (edgeloop/boards/drivers.py)."""
    target: str | None = None
    """What code is generated for; None: it runs a .tflite file."""
    part: str | None = None
    """For a virtual board: the part that is emulated."""
    architecture: str | None = None
    """For a Linux board, as `uname -m` prints it; None takes any."""
    compatible: str | None = None
    """For a Linux board: part of an entry of /proc/device-tree/compatible; None takes any."""
    device_id: Positive | None = None
    """As the serial validation protocol reports it."""
    baud: Positive | None = None
    clock_mhz: Positive | None = None
    memory: Memory = Memory()
    boot: str = ""
    flash: Targets | None = None
    """None: edgeloop does not flash it by itself."""
    disks: tuple[str, ...] = ()
    """The labels that the disk of its ST-LINK may have."""

    @field_validator("driver")
    @classmethod
    def _is_registered(cls, value: str) -> str:
        if value not in DRIVERS:
            raise ValueError(f"there is no driver '{value}'{near_match(value, DRIVERS)}")
        return value

    @property
    def needs_entry(self) -> bool:
        """Whether a board of this kind is there only if lab.yaml says how it is found."""
        return DRIVERS[self.driver].needs_entry


class _Kinds(RootModel[dict[str, Kind]]):
    pass


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    return read_yaml(Path(__file__).with_name("kinds.yaml"), _Kinds).root


def kind_of_disk(label: str | None) -> str | None:
    """The kind whose ST-LINK has a disk of that label; None where no kind is known to."""
    return next((name for name, kind in kinds().items() if label in kind.disks), None)
