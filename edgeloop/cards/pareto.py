"""Accuracy against what it costs, of many variants: the Pareto front of each data set, as a picture and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from edgeloop.cards.markdown import Table
from edgeloop.cards.plots import GRID, INK, MUTED, SERIES, figure_of, save
from edgeloop.cards.tables import interval, percent
from edgeloop.markup import text
from edgeloop.records import Accuracy

MARKERS = "osD^v<>P"


@dataclass(frozen=True)
class Point:
    """A variant's model in a drawing."""

    variant: str
    link: str
    label: str
    """In short."""
    dataset: str
    """Of data set and archive: only accuracies of the same pictures can be compared."""
    format: str
    accuracy: Accuracy
    cost: float
    shown: str
    """The cost as it is written."""


@dataclass(frozen=True)
class Drawing:
    """Points that can be compared by what they cost."""

    title: str
    cost: str
    """What it is, with its unit."""
    picture: str
    points: Sequence[Point]
    datasets: Sequence[str]
    """Of all drawings of a card, so that each has the same colour and mark in all of them."""

    @property
    def front(self) -> set[str]:
        """The variants that no other one of their data set beats in both."""
        return {one.variant for one in self.points if not any(_beats(other, one) for other in self.points)}

    @property
    def table(self) -> Table:
        heads = ["Variant", "Data set", "Format", "Top 1 Accuracy (%)", "95 % interval", "n", self.cost, "Pareto front"]
        rows = [
            [
                f"[{text(one.variant)}]({one.link})",
                text(one.dataset),
                text(one.format),
                percent(one.accuracy.value),
                interval(one.accuracy),
                str(one.accuracy.n),
                one.shown,
                "yes" if one.variant in self.front else "-",
            ]
            for one in self.points
        ]
        return Table(heads, rows)

    def draw(self, path: Path) -> None:
        """A colour and a mark for each data set; what is on its front is filled, joined and named."""
        from matplotlib.ticker import FuncFormatter

        front = self.front
        with figure_of((9.6, 4.8)) as figure:
            axes = figure.add_subplot()
            ordered = sorted(self.points, key=lambda one: (one.dataset, one.cost, -one.accuracy.value))
            for dataset, group in groupby(ordered, key=lambda one: one.dataset):
                own, place = list(group), self.datasets.index(dataset)
                color, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
                best = [one for one in own if one.variant in front]
                axes.plot([one.cost for one in best], [100 * one.accuracy.value for one in best], color=color, marker=marker, label=dataset)
                for one in own:
                    low, high = (100 * bound for bound in one.accuracy.ci95)
                    axes.plot([one.cost] * 2, [low, high], color=MUTED, linewidth=0.8)
                    filled = color if one.variant in front else "none"
                    axes.plot(one.cost, 100 * one.accuracy.value, marker=marker, color=color, markerfacecolor=filled, markersize=7)
                for one in best:
                    spot = one.cost, 100 * one.accuracy.value
                    axes.annotate(one.label, spot, (6, -11), textcoords="offset points", fontsize=7.5, color=INK)
            axes.set_xlim(0, 1.18 * max((one.cost for one in self.points), default=1.0))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
            axes.set_xlabel(self.cost)
            axes.set_ylabel("top 1 accuracy (%), 95 % interval")
            axes.set_title(f"{self.title}; filled: on its data set's Pareto front", loc="left")
            axes.grid(color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
            axes.legend(frameon=False, loc="best")
            save(figure, path)


def _beats(one: Point, other: Point) -> bool:
    """Whether it is no worse in both, and better in one."""
    if one.dataset != other.dataset or one.variant == other.variant:
        return False
    no_worse = one.accuracy.value >= other.accuracy.value and one.cost <= other.cost
    return no_worse and (one.accuracy.value > other.accuracy.value or one.cost < other.cost)
