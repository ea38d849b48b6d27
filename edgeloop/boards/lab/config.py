"""lab.yaml as a typed model: the boards of this lab, where each is, and the commands that build for it and flash it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from edgeloop.boards.lab.command import Command, check_parts
from edgeloop.boards.lab.kinds import Kind, Memory, kinds
from edgeloop.config import Positive, Section
from edgeloop.errors import InputError
from edgeloop.names import Host, Name, User, same_but_for_case
from edgeloop.userpath import UserPath
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import misfit, near_match, read_yaml

_NEEDS_NO_ENTRY = ("host", "virtual")
_WAYS = {
    "stm32msg": ("probe", "usb", "port"),
    "mpu": ("ssh",),
    "virtual": (),
    "host": (),
}
_USES = {
    "stm32msg": {"baud", "clock_mhz", "protocol", "memory", "generate", "firmware", "build", "flash", "power_cycle"},
    "mpu": {"linux"},
    "virtual": set[str](),
    "host": set[str](),
}
"""The keys of a board's entry that each driver has a use for, beside those of all."""
_OF_ALL = {"kind", "lab", "find"}


class Ssh(Section):
    """A board that is reached over SSH. Passwords have no place here: use a key or an agent."""

    host: Host
    user: User = "root"
    port: Annotated[int, Field(gt=0, lt=65536)] = 22
    key: UserPath | None = None
    """A private key; None: the agent's and the usual ones of ~/.ssh."""
    known_hosts: UserPath | None = None
    """None: ~/.ssh/known_hosts."""


class Linux(Section):
    """How a Linux board is used."""

    python: str = "python3"
    """The Python 3.8 or later on the board that has the runtime."""
    folder: str = ""
    """Where on the board the temporary folder is made; empty: where temporary files go there."""
    runtime: Literal["stai_mpu", "tflite_runtime", "ai_edge_litert"] | None = None
    """None: the first of them that is installed."""
    acceleration: bool = True
    """Whether stai_mpu may use the NPU and the GPU."""


