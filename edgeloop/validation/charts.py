"""Charts of the report as numbers that its template draws: SVG in a view box of 320 x 90."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeloop.datasets.manifest import SPLITS
from edgeloop.validation.baseline import BRIGHTNESS_EDGES, SIDE_EDGES, histogram
from edgeloop.validation.facts import Facts

WIDTH, HEIGHT = 320.0, 90.0
_SHARPNESS_EDGES = 10.0 ** np.linspace(0, 5, 41)
_MARGIN_BINS = 2


@dataclass(frozen=True)
class Bar:
    """One bin."""

    x: float
    width: float
    height: float
    tip: str


@dataclass(frozen=True)
class Histogram:
    """A distribution, and the outline of the one accepted before."""

    title: str
    bars: list[Bar]
    outline: str | None
    """Points of an SVG polyline."""
    ticks: list[str]
    """Labels of the left end, the middle and the right end."""


@dataclass(frozen=True)
class ClassBar:
    """Images of one class by split: counts, and widths as percentages of the largest class."""

    label: str
    total: int
    counts: dict[str, int]
    widths: list[tuple[str, float, float]]
    """Split, start and width."""


def histograms(facts: Facts) -> list[Histogram]:
    """Brightness, short side and sharpness of the images in the splits."""
    previous = facts.previous
    sharpness = histogram(facts.images["sharpness"], _SHARPNESS_EDGES)
    return [
        _histogram("Brightness (mean luma)", BRIGHTNESS_EDGES, facts.summary.brightness, previous.brightness if previous else None, False),
        _histogram("Short side (px)", SIDE_EDGES, facts.summary.short_side, previous.short_side if previous else None, True),
        _histogram("Sharpness (variance of the Laplacian)", _SHARPNESS_EDGES, sharpness, None, True),
    ]


def class_bars(facts: Facts) -> list[ClassBar]:
    """One bar a class, in the order of the class names."""
    pairs = facts.images.groupby(["label", "split"]).size()
    largest = max(facts.summary.classes.values(), default=1)
    bars = []
    for label, total in facts.summary.classes.items():
        counts = {split: int(pairs.get((label, split), 0)) for split in SPLITS}
        starts = np.cumsum([0, *counts.values()])
        widths = [
            (split, 100 * float(start) / largest, 100 * count / largest)
            for (split, count), start in zip(counts.items(), starts, strict=False)
        ]
        bars.append(ClassBar(label, total, counts, widths))
    return bars


def _histogram(title: str, edges: NDArray[np.float64], counts: list[int], before: list[int] | None, trimmed: bool) -> Histogram:
    now, then = np.asarray(counts, float), np.asarray(before or [0] * len(counts), float)
    low, high = _span(now + then) if trimmed else (0, len(counts))
    now, then, edges = now[low:high], then[low:high], edges[low : high + 1]
    now_heights, then_heights = (HEIGHT * values / max(values.max(initial=0), 1) for values in (now, then))
    step = WIDTH / len(now)
    tips = [f"{edges[i]:.4g} to {edges[i + 1]:.4g}: {int(now[i])} images" for i in range(len(now))]
    bars = [Bar(i * step, step * 0.9, float(height), tips[i]) for i, height in enumerate(now_heights)]
    ticks = [f"{edges[i]:.3g}" for i in (0, len(now) // 2, len(now))]
    return Histogram(title, bars, _outline(then_heights, step) if before else None, ticks)


def _span(counts: NDArray[np.float64]) -> tuple[int, int]:
    """The bins that are not empty, with a margin."""
    filled = np.flatnonzero(counts)
    if not len(filled):
        return 0, len(counts)
    return max(int(filled[0]) - _MARGIN_BINS, 0), min(int(filled[-1]) + 1 + _MARGIN_BINS, len(counts))


def _outline(heights: NDArray[np.float64], step: float) -> str:
    corners = [(x, HEIGHT - height) for i, height in enumerate(heights.tolist()) for x in (i * step, (i + 1) * step)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
