"""The drivers, one line each. A kind of kinds.yaml names its driver; a board of lab.yaml names its kind."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edgeloop.boards.driver import Board


@dataclass(frozen=True)
class Registered:
    """A driver, and what lab.yaml and params.yaml may say of its boards."""

    module: str
    name: str
    """The name of the class, which is imported only when a board of its kinds is used."""
    found_by: tuple[str, ...] = ()
    """Keys of `find`, one of which an entry must give; none: it is here without being looked for, and needs no entry."""
    found_alone: bool = False
    """Whether an entry without `find` means the only debug probe that is attached."""
    needs: tuple[str, ...] = ()
    """Keys that an entry must give."""
    keys: tuple[str, ...] = ()
    """Keys of an entry that it has a use for, beside those of all and those that it needs."""
    runs_images: bool = True
    """Whether its boards run our images."""
    runs: Literal["quantized", "generated"] | None = None
    """The folder of a variant that its boards run; None: either."""
    tools: tuple[str, ...] = ()
    """Distributions whose versions a record states."""

    @property
    def needs_entry(self) -> bool:
        """Whether a board of it is there only if lab.yaml says which."""
        return bool(self.found_by or self.needs)

    def load(self) -> "type[Board]":
        """The class."""
        driver: type[Board] = getattr(import_module(self.module), self.name)
        return driver


SERIAL_KEYS = ("baud", "clock_mhz", "protocol", "memory", "generate", "firmware", "build", "flash", "power_cycle")
DRIVERS = {
    "host": Registered("edgeloop.boards.host", "HostBoard", runs="quantized"),
    "virtual": Registered("edgeloop.boards.virtual.driver", "VirtualBoard", runs="generated", tools=("pyserial", "unicorn")),
    "stm32msg": Registered("edgeloop.boards.mcu.driver", "McuBoard", ("probe", "usb", "port"), True, keys=SERIAL_KEYS, tools=("pyserial",)),
    "mpu": Registered("edgeloop.boards.mpu.driver", "MpuBoard", ("ssh",), keys=("linux",), tools=("asyncssh",)),
    "st-cloud": Registered(
        "edgeloop.boards.cloud.driver",
        "FarmBoard",
        needs=("board",),
        keys=("cloud",),
        runs_images=False,
        runs="quantized",
        tools=("httpx",),
    ),
}
