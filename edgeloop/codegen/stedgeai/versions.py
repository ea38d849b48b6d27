"""Versions of ST Edge AI Core and the tools before it, as they print themselves, and which of them are driven.

The same product printed three names; version numbers do not run in one line (stm32ai 5 to 8 came before Core 1.0).
"""

import re
from dataclasses import dataclass

from edgeloop.errors import StedgeaiMissing, StedgeaiUnreadable

_CORE = re.compile(r"ST Edge AI Core v(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-(\S+))?(?:\s+([0-9a-f]{6,}))?")
_LEGACY = re.compile(
    r"Neural Network Tools for STM32\S*.*\((?:STM\.ai|AI tools) v(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:-(\S+))?\)", re.IGNORECASE
)
_COMPONENT = re.compile(r"^[ \t]+([A-Za-z][\w.]*) (\d+\.\d+\.\d+\S*)[ \t]*$", re.MULTILINE)

OLDEST_DRIVEN = (1, 0)
OLDEST_WITH_NPU = (2, 0)
TESTED = ((1, 0), (2, 0), (2, 1), (2, 2), (3, 0), (4, 0))
"""Major and minor of the versions whose outputs the readers here were written against."""


@dataclass(frozen=True)
class Version:
    """A version of the tool; `legacy` are the ones called stm32ai, which have other options."""

    major: int
    minor: int
    patch: int
    build: str | None = None
    legacy: bool = False

    def __str__(self) -> str:
        plain = f"{self.major}.{self.minor}.{self.patch}"
        return f"{plain}-{self.build}" if self.build else plain

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


def check_driven(version: Version, program: str, *, npu: bool) -> list[str]:
    """Refuse a version that cannot be driven; the warnings about one that nobody tested.

    Raises:
        StedgeaiMissing: it is older than Core 1.0 (2.0 for the NPU of the STM32N6).
    """
    oldest = OLDEST_WITH_NPU if npu else OLDEST_DRIVEN
    if version.legacy or version.line < oldest:
        name = "stm32ai" if version.legacy else "ST Edge AI Core"
        purpose = "the NPU of the STM32N6 needs" if npu else "edgeloop drives"
        what = f"{program} is {name} {version}; {purpose} ST Edge AI Core {oldest[0]}.{oldest[1]} or later."
        raise StedgeaiMissing(what, "Install a later version, or let STEDGEAI_CORE_DIR point at one.")
    if version.line not in TESTED:
        known = ", ".join(f"{major}.{minor}" for major, minor in TESTED)
        return [f"ST Edge AI Core {version} was not tested with edgeloop (tested: {known})."]
    return []
