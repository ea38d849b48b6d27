"""Which versions of ST Edge AI Core generate for which target, and the words of it: one table.

By ST's release notes (../shared/facts, ST Edge AI Core). What the table does not name, every version that is driven does.
"""

from dataclasses import dataclass

from edgeloop.codegen.stedgeai.versions import Version, find_version
from edgeloop.errors import StedgeaiMissing

Line = tuple[int, int]
"""Major and minor."""

OLDEST_DRIVEN: Line = (1, 0)
TESTED: tuple[Line, ...] = ((1, 0), (2, 0), (2, 1), (2, 2), (3, 0), (4, 0))
"""The versions whose outputs the readers here were written against."""


@dataclass(frozen=True)
class Support:
    """Which versions generate for a target."""

    what: str
    """What only these make, as the beginning of a sentence."""
    first: Line = OLDEST_DRIVEN
    last: Line | None = None
    """None: the latest does."""

    @property
    def versions(self) -> str:
        """`2.0 or later`, `2.2 or earlier`."""
        return f"{_dotted(self.first)} or later" if self.last is None else f"{_dotted(self.last)} or earlier"

    @property
    def wanted(self) -> str:
        """The version to install where none does: the last one that can, or the first."""
        return _dotted(self.last or self.first)

    def has(self, version: Version) -> bool:
        return not version.legacy and self.first <= version.line and (self.last is None or version.line <= self.last)


SUPPORT = {
    "stm32h7p": Support("Code for the STM32H7P and its NPU", first=(4, 1)),
    "stm32mp2": Support("An NPU binary (.nb) for the STM32MP2", last=(2, 2)),  # "stm32mp target support removed. Use 2.2": 3.0
    "stm32n6": Support("Code for the NPU of the STM32N6", first=(2, 0)),
    "stm32u3": Support("Code for the STM32U3", first=(4, 0)),
}
ANY = Support("Code that edgeloop can read")


def support(target: str) -> Support:
    """Which versions generate for this target of edgeloop."""
    return SUPPORT.get(target, ANY)


def fits(version: Version, target: str | None) -> bool:
    """Whether this version is driven, and generates for the target (None: for any)."""
    return (support(target) if target else ANY).has(version)


def refusal(target: str | None, held: str, remedy: str = "") -> StedgeaiMissing:
    """The error for an impossible pair; `held` is what there is. Without a remedy it is to install the version that can."""
    needed = support(target) if target else ANY
    what = f"{needed.what} is made by ST Edge AI Core {needed.versions}, and here is {held}."
    install = f"Install ST Edge AI Core {needed.wanted} beside the others: versions stand side by side, and the one that can is taken."
    return StedgeaiMissing(what, remedy or install)


def check_at_st(target: str, version: str) -> None:
    """Raises:
    StedgeaiMissing: this version at ST's farm does not generate for the target.
    """
    found = find_version(f"ST Edge AI Core v{version}")
    if found is not None and not fits(found, target):
        needed = f"`cloud: {{version: ...}}` in lab.yaml names one of its versions; it must be {support(target).versions}."
        raise refusal(target, f"{version} at ST's farm", f"{needed} Its web site lists what it has.")


def untested(version: Version) -> list[str]:
    """The warning about a version that nobody tested; empty for the others."""
    if version.line in TESTED:
        return []
    return [f"ST Edge AI Core {version} was not tested with edgeloop (tested: {', '.join(map(_dotted, TESTED))})."]


def targets_of(version: Version) -> str:
    """For people: which of the table's targets this version generates for."""
    named = [target for target, needed in SUPPORT.items() if needed.has(version)]
    return f"also for {', '.join(named)}" if named else "for none of " + ", ".join(SUPPORT)


def _dotted(line: Line) -> str:
    return f"{line[0]}.{line[1]}"