class Find(Section):
    """How a board is found: by one of `probe`, `usb`, `port` and `ssh`."""

    probe: str | None = None
    """The serial number of its probe (`edgeloop boards --probes` lists them)."""
    usb: Annotated[str, Field(pattern="^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$")] | None = None
    """Vendor and product of its USB device, e.g. 0483:374e; only where no second one is attached."""
    port: str | None = None
    """A serial port (best one of /dev/serial/by-id/), or a pyserial URL: rfc2217://HOST:PORT, socket://HOST:PORT."""
    ssh: Ssh | None = None
    interface: Annotated[int, Field(ge=0)] | None = None
    """Which of a probe's several serial ports: the number of its USB interface."""

    @field_validator("probe", mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        if isinstance(value, int | float):
            raise ValueError("write the serial number in quotes, or YAML takes it for a number and drops its leading zeros")
        return value

    @property
    def ways(self) -> list[str]:
        return [name for name in ("probe", "usb", "port", "ssh") if getattr(self, name) is not None]


class Generated(Section):
    """Whose code this board's firmware is built around."""

    backend: Literal["auto", "portable", "stedgeai"] = "auto"
    """`auto`: ST Edge AI Core where it is installed, else the portable generator."""
    profile: str | None = None
    """Of the Neural-ART compiler (STM32N6): NAME or NAME@FILE, FILE relative to the project."""


class BoardEntry(Section):
    """One board of lab.yaml."""

    kind: str
    lab: Name | None = None
    """The lab whose host it is attached to, if not to this machine: its stages go to the pool `bench-<lab>`."""
    find: Find = Find()
    baud: Positive | None = None
    clock_mhz: Positive | None = None
    linux: Linux = Linux()
    protocol: Literal["3.1", "3.2"] | None = None
    """The version of the serial validation protocol; None: found out at every connection."""
    memory: Memory = Memory()
    generate: Generated = Generated()
    firmware: str | None = None
    """Where `build` leaves the ELF (parts may stand in it); None: where `{elf}` says, which `build` must then write."""
    build: tuple[Command, ...] = ()
    """What makes the firmware from generated code; in order."""
    flash: tuple[Command, ...] = ()
    """What brings it onto the board; in order."""
    power_cycle: tuple[Command, ...] = ()
    """What takes its power away and gives it back, where the lab can."""

    @field_validator("firmware")
    @classmethod
    def _firmware_parts_exist(cls, value: str | None) -> str | None:
        if value is not None:
            check_parts(value)
        return value


@dataclass(frozen=True)
class LabBoard:
    """A board: its entry of lab.yaml, completed by its kind."""

    name: str
    entry: BoardEntry
    kind: Kind

    @property
    def baud(self) -> int | None:
        return self.entry.baud or self.kind.baud

    @property
    def clock_mhz(self) -> int | None:
        """The clock that it must report."""
        return self.entry.clock_mhz or self.kind.clock_mhz

    @property
    def memory(self) -> Memory:
        """The kind's, with the entry's instead where it says something."""
        return self.kind.memory.model_copy(update=self.entry.memory.model_dump(exclude_none=True))


class Lab(Section):
    """The whole of lab.yaml."""

    boards: dict[Name, BoardEntry]

    @model_validator(mode="after")
    def _boards_fit(self) -> "Lab":
        if (pair := same_but_for_case(self.boards)) is not None:
            raise misfit(("boards", pair[1]), f"'{pair[0]}' differs from it in upper and lower case only")
        for name, entry in self.boards.items():
            where = ("boards", name)
            if entry.kind not in kinds():
                raise misfit((*where, "kind"), f"there is no kind '{entry.kind}'{near_match(entry.kind, kinds())}")
            _check_ways(where, entry)
            _check_keys(where, entry)
        return self

    def board(self, name: str) -> LabBoard:
        """The board of that name.

        Raises:
            InputError: there is none; the message names the near match.
        """
        if name not in self.boards:
            raise InputError(f"There is no board '{name}' in lab.yaml{near_match(name, self.boards)}.", "List them with: edgeloop boards")
        entry = self.boards[name]
        return LabBoard(name, entry, kinds()[entry.kind])

    def all(self) -> list[LabBoard]:
        """Every board, in the order of the file."""
        return [self.board(name) for name in self.boards]


def load_lab(workspace: Workspace) -> Lab:
    """Read the workspace's lab.yaml; without one the lab holds this host and the virtual boards.

    Raises:
        ConfigError: with file, line and the near match of every key that does not fit.
    """
    if not workspace.lab.exists():
        return Lab(boards=_without_entries(kinds()))
    return read_yaml(workspace.lab, Lab)


def _without_entries(known: Mapping[str, Kind]) -> dict[str, BoardEntry]:
    return {name: BoardEntry(kind=name) for name, kind in known.items() if kind.driver in _NEEDS_NO_ENTRY}


def _check_ways(where: tuple[str, str], entry: BoardEntry) -> None:
    """Exactly one way of finding it, and one that its driver can use."""
    kind, given = kinds()[entry.kind], entry.find.ways
    possible = _WAYS[kind.driver]
    if not possible and given:
        raise misfit((*where, "find"), f"{kind.title} is found without being looked for")
    if possible and (len(given) != 1 or given[0] not in possible):
        said = f"give exactly one of {', '.join(possible)}" if len(possible) > 1 else f"give {possible[0]}"
        raise misfit((*where, "find"), f"{said} to find a board of the kind {entry.kind}")


def _check_keys(where: tuple[str, str], entry: BoardEntry) -> None:
    """No key that would do nothing."""
    kind = kinds()[entry.kind]
    if unused := sorted(entry.model_fields_set - _OF_ALL - _USES[kind.driver]):
        raise misfit((*where, unused[0]), f"{unused[0]} has no use for a {kind.title}")
    if entry.find.interface is not None and not set(entry.find.ways) & {"probe", "usb"}:
        raise misfit((*where, "find"), "interface chooses between the serial ports of a probe or USB device; a port is one already")
