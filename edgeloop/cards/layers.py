"""A board's figures layer by layer: a bar for each beside its multiply-accumulates, and the same as a table."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeloop.cards.markdown import Table
from edgeloop.cards.plots import GRID, INK, MUTED, VAL, figure_of, save, shortened
from edgeloop.markup import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 60
"""A picture with more has the longest ones alone; the table has all."""
INCH_A_BAR = 0.21
LABEL_SPACE = 1.3
"""Of the longest bar: room for the figure at its end."""


@dataclass(frozen=True)
class Layer:
    """One layer, or one epoch of an NPU."""

    name: str
    figure: float | None
    """None where another layer computes it."""
    macs: int | None


@dataclass(frozen=True)
class Layers:
    """The figures of one run, in the order of execution."""

    on: str
    """The board, and the model's format where it ran several."""
    figure: str
    """What the figures are, with their unit: of what was measured and emulated they are never one."""
    decimals: int
    note: str
    """How they came about."""
    each: Sequence[Layer]

    @property
    def picture(self) -> str:
        return f"layers-{re.sub(r'[^A-Za-z0-9._-]+', '-', self.on)}.svg"

    @property
    def table(self) -> Table:
        rows = [
            [text(one.name), "in the next" if one.figure is None else self.shown(one.figure), "-" if one.macs is None else f"{one.macs:,}"]
            for one in self.each
        ]
        return Table(["Layer", self.figure, "MACC"], rows)

    @property
    def title(self) -> str:
        """Of the picture."""
        left = f", the {MOST_BARS} longest of {len(self.each)}" if len(self.each) > MOST_BARS else ""
        return f"{self.figure} by layer on {self.on}{left}"

    def shown(self, figure: float) -> str:
        """A figure as it is written."""
        return f"{figure:,.{self.decimals}f}"

    def draw(self, folder: Path) -> None:
        """Write the picture into a folder."""
        bars = self._bars()
        macs = [one.macs or 0 for one in bars]
        panels = [Panel(self.title, [one.figure or 0.0 for one in bars], self.shown)]
        if any(macs):
            panels.append(Panel("MACC (millions)", [count / 1e6 for count in macs], "{:.3g}".format))
        draw_bars([one.name for one in bars], panels, folder / self.picture)

    def _bars(self) -> list[Layer]:
        longest = sorted(self.each, key=lambda one: -(one.figure or 0.0))[:MOST_BARS]
        return [one for one in self.each if one in longest][:MOST_BARS]


@dataclass(frozen=True)
class Panel:
    """Bars of one quantity, and how a figure of it is written."""

    title: str
    values: Sequence[float]
    shown: Callable[[float], str]


def draw_bars(names: Sequence[str], panels: Sequence[Panel], path: Path) -> None:
    """Draw panels beside each other, with a bar in each for every name; the first panel is the one that counts."""
    with figure_of((9.6, 0.9 + INCH_A_BAR * len(names))) as figure:
        if len(panels) > 1:
            figure.set_layout_engine("constrained", wspace=0.06)
        first = figure.add_subplot(1, len(panels), 1)
        first.set_yticks(range(len(names)), [shortened(name) for name in names], fontsize=8)
        _draw(first, panels[0], VAL)
        for place, panel in enumerate(panels[1:], 2):
            beside = figure.add_subplot(1, len(panels), place, sharey=first)
            beside.tick_params(labelleft=False)
            _draw(beside, panel, MUTED)
        save(figure, path)


def _draw(axes: "Axes", panel: Panel, color: str) -> None:
    """One panel of bars, the first on top, each with its figure; what is nothing has none."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    values = panel.values
    axes.barh(range(len(values)), values, color=color, height=0.68)
    for place, value in enumerate(values):
        if value:
            axes.annotate(panel.shown(value), (value, place), (3, 0), textcoords="offset points", va="center", fontsize=7.5, color=INK)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(0, max([*values, 0.0]) * LABEL_SPACE or 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.set_title(panel.title, loc="left")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
