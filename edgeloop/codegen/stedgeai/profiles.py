"""Profiles of the Neural-ART compiler (STM32N6): which memory pools it may use, and with which options.

A profile is `NAME` of the tool's own file, or `NAME@FILE` of a JSON file of the user:
{"Globals": {}, "Profiles": {"NAME": {"memory_pool": "path, relative to the file", "options": "…"}}}.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from edgeloop.codegen.stedgeai.jsonfile import Content, parse, read_json
from edgeloop.errors import InputError, StedgeaiUnreadable
from edgeloop.userpath import user_path
from edgeloop.yamlfile import near_match


class _ProfileFile(Content):
    profiles: dict[str, Any] = Field(validation_alias="Profiles")


class _Profile(Content):
    memory_pool: str
    options: str | None = None


class _Quantity(Content):
    """A number as text, with its magnitude beside it."""

    value: str | int
    magnitude: Literal["BYTES", "KBYTES", "MBYTES", "GBYTES"]

    @field_validator("value")
    @classmethod
    def _is_number(cls, value: str | int) -> int:
        return int(str(value), 0)


class _Rights(Content):
    rights: str


class _Pool(Content):
    name: str
    offset: _Quantity
    size: _Quantity
    prop: _Rights


class _Pools(Content):
    mempools: list[_Pool]


class _PoolFile(Content):
    """A .mpool file."""

    memory: _Pools


def check_profile(text: str | None, base: Path) -> str:
    """`NAME` or `NAME@FILE` (relative to the folder `base`) as the tool takes it, with the whole path.

    The file and the memory pools that it names are read before the tool does it: that takes minutes, and says less.

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
        return name
    path = (base / user_path(file)).resolve()
    if not path.is_file():
        raise InputError(f"There is no profile file {path}.", "Give NAME@FILE, e.g. default@user_neuralart.json.")
    try:
        check_pools(_pools_of(name, path))
    except StedgeaiUnreadable as error:
        raise InputError(error.what, "Correct the profile file, or the memory pools that it names.") from None
    return f"{name}@{path}"


def _pools_of(name: str, path: Path) -> Path:
    """The .mpool file that a profile names."""
    profiles = parse(_ProfileFile, read_json(path), str(path)).profiles
    if name not in profiles:
        raise InputError(f"{path} has no profile '{name}'{near_match(name, profiles)}.")
    pools = path.parent / parse(_Profile, profiles[name], str(path), f"Profiles.{name}").memory_pool
    if not pools.is_file():
        raise InputError(f"The profile '{name}' of {path} names the memory pools {pools}, which is no file.", "Correct memory_pool in it.")
    return pools


def check_pools(path: Path) -> list[str]:
    """The names of the pools of a .mpool file.

    Raises:
        InputError: there is no such file.
        StedgeaiUnreadable: a field is missing, or no number of a known magnitude; the message names it.
    """
    return [pool.name for pool in parse(_PoolFile, read_json(path), str(path)).memory.mempools]
