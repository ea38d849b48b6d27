"""The plots of a card as SVG by matplotlib: equal records give equal bytes.

Text stays text, in the fonts of whoever looks at it, so that classes may be named in any script; colours are CSS variables with a
light and a dark value.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from edgeloop.console import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

COUNTS_UP_TO = 45
"""Up to so many classes the cells of a confusion matrix show their counts."""
LABEL_LENGTH = 28
"""In columns."""
COLUMN_EM = 0.72
"""How wide a column is in the widest of usual fonts, in the height of the font."""
INK, MUTED, GRID, LINES = "#1f2933", "#66727f", "#d8dee4", "#eef1f4"
TRAIN, VAL = "#9aa5b1", "#0b6bcb"
SERIES = (VAL, "#b4570a", "#2b7d3b", "#9436a8", "#a83244", "#5d6b1f")
"""Of several data sets in one drawing."""
DARK = {INK: "#e4e9ee", MUTED: "#9aa7b4", GRID: "#46525e", LINES: "#303a45", TRAIN: "#7d8894", VAL: "#66b2ff"} | dict(
    zip(SERIES[1:], ("#f0a35e", "#7cc98a", "#d394e3", "#f08a99", "#bccb6e"), strict=True)
)
"""What each colour becomes on a dark page."""
GROUND = ("#ffffff", "#1a2128")
SHADE = "#0b6bcb"
"""Of the cells; how much of it is their share, so that it does for both grounds."""
FONT = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
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
    "svg.fonttype": "none",
}


def confusion_plot(confusion: Sequence[Sequence[int]], classes: Sequence[str], title: str, path: Path) -> None:
    """Draw a confusion matrix (rows true, columns predicted) whose cells are shaded by the share of their row."""
    counts = np.asarray(confusion, np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    count = len(classes)
    font, names = _tick_font(count), [shortened(name) for name in classes]
    with figure_of(_confusion_size(count, max(map(columns, names), default=0) * COLUMN_EM * font / 72)) as figure:
        axes = figure.add_subplot()
        # Rare confusions stay visible: shading grows with the root of the share.
        image = axes.imshow(np.sqrt(shares), cmap=_shades(), vmin=0, vmax=1, interpolation="nearest")
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
        if bar.solids is not None:
            bar.solids.set_rasterized(True)
        save(figure, path)


def pairs_plot(pairs: Sequence[tuple[str, str, int, int]], title: str, path: Path) -> None:
    """Draw confusions as bars: true class, what it was taken for, how often, and of how many images of the class."""
    from matplotlib.ticker import MaxNLocator

    shares = [100 * images / of for _, _, images, of in pairs]
    with figure_of((9.6, 1.0 + 0.25 * len(pairs))) as figure:
        axes = figure.add_subplot()
        axes.barh(range(len(pairs)), shares, color=VAL, height=0.68)
        for place, (_, _, images, of) in enumerate(pairs):
            said = f"{images} of {of}"
            axes.annotate(said, (shares[place], place), (3, 0), textcoords="offset points", va="center", fontsize=7.5, color=INK)
        names = [f"{shortened(true)} → {shortened(taken)}" for true, taken, _, _ in pairs]
        axes.set_yticks(range(len(pairs)), names, fontsize=8)
        axes.set_ylim(len(pairs) - 0.4, -0.6)
        axes.set_xlim(0, 1.15 * max(shares, default=1.0))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel("share of the true class (%)")
        axes.set_title(title, loc="left")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
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
            for split, color in (("train", TRAIN), ("val", VAL)):
                values = history[f"{split}_{what}"]
                if values.notna().any():
                    axes.plot(epochs, values * scale, color=color, label=split, **_marks(len(history)))
            axes.set_title(what.capitalize() + (" (%)" if scale != 1 else ""), loc="left", pad=16)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(color=GRID, linewidth=0.6)
            axes.spines[["top", "right"]].set_visible(False)
            _mark_phases(axes, history)
            axes.legend(frameon=False, loc="best")
        save(figure, path)


def columns(text: str) -> int:
    """How wide a text is, in the width of a Latin letter: Chinese, Japanese and Korean letters and emojis take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "FW" else not unicodedata.combining(letter) for letter in text)


def shortened(name: str, length: int = LABEL_LENGTH) -> str:
    """A long class name with its middle left out; `length` in columns."""
    name = printable(name).replace("\n", " ")
    if columns(name) <= length:
        return name
    half = (length - 1) // 2
    head, tail = list(name), list(name)
    while columns("".join(head)) > length - 1 - half:
        head.pop()
    while columns("".join(tail)) > half:
        tail.pop(0)
    return f"{''.join(head)}…{''.join(tail)}"


@contextmanager
def figure_of(size: tuple[float, float]) -> Iterator["Figure"]:
    """A figure under our style alone, whatever the user's matplotlibrc says; `size` in inches."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(STYLE, after_reset=True):
        yield Figure(figsize=size, dpi=120, layout="constrained", facecolor="none")


def save(figure: "Figure", path: Path) -> None:
    """Write as SVG, without the time and the program's name, which would differ from run to run."""
    import warnings

    for axes in figure.axes:
        axes.set_facecolor("none")
    with warnings.catch_warnings(), StringIO() as drawn:
        # The font that text is measured with may lack a script; the one that shows it is the reader's.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        options = {"Date": None, "Creator": None}
        figure.savefig(drawn, format="svg", bbox_inches="tight", pad_inches=0.1, metadata=options)
        path.write_text(themed(drawn.getvalue()), encoding="utf-8", newline="\n")


def themed(svg: str) -> str:
    """The SVG with a ground, and with colours and fonts as a light or a dark page has them."""
    start = svg.index("<svg")
    end = svg.index(">", start) + 1
    body = svg[end:].replace("'DejaVu Sans'", FONT)
    for place, color in enumerate(DARK):
        body = body.replace(color, f"var(--c{place})")
    light, dark = (
        "".join(f"--c{place}:{values[number]};" for place, values in enumerate(DARK.items())) + f"--ground:{GROUND[number]}"
        for number in range(2)
    )
    style = f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    return f'{svg[start:end]}\n{style}\n<rect width="100%" height="100%" style="fill: var(--ground)"/>{body}'


def _shades() -> "Colormap":
    """From nothing to the whole colour."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    return LinearSegmentedColormap.from_list("shades", [to_rgba(SHADE, 0.0), to_rgba(SHADE, 1.0)])


def _confusion_size(count: int, names: float) -> tuple[float, float]:
    """Width and height in inches: the cells, and beside and below them names that are `names` long."""
    cells = min(max(3.4, 0.30 * count + 1.0), 13.4)
    below = names * 0.65 if count <= 12 else names
    return cells + names + 1.4, cells + below + 1.0


def _tick_font(count: int) -> float:
    return 9.0 if count <= 12 else 7.0 if count <= COUNTS_UP_TO else 5.5


def _cell_lines(axes: "Axes", count: int) -> None:
    axes.set_xticks(np.arange(-0.5, count), minor=True)
    axes.set_yticks(np.arange(-0.5, count), minor=True)
    axes.grid(which="minor", color=LINES, linewidth=1.0 if count <= 12 else 0.4)
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
