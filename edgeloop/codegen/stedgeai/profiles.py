"""Profiles of the Neural-ART compiler (STM32N6): which memory pools it may use, and with which options.

A profile is `NAME` of the tool's own file, or `NAME@FILE` of a JSON file of the user:
{"Globals": {}, "Profiles": {"NAME": {"memory_pool": "path, relative to the file", "options": "…"}}}.
"""

from dataclasses import dataclass
from pathlib import Path

from edgeloop.codegen.stedgeai.jsonfile import Node, read_json
from edgeloop.codegen.stedgeai.summary import missing
from edgeloop.errors import InputError, StedgeaiUnreadable
from edgeloop.userpath import user_path
from edgeloop.yamlfile import near_match

_MAGNITUDES = {"BYTES": 1, "KBYTES": 1 << 10, "MBYTES": 1 << 20, "GBYTES": 1 << 30}


@dataclass(frozen=True)
class Profile:
    """A profile that was checked."""

    name: str
    file: Path | None
    """None for a profile of the tool's own file."""
    memory_pool: Path | None
    options: str | None

    @property
    def argument(self) -> str:
        """As the tool takes it."""
        return self.name if self.file is None else f"{self.name}@{self.file}"


@dataclass(frozen=True)
class DeclaredPool:
    """A pool of a .mpool file; one of size 0 is disabled."""

    name: str
    start: int
    size_bytes: int
    writable: bool


def check_profile(text: str | None, base: Path) -> Profile:
    """Read `NAME` or `NAME@FILE`, FILE relative to the folder `base`, before the tool does: it takes minutes to say less.

    Raises:
        InputError: there is no profile, no such file, or none of that name in it (the message names the near match), or the file,
            or the memory pools that it names, are not of the known form.
    """
    if not text:
        raise InputError(
            "Code for the NPU of the STM32N6 needs a Neural-ART profile, which says what memory the board has.",
            "Give one: --profile default@user_neuralart.json, or --profile default for the tool's own. "
            "For the Cortex-M55 alone, without the NPU, ask for the target stm32n6-cpu.",
        )
    name, at, file = text.partition("@")
    if not at:
        return Profile(name, None, None, None)
    path = (base / user_path(file)).resolve()
    if not path.is_file():
        raise InputError(f"There is no profile file {path}.", "Give NAME@FILE, e.g. default@user_neuralart.json.")
    try:
        return _read_profile(name, path)
    except StedgeaiUnreadable as error:
        raise InputError(error.what, "Correct the profile file, or the memory pools that it names.") from None


def _read_profile(name: str, path: Path) -> Profile:
    profiles = read_json(path).child("Profiles")
    if not isinstance(profiles.value, dict) or name not in profiles.value:
        known = list(profiles.value) if isinstance(profiles.value, dict) else []
        raise InputError(f"{path} has no profile '{name}'{near_match(name, known)}.")
    profile = profiles.child(name)
    pool = path.parent / profile.text("memory_pool")
    if not pool.is_file():
        raise InputError(f"The profile '{name}' of {path} names the memory pools {pool}, which is no file.", "Correct memory_pool in it.")
    read_pools(pool)
    return Profile(name, path, pool, profile.optional_text("options"))


def read_pools(path: Path) -> list[DeclaredPool]:
    """The pools of a .mpool file.

    Raises:
        InputError: there is no such file.
        StedgeaiUnreadable: a field is missing; the message names it.
    """
    return [_pool(node) for node in read_json(path).child("memory").items("mempools")]


def _pool(node: Node) -> DeclaredPool:
    return DeclaredPool(
        name=node.text("name"),
        start=_quantity(node.child("offset")),
        size_bytes=_quantity(node.child("size")),
        writable=node.child("prop").text("rights") == "ACC_WRITE",
    )


def _quantity(node: Node) -> int:
    """A number as text, with its magnitude beside it."""
    text, magnitude = str(node.child("value").value), node.text("magnitude")
    try:
        return int(text, 0) * _MAGNITUDES[magnitude]
    except (ValueError, KeyError):
        raise missing(f"a number with a known magnitude in '{node.place}'", node.where) from None
