"""The record of a decision: whether a variant may become champion, rule by rule, and who overrode that."""

from typing import Literal

from edgeloop.console import in_one_line
from edgeloop.records.base import Part, Record

Verdict = Literal["passes", "fails", "not known"]
"""Of a rule; what is not known does not pass."""


class Check(Part):
    """One rule of `gates`, judged."""

    rule: str
    """Its key in params.yaml; for a limit by board with the board's name behind a dot."""
    limit: float | str
    value: float | str | None
    """Null where no record states it."""
    verdict: Verdict
    said: str
    """In words, with units, the number of images and the interval where there is one."""
    record: str | None
    """The record that states the value, as it is named in a published version."""
    record_sha256: str | None

    def in_words(self) -> str:
        """One line."""
        return in_one_line(f"{self.verdict:>9}  {self.rule}: {self.said}")


class Challenge(Part):
    """A challenger and the champion on the same images of `test`. Differences are fractions, the challenger's less the champion's."""

    champion: str
    """Its version."""
    n: int
    left_out: int
    """Images that only one of them was asked, or under another label."""
    only_champion_right: int
    only_challenger_right: int
    difference: float
    ci95: tuple[float, float]
    p_better: float
    """McNemar's exact test, one-sided: the chance of as many wins or more between equal models."""
    p_worse: float
    margin: float | None
    p_margin: float | None
    """The largest chance of doing as well for a challenger that is worse by the margin (edgeloop/evaluation/noninferiority.py)."""
    shown_difference: float
    """The smallest true difference that McNemar's test would have shown on these images with a power of 80 %."""
    images_for_margin: int | None
    """About how many images show with 80 % that an equal challenger does not lose the margin."""

    def in_words(self) -> str:
        """One line."""
        low, high = (100 * bound for bound in self.ci95)
        left = f"; {self.left_out} left out" if self.left_out else ""
        return (
            f"{100 * self.difference:+.2f} points (95 % {low:+.2f} to {high:+.2f}) on n = {self.n} images{left}: right alone on "
            f"{self.only_challenger_right}, the champion on {self.only_champion_right}; "
            f"what {self.n} images would have shown with 80 %: {100 * self.shown_difference:.1f} points"
        )


class Override(Part):
    """A person who promotes against the rules, or without any."""

    by: str
    reason: str


class DecisionRecord(Record):
    """Whether a version may become the champion of its variant."""

    kind: Literal["decision"] = "decision"
    variant: str
    version: str
    model_sha256: str
    """Of the int8 per-channel model."""
    champion: str | None
    """The version that it was judged against; null where there was none."""
    checks: list[Check]
    challenge: Challenge | None
    override: Override | None

    @property
    def passes(self) -> bool:
        """Whether rules were declared, and all hold."""
        return bool(self.checks) and not self.against

    @property
    def against(self) -> list[Check]:
        """What speaks against it."""
        return [check for check in self.checks if check.verdict != "passes"]

    @property
    def promotes(self) -> bool:
        return self.passes or self.override is not None

    def in_words(self) -> str:
        """Lines for people, what speaks against it last."""
        head = f"{self.variant} {self.version} " + (
            f"against the champion {self.champion}" if self.champion else "without a champion before"
        )
        ordered = sorted(self.checks, key=lambda check: check.verdict != "passes")
        lines = [head, *(check.in_words() for check in ordered)]
        if not self.checks:
            lines.append("no gates are declared for it")
        if self.override is not None:
            told = "not needed, as every gate passes: the override" if self.passes else "overridden"
            lines.append(in_one_line(f"{told} by {self.override.by}: {self.override.reason}"))
        return "\n".join(lines)
