"""The flash tools that edgeloop knows (tools.yaml beside this file), and the one that is taken for a board."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from edgeloop import errors
from edgeloop.boards.lab.command import Command
from edgeloop.boards.lab.kinds import Kind
from edgeloop.config import Section
from edgeloop.errors import FlashError
from edgeloop.userpath import user_argument
from edgeloop.yamlfile import near_match, read_yaml

OWN_PROGRAMS = Path(sys.executable).parent
"""Where pip puts programs, whether or not the environment is activated."""
NOT_PROTECTED = 0xAA
"""Level 0 of the read-out protection (RDP), in all families."""
Which = Callable[[str], str | None]


class Family(Section):
    """Where a debugger reads which part it is, and its read-out protection."""

    identity: int
    """DBGMCU_IDCODE; its lower 12 bits are the device id."""
    protection: tuple[int, int]
    """The register with the level of the read-out protection, and the first bit of its byte."""

    def is_protected(self, option_word: int) -> bool:
        """Whether the word that was read from there says that the protection is on."""
        return (option_word >> self.protection[1]) & 0xFF != NOT_PROTECTED


class Tool(Section):
    """A program that flashes boards."""

    title: str
    get: str
    """How one comes to have it."""
    program: str
    places: tuple[str, ...] = ()
    """Folders that are looked in beside those of the PATH."""
    needs: Literal["openocd", "pyocd"] | None = None
    """What it must be told of the part: a key of a kind's `flash`."""
    look: dict[str, Any]
    write: tuple[dict[str, Any], ...]
    loses: tuple[str, ...] = ()
    """Texts of a tool that ends well and has left a part of the firmware out."""
    says: dict[str, tuple[str, ...]]
    """Names of `faults`, and texts of which each tells."""

    def find(self, which: Which = shutil.which) -> str | None:
        """The path of the program, or None."""
        for place in self.places:
            folder = OWN_PROGRAMS if place == "<python>" else Path(user_argument(place))
            if found := shutil.which(self.program, path=str(folder)):
                return found
        return which(self.program)


class Fault(Section):
    """A fault that a tool tells."""

    what: str
    fix: str


class Tools(Section):
    """The whole of tools.yaml."""

    families: dict[str, Family]
    tools: dict[str, Tool]
    faults: dict[str, Fault]

    @field_validator("faults")
    @classmethod
    def _are_errors(cls, value: dict[str, Fault]) -> dict[str, Fault]:
        for name in value:
            if not issubclass(getattr(errors, name, object), FlashError):
                raise ValueError(f"there is no FlashError of the name '{name}'{near_match(name, vars(errors))}")
        return value


@dataclass(frozen=True)
class Flasher:
    """A tool that is there, and what it is told to do for one kind of board on one probe."""

    tool: Tool
    probe: str
    """The probe's serial number."""
    kind: Kind
    family: Family
    look: Command
    """Prints the words of both registers of the family."""
    write: tuple[Command, ...]
    """Write, verify, reset."""


@cache
def tools() -> Tools:
    """Families, tools in their order, and faults."""
    return read_yaml(Path(__file__).with_name("tools.yaml"), Tools)


def flashes(kind: Kind) -> bool:
    """Whether edgeloop knows how a kind is flashed."""
    return kind.flash is not None and kind.device_id is not None and kind.target in tools().families


def tools_there(which: Which = shutil.which) -> Iterator[tuple[Tool, str]]:
    """The tools of this machine with their programs, the one that is taken first."""
    for tool in tools().tools.values():
        if (program := tool.find(which)) is not None:
            yield tool, program


def choose(kind: Kind, probe: str, which: Which = shutil.which) -> Flasher:
    """The first tool that is there, told to flash this kind of board by the probe of this serial number.

    Raises:
        FlashError: no tool is there, or none can flash this kind.
    """
    if not flashes(kind):
        raise FlashError(
            f"A {kind.title} has no flash command, and edgeloop does not know how to flash one.",
            "Add `flash:` to its entry in lab.yaml; docs/boards.md shows how.",
        )
    found = next(tools_there(which), None)
    if found is None:
        ways = "; or ".join(tool.get for tool in tools().tools.values())
        raise FlashError(f"No tool that flashes a {kind.title} is on this machine.", f"To have one: {ways}. Or write `flash:` in lab.yaml.")
    return flasher(*found, kind, probe)


def flasher(tool: Tool, program: str, kind: Kind, probe: str) -> Flasher:
    """A tool of tools.yaml for one kind of board and one probe."""
    assert kind.flash is not None and kind.target is not None, "only kinds that edgeloop can flash"
    family = tools().families[kind.target]
    known = {
        "<program>": program.replace("{", "{{").replace("}", "}}"),
        "<identity>": f"0x{family.identity:08X}",
        "<protection>": f"0x{family.protection[0]:08X}",
        "<target>": getattr(kind.flash, tool.needs) if tool.needs else "",
        "<probe>": probe,
    }
    look, *write = (_command(form, known) for form in (tool.look, *tool.write))
    return Flasher(tool, probe, kind, family, look, tuple(write))


def _command(form: Mapping[str, Any], known: Mapping[str, str]) -> Command:
    return Command.model_validate({**form, "run": _told(form["run"], known)})


def _told(words: Sequence[str], known: Mapping[str, str]) -> list[str]:
    told = []
    for word in words:
        for name, value in known.items():
            word = word.replace(name, value)
        told.append(word)
    return told
