"""The drivers, one line each. A kind of kinds.yaml names its driver; a board of lab.yaml names its kind."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from edgeloop.boards.driver import Driver


@dataclass(frozen=True)
class Registered:
    """A driver, and what lab.yaml and params.yaml may say of its boards."""

    module: str
    name: str
    """The name of the class, which is imported only when a board of its kinds is used."""
    found_by: tuple[str, ...] = ()
    """Keys of `find`, one of which an entry must give; none: it is here without being looked for, and needs no entry."""
    keys: tuple[str, ...] = ()
    """Keys of an entry that it has a use for, beside those of all."""
    runs: Literal["quantized", "generated"] | None = None
    """The folder of a variant that its boards run; None: either."""
    tools: tuple[str, ...] = ()
    """Distributions whose versions a record states."""

    def load(self) -> "type[Driver]":
        """The class."""
        driver: type[Driver] = getattr(import_module(self.module), self.name)
        return driver


SERIAL_KEYS = ("baud", "clock_mhz", "protocol", "memory", "generate", "firmware", "build", "flash", "power_cycle")
DRIVERS = {
    "host": Registered("edgeloop.boards.host", "HostBoard", runs="quantized"),
    "virtual": Registered("edgeloop.boards.virtual.driver", "VirtualBoard", runs="generated", tools=("pyserial", "unicorn")),
    "stm32msg": Registered("edgeloop.boards.mcu.driver", "McuBoard", ("probe", "usb", "port"), SERIAL_KEYS, tools=("pyserial",)),
    "mpu": Registered("edgeloop.boards.mpu.driver", "MpuBoard", ("ssh",), ("linux",), tools=("asyncssh",)),
}
