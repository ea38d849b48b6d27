"""The kinds of boards, as data: kinds.yaml beside this file."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import RootModel

from edgeloop.config import Positive, Section
from edgeloop.yamlfile import read_yaml

Driver = Literal["stm32msg", "mpu", "virtual", "host"]


class Memory(Section):
    """What a board has, in KiB (1024 bytes); None: not said."""

    ram_kib: Positive | None = None
    flash_kib: Positive | None = None
    external_ram_kib: Positive | None = None
    external_flash_kib: Positive | None = None


class Kind(Section):
    """What all boards of one kind have in common."""

    title: str
    driver: Driver
    target: str | None = None
    """What code is generated for; None: it runs a .tflite file."""
    part: str | None = None
    """Of a virtual board: the part that is emulated."""
    device_id: Positive | None = None
    """As the serial validation protocol reports it."""
    baud: Positive | None = None
    clock_mhz: Positive | None = None
    memory: Memory = Memory()
    boot: str = ""


class _Kinds(RootModel[dict[str, Kind]]):
    pass


@cache
def kinds() -> dict[str, Kind]:
    """Every kind by its name."""
    return read_yaml(Path(__file__).with_name("kinds.yaml"), _Kinds).root
