"""lab.yaml as a typed model: the boards of this lab, where each is, and the commands that build for it and flash it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.command import Command, as_list, check_parts
from edgeloop.boards.lab.kinds import Kind, Memory, kinds
from edgeloop.config import Positive, Section
from edgeloop.errors import InputError
from edgeloop.names import Host, Name, User, same_but_for_case
from edgeloop.userpath import PathOrVersion, UserPath
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import misfit, near_match, read_yaml

SCHEME = "ssh://"
SSH_PORT = 22
ANY_LINUX = "any-linux"
Seconds = Annotated[float, Field(gt=0)]
_OF_ALL = {"kind", "lab", "find"}


class Ssh(Section):
    """A board that is reached over SSH. Passwords have no place here: use a key or an agent."""

    host: Host
    user: User = "root"
    port: Annotated[int, Field(gt=0, lt=65536)] = SSH_PORT
    key: UserPath | None = None
    """A private key; None: the agent's and the usual ones of ~/.ssh."""
    known_hosts: Annotated[UserPath, Field(validate_default=True)] = Path("~/.ssh/known_hosts")

    def __str__(self) -> str:
        """`user@host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"

    @property
    def address(self) -> str:
        return f"{SCHEME}{self}"


class Deadlines(Section):
    """The longest that each step on a Linux board may take, in seconds."""

    connect_s: Seconds = 15.0
    """Until the login is done."""
    hello_s: Seconds = 20.0
    """Until Python runs on the board."""
    answer_s: Seconds = 30.0
    """For any small request."""
    load_s: Seconds = 120.0
    """For loading a model: an NPU's driver may compile it."""
    silence_s: Seconds = 30.0
    """Between two signs of life while inferences run: the longest that one inference may take."""
    tool_s: Seconds = 120.0
    """For x-linux-ai-benchmark."""
    close_s: Seconds = 10.0
    """For each step of cleaning up."""
    idle_s: Seconds = 900.0
    """A board that hears nothing for so long cleans up by itself: somebody pulled the cable."""


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
    deadlines: Deadlines = Deadlines()


class Cloud(Section):
    """How ST's farm is used."""

    version: str | None = None
    """Of the farm's tool; None: its latest for the board."""
    engine: Literal["cpu", "hw_accelerator"] | None = None
    """For a board with Linux: what runs the model; None: what ST's own client takes for this board."""
    cores: Positive | None = None
    """For a board with Linux; None: likewise."""
    queue_s: Seconds = 1800.0
    """The longest to wait for a board."""
    run_s: Seconds = 1500.0
    """The longest from then on: generate, build, flash, validate."""
    poll_s: Seconds = 2.0
    """The pause between two questions for the state, as in ST's client."""


class Find(Section):
    """How a board is found: by one of `probe`, `usb`, `port` and `ssh`; by none, it is the only one that is attached."""

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

    backend: Literal["auto", "portable", "stedgeai", "st-cloud"] = "auto"
    """`auto`: ST Edge AI Core where it is installed, else the portable generator."""
    profile: str | None = None
    """The profile of the Neural-ART compiler (STM32N6): NAME or NAME@FILE, FILE relative to the project."""
    tool: PathOrVersion | None = None
    """ST Edge AI Core: a version ("2.2"), its program, or its root, relative to the project; None: one that fits the target."""

    @model_validator(mode="after")
    def _of_use(self) -> "Generated":
        if self.tool and self.backend in ("portable", "st-cloud"):
            raise ValueError(f"tool is of use for ST Edge AI Core on this machine only: backend is {self.backend}")
        return self


