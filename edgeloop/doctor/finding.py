"""A fault that was found, worded from the list of all that are recognised: faults.yaml."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import RootModel

from edgeloop.config import Section
from edgeloop.yamlfile import read_yaml

if TYPE_CHECKING:
    from edgeloop.doctor.machine import Machine

Level = Literal["error", "warning", "hint"]


class Fault(Section):
    """One kind of fault, as faults.yaml words it."""

    level: Level
    what: str
    cause: str
    fix: str


class Finding(Section):
    """A fault of this machine."""

    fault: str
    """Its name in faults.yaml."""
    level: Level
    what: str
    cause: str
    fix: str


class _Faults(RootModel[dict[str, Fault]]):
    pass


@dataclass(frozen=True)
class Check:
    """One look at the machine."""

    title: str
    look: Callable[["Machine"], Iterator[Finding]]


@cache
def faults() -> dict[str, Fault]:
    """Every fault by its name."""
    return read_yaml(Path(__file__).with_name("faults.yaml"), _Faults).root


def found(name: str, /, **details: object) -> Finding:
    """The fault of that name, with the details in its words."""
    fault = faults()[name]
    what, cause, fix = (text.format_map(details) for text in (fault.what, fault.cause, fault.fix))
    return Finding(fault=name, level=fault.level, what=what, cause=cause, fix=fix)
