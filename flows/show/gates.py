"""The gates of a run as rows: what speaks against a promotion first. Pure functions."""

from collections.abc import Collection, Sequence

from edgeloop.records import DecisionRecord
from flows.show.tables import Row, wrapped

_MARKS = {"passes": "passes", "fails": "**fails**", "not known": "**not known**"}


def gate_rows(decisions: Sequence[DecisionRecord]) -> list[Row]:
    """Each rule of each variant."""
    return [
        {"variant": decision.variant, "verdict": _MARKS[check.verdict], "gate": f"`{check.rule}`", "why": wrapped(check.said)}
        for decision in sorted(decisions, key=lambda decision: decision.passes)
        for check in sorted(decision.checks, key=lambda check: check.verdict == "passes")
    ]


def gate_words(decisions: Sequence[DecisionRecord], promoted: Collection[str]) -> str:
    """The decisions in a line."""
    refused = [decision.variant for decision in decisions if not decision.passes]
    same = [decision.variant for decision in decisions if decision.passes and decision.variant not in promoted]
    parts = (("promoted", promoted), ("refused, the champion stays", refused), ("champion already", same))
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)
