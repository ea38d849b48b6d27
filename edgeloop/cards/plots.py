"""The plots of a card with matplotlib's own renderer: equal records give equal bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from edgeloop.console import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COUNTS_UP_TO = 45
"""Up to so many classes the cells of a confusion matrix show their counts."""
LABEL_LENGTH = 34
INK, MUTED, GRID = "#1f2933", "#66727f", "#d8dee4"
TRAIN, VAL = "#9aa5b1", "#0b6bcb"
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "svg.hashsalt": "edgeloop",
}


def confusion_plot(confusion: Sequence[Sequence[int]], classes: Sequence[str], title: str, path: Path) -> None:
    """Draw a confusion matrix (rows true, columns predicted) whose cells are shaded by the share of their row."""
    counts = np.asarray(confusion, np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    count = len(classes)
    with figure_of(_confusion_side(count)) as figure:
        axes = figure.add_subplot()
        # Rare confusions stay visible: shading grows with the root of the share.
        image = axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        font = _tick_font(count)
        names = [shortened(name) for name in classes]
        axes.set_xticks(range(count), names, rotation=40 if count <= 12 else 90, ha="right" if count <= 12 else "center", fontsize=font)
        axes.set_yticks(range(count), names, fontsize=font)
        axes.tick_params(length=0, pad=3)
        _cell_lines(axes, count)
        if count <= COUNTS_UP_TO:
            _write_counts(axes, counts, shares, font)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.set_title(title, loc="left")
        bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.02, ticks=np.sqrt([0, 0.01, 0.1, 0.25, 0.5, 1]))
        bar.ax.set_yticklabels(["0", "1 %", "10 %", "25 %", "50 %", "100 %"], fontsize=8)
        bar.set_label("share of the true class")
        bar.outline.set_visible(False)
        save(figure, path)


def history_plot(history: pd.DataFrame, path: Path) -> None:
    """Draw loss and accuracy over epochs, `train` and `val`, with a line where a phase begins.

    `history` has the columns of `history.csv`.
    """
    from matplotlib.ticker import MaxNLocator

    epochs = np.arange(1, len(history) + 1)
    with figure_of((9.6, 3.6)) as figure:
        for place, (what, scale) in enumerate((("loss", 1.0), ("accuracy", 100.0)), 1):
            axes = figure.add_subplot(1, 2, place)
            axes.plot(epochs, history[f"train_{what}"] * scale, color=TRAIN, label="train", **_marks(len(history)))
            axes.plot(epochs, history[f"val_{what}"] * scale, color=VAL, label="val", **_marks(len(history)))
            axes.set_title(what.capitalize() + (" (%)" if scale != 1 else ""), loc="left", pad=16)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(color=GRID, linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
            _mark_phases(axes, history)
            axes.legend(frameon=False, loc="best")
        save(figure, path)


def shortened(name: str, length: int = LABEL_LENGTH) -> str:
    """A long class name with its middle left out."""
    name = printable(name).replace("\n", " ")
    if len(name) <= length:
        return name
    half = (length - 1) // 2
    return f"{name[: length - 1 - half]}…{name[-half:]}"


@contextmanager
def figure_of(size: tuple[float, float]) -> Iterator["Figure"]:
    """A figure under our style alone, whatever the user's matplotlibrc says; `size` in inches."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(STYLE, after_reset=True):
        yield Figure(figsize=size, dpi=120, layout="constrained", facecolor="white")


def save(figure: "Figure", path: Path) -> None:
    """Write without the time and the program's name, which would differ from run to run."""
    import warnings

    with warnings.catch_warnings():
        # A class may be named in a script that the font lacks; the plot then shows boxes, the tables the name.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        options: dict[str, Any] = {"pil_kwargs": {"quality": 90}} if path.suffix == ".jpg" else {"metadata": {"Software": None}}
        figure.savefig(path, bbox_inches="tight", pad_inches=0.1, **options)


def _confusion_side(count: int) -> tuple[float, float]:
    side = min(max(5.0, 0.30 * count + 2.6), 15.0)
    return side + 0.6, side


def _tick_font(count: int) -> float:
    return 9.0 if count <= 12 else 7.0 if count <= COUNTS_UP_TO else 5.5


def _cell_lines(axes: "Axes", count: int) -> None:
    axes.set_xticks(np.arange(-0.5, count), minor=True)
    axes.set_yticks(np.arange(-0.5, count), minor=True)
    axes.grid(which="minor", color="#eef1f4", linewidth=1.0 if count <= 12 else 0.4)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)


def _write_counts(axes: "Axes", counts: Any, shares: Any, font: float) -> None:
    small = len(counts) <= 12
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = shares[row, column]
        label = f"{counts[row, column]}\n{share:.0%}" if small else str(counts[row, column])
        color = "white" if share > 0.3 else INK
        axes.text(column, row, label, ha="center", va="center", color=color, fontsize=font if small else 5.5)


def _marks(epochs: int) -> dict[str, Any]:
    return {"linewidth": 1.6, "marker": "o" if epochs <= 3 else "", "markersize": 4}


def _mark_phases(axes: "Axes", history: pd.DataFrame) -> None:
    """A dotted line and the mode where a phase begins, if there is more than one."""
    parts = list(zip(history["fit"], history["phase"], strict=True))
    starts = [place for place in range(len(parts)) if place == 0 or parts[place] != parts[place - 1]]
    if len(starts) < 2:
        return
    for place in starts:
        if place:
            axes.axvline(place + 0.5, color=MUTED, linewidth=0.8, linestyle=":")
        axes.text(
            place + 0.6, 1.0, _part_name(history, place), color=MUTED, fontsize=7.5, va="bottom", transform=axes.get_xaxis_transform()
        )


def _part_name(history: pd.DataFrame, place: int) -> str:
    fit, mode = history["fit"].iloc[place], history["mode"].iloc[place]
    return str(mode) if history["fit"].nunique() == 1 else f"{fit}: {mode}"
