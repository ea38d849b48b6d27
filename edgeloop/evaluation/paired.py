"""Two models on the same images: the difference of their accuracies with its interval, and where they disagree."""

import math
from collections import Counter
from dataclasses import dataclass

import pandas as pd

from edgeloop.errors import InputError
from edgeloop.records import Accuracy, Part
from edgeloop.records.models import Z95

SHOWN = 10


@dataclass(frozen=True)
class Answers:
    """What a model says of images with labels."""

    name: str
    rows: pd.DataFrame
    """Columns `path`, `label` and `predicted` (a class name), one row an image."""


class Side(Part):
    """One of the two on the paired images."""

    name: str
    top1: Accuracy
    left_out: int
    """Its images that the other one has not, or has under another label."""


class Disagreement(Part):
    """Images of one class of which the two say different things."""

    label: str
    a: str
    b: str
    images: int


class Comparison(Part):
    """Two models, paired: each image counts for both."""

    a: Side
    b: Side
    n: int
    relabelled: int
    """Images that both have, under different labels; they are left out."""
    only_a_right: int
    only_b_right: int
    difference: float
    """Accuracy of b less that of a, a fraction."""
    ci95: tuple[float, float]
    """95 % interval of the difference."""
    disagreements: list[Disagreement]
    """The most frequent ones first."""

    def in_words(self) -> str:
        """Lines for people."""
        lines = [f"{'ab'[place]}  {side.name}: {_percent(side.top1)}" for place, side in enumerate((self.a, self.b))]
        left = [f"{side.left_out} only in {which}" for which, side in (("a", self.a), ("b", self.b)) if side.left_out]
        left += [f"{self.relabelled} under another label"] if self.relabelled else []
        lines.append(f"on {self.n} images that both have" + (f"; left out: {', '.join(left)}" if left else ""))
        low, high = (100 * bound for bound in self.ci95)
        beyond = low > 0 or high < 0
        verdict = f"{'b' if self.difference > 0 else 'a'} is better" if beyond else "no difference beyond chance"
        lines.append(f"b - a: {100 * self.difference:+.2f} points (95 % {low:+.2f} to {high:+.2f}, n = {self.n}): {verdict}")
        differ = sum(entry.images for entry in self.disagreements)
        lines.append(f"they disagree on {differ}: a alone is right on {self.only_a_right}, b alone on {self.only_b_right}")
        for entry in self.disagreements[:SHOWN]:
            lines.append(f"  {entry.images:4d}  {entry.label}: a says {entry.a}, b says {entry.b}")
        if len(self.disagreements) > SHOWN:
            lines.append(f"  and {len(self.disagreements) - SHOWN} more kinds (--json)")
        return "\n".join(lines)


def compare(a: Answers, b: Answers) -> Comparison:
    """Pair two models on the images that both have under the same label.

    Raises:
        InputError: there are none.
    """
    both = a.rows.merge(b.rows, on="path", suffixes=("_a", "_b"))
    same = both[both["label_a"] == both["label_b"]]
    if same.empty:
        raise InputError(
            f"{a.name} and {b.name} have no image in common under the same label.",
            "Compare models of one data set, or score both on its images of today: --on test.",
        )
    n, relabelled = len(same), len(both) - len(same)
    hit_a, hit_b = (same[f"predicted_{side}"] == same["label_a"] for side in "ab")
    only_a, only_b = int((hit_a & ~hit_b).sum()), int((hit_b & ~hit_a).sum())
    return Comparison(
        a=Side(name=a.name, top1=Accuracy.of(int(hit_a.sum()), n), left_out=len(a.rows) - len(both)),
        b=Side(name=b.name, top1=Accuracy.of(int(hit_b.sum()), n), left_out=len(b.rows) - len(both)),
        n=n,
        relabelled=relabelled,
        only_a_right=only_a,
        only_b_right=only_b,
        difference=(only_b - only_a) / n,
        ci95=difference_interval(only_a, only_b, n),
        disagreements=_disagreements(same),
    )


def difference_interval(only_a: int, only_b: int, n: int) -> tuple[float, float]:
    """95 % interval of the difference (b - a) of two paired proportions, from the counts of images that only one gets right.

    Wald's interval with half an image added to each of the four cells (A. Agresti and Y. Min, Statistics in Medicine 24 (2005),
    729-740): it keeps its level for few images and for models that hardly differ.
    """
    a, b, total = only_a + 0.5, only_b + 0.5, n + 2
    centre = (b - a) / total
    half = Z95 * math.sqrt(a + b - (b - a) ** 2 / total) / total
    return max(-1.0, centre - half), min(1.0, centre + half)


def _disagreements(same: pd.DataFrame) -> list[Disagreement]:
    differ = same[same["predicted_a"] != same["predicted_b"]]
    counted = Counter(zip(differ["label_a"], differ["predicted_a"], differ["predicted_b"], strict=True))
    ordered = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Disagreement(label=label, a=a, b=b, images=images) for (label, a, b), images in ordered]


def _percent(accuracy: Accuracy) -> str:
    low, high = accuracy.ci95
    return f"top-1 {100 * accuracy.value:.2f} % (95 % {100 * low:.2f} to {100 * high:.2f})"
