"""Versions of ST Edge AI Core and the tools before it, as they print themselves.

The same product printed three names; version numbers do not run in one line (stm32ai 5 to 8 came before Core 1.0).
"""

import re
from dataclasses import dataclass

from edgeloop.errors import StedgeaiUnreadable

_CORE = re.compile(r"ST Edge AI Core v(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-(\S+))?(?:\s+([0-9a-f]{6,}))?")
_LEGACY = re.compile(
    r"Neural Network Tools for STM32\S*.*\((?:STM\.ai|AI tools) v(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-(\S+))?\)", re.IGNORECASE
)
_COMPONENT = re.compile(r"^[ \t]+([A-Za-z][\w.]*) (\d+\.\d+\.\d+\S*)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Version:
    """A version of the tool; `legacy` are the ones called stm32ai, which have other options."""

    major: int
    minor: int
    patch: int
    build: str | None = None
    legacy: bool = False

    def __str__(self) -> str:
        return f"{self.number}-{self.build}" if self.build else self.number

    @property
    def number(self) -> str:
        """Without the build."""
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def line(self) -> tuple[int, int]:
        """Major and minor."""
        return self.major, self.minor


def find_version(text: str) -> Version | None:
    """The first version line of a console log, a report or an answer to --version; None where there is none."""
    core = _CORE.search(text)
    if core:
        return Version(int(core[1]), int(core[2]), int(core[3]), core[4])
    legacy = _LEGACY.search(text)
    return Version(int(legacy[1]), int(legacy[2]), int(legacy[3]), legacy[4], legacy=True) if legacy else None


def find_components(text: str) -> dict[str, str]:
    """The components in an answer to --version: one indented line each behind the core's."""
    core = _CORE.search(text)
    return dict(_COMPONENT.findall(text[core.end() :])) if core else {}


def retired(where: str, version: object) -> StedgeaiUnreadable:
    """The error for an output of the tool before Core 1.0 (STM32Cube.AI 5 to 8)."""
    return StedgeaiUnreadable(
        f"{where} was written by STM32Cube.AI {version}, which edgeloop cannot drive, and whose outputs it does not read.",
        "Generate it again with ST Edge AI Core 1.0 or later.",
    )