class BoardEntry(Section):
    """One board of lab.yaml."""

    kind: str
    lab: Name | None = None
    """The lab whose host it is attached to, if not to this machine: its stages go to the pool `bench-<lab>`."""
    find: Find = Find()
    baud: Positive | None = None
    clock_mhz: Positive | None = None
    linux: Linux = Linux()
    board: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9-]{2,63}$")] | None = None
    """A kind of board of ST's farm (`edgeloop boards --cloud` lists them)."""
    cloud: Cloud = Cloud()
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

    @field_validator("build", "flash", "power_cycle", mode="before")
    @classmethod
    def _commands_are_listed(cls, value: Any) -> Any:
        lines = [value] if isinstance(value, str) else value
        if isinstance(lines, list) and (texts := [line for line in lines if isinstance(line, str)]):
            shown = "\n".join(f"    - {{run: {as_list(text)}}}" for text in texts)
            raise ValueError(f"it is a list of commands, each of them a list of words; write:\n{shown}")
        return value

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
    others: frozenset[str] = frozenset()
    """The serial numbers of probes that other entries name."""

    @property
    def baud(self) -> int | None:
        return self.entry.baud or self.kind.baud

    @property
    def clock_mhz(self) -> int | None:
        """The clock that it must report."""
        return self.entry.clock_mhz or self.kind.clock_mhz

    @property
    def ways(self) -> list[str]:
        """How it is found; `alone` where it is the only one that is attached."""
        return self.entry.find.ways or (["alone"] if DRIVERS[self.kind.driver].found_alone else [])

    @property
    def linux(self) -> Linux:
        return self.entry.linux

    @property
    def ssh(self) -> Ssh:
        """How a Linux board is reached."""
        assert self.entry.find.ssh is not None, "lab.yaml is refused without it"
        return self.entry.find.ssh

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
        """The board of that name; one that needs no entry is there without one.

        Raises:
            InputError: there is none; the message names the near match.
        """
        entry = self.boards.get(name) or _without_entry().get(name)
        if entry is None:
            near = near_match(name, [*self.boards, *_without_entry()])
            raise InputError(f"There is no board '{name}' in lab.yaml{near}.", "List them with: edgeloop boards")
        others = frozenset(other.find.probe for other in self.boards.values() if other is not entry and other.find.probe)
        return LabBoard(name, entry, kinds()[entry.kind], others)

    def all(self) -> list[LabBoard]:
        """Every board, in the order of the file."""
        return [self.board(name) for name in self.boards]


def is_address(board: str) -> bool:
    """Whether a board is named by an SSH address."""
    return board.startswith(SCHEME)


def board_at(address: str) -> LabBoard:
    """A board of no declared kind, named by nothing but `ssh://user@host:port`; user and port may be left away.

    Raises:
        InputError: it is no such address, or holds a password.
    """
    try:
        parts = urlsplit(address)
        given = {"host": parts.hostname or "", "user": parts.username, "port": parts.port}
        if parts.password is not None:
            raise ValueError("it holds no password: use a key or an SSH agent")
        if parts.path or parts.query:
            raise ValueError("give ssh://user@host or ssh://user@host:port")
        ssh = Ssh.model_validate({name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(f"'{address}' is no address of a board: {reason}.") from None
    return LabBoard(address, BoardEntry(kind=ANY_LINUX, find=Find(ssh=ssh)), kinds()[ANY_LINUX])


def load_lab(workspace: Workspace) -> Lab:
    """Read the workspace's lab.yaml; without one the lab holds this host and the virtual boards.

    Raises:
        ConfigError: with file, line and the near match of every key that does not fit.
    """
    if not workspace.lab.exists():
        return Lab(boards=_without_entry())
    return read_yaml(workspace.lab, Lab)


def _without_entry() -> dict[str, BoardEntry]:
    return {name: BoardEntry(kind=name) for name, kind in kinds().items() if not kind.needs_entry}


def _check_ways(where: tuple[str, str], entry: BoardEntry) -> None:
    """Exactly one way of finding it, and one that its driver can use; or none, where that is one, too."""
    kind, given = kinds()[entry.kind], entry.find.ways
    possible = DRIVERS[kind.driver].found_by
    if not given and DRIVERS[kind.driver].found_alone:
        return
    if not possible and given:
        raise misfit((*where, "find"), f"{kind.title} is found without being looked for")
    if possible and (len(given) != 1 or given[0] not in possible):
        said = f"give exactly one of {', '.join(possible)}" if len(possible) > 1 else f"give {possible[0]}"
        raise misfit((*where, "find"), f"{said} to find a board of the kind {entry.kind}")


def _check_keys(where: tuple[str, str], entry: BoardEntry) -> None:
    """No key that would do nothing."""
    kind = kinds()[entry.kind]
    registered = DRIVERS[kind.driver]
    if unused := sorted(entry.model_fields_set - _OF_ALL - {*registered.keys, *registered.needs}):
        raise misfit((*where, unused[0]), f"{unused[0]} has no use for a {kind.title}")
    if missing := [key for key in registered.needs if getattr(entry, key) is None]:
        raise misfit(where, f"give {missing[0]}, without which there is no board of the kind {entry.kind}")
    if entry.find.interface is not None and set(entry.find.ways) & {"port", "ssh"}:
        raise misfit((*where, "find"), "interface chooses between the serial ports of a probe or USB device; a port is one already")
