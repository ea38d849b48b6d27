"""How far a model's confidence can be believed, on a card: the reliability curve and its bins, from the answers on test."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgeloop.cards.gallery import Sample
from edgeloop.cards.markdown import Table
from edgeloop.cards.plots import GRID, INK, MUTED, VAL, figure_of, save
from edgeloop.confidence import Bin, calibration_error, reliability
from edgeloop.errors import InputError
from edgeloop.records import FormatResult

TOLERANCE = 1e-6
"""The scores are kept as 32-bit floats."""


def calibration_bins(samples: Sequence[Sample], result: FormatResult) -> list[Bin]:
    """The bins of these answers, which are checked to be those that the record is about.

    Raises:
        InputError: their number, their accuracy or their calibration error is not that of the record.
    """
    confidence = np.array([one.score for one in samples], np.float64)
    right = np.array([one.is_right for one in samples], np.bool_)
    if len(samples) != result.top1.n:
        raise _other(f"answers of {len(samples)} images", f"{result.top1.n}")
    for what, found, stated in (
        ("an accuracy", float(right.mean()), result.top1.value),
        ("a calibration error", calibration_error(confidence, right), result.calibration_error),
    ):
        if abs(found - stated) > TOLERANCE:
            raise _other(f"{what} of {found:.6f} ({result.format})", f"{stated:.6f}")
    return reliability(confidence, right)


def _other(found: str, stated: str) -> InputError:
    return InputError(f"predictions.parquet holds {found}; evaluate.json states {stated}.", "Build both again: dvc repro evaluate.")


def bins_table(bins: Sequence[Bin]) -> Table:
    """Those that have images."""
    rows = [
        [f"{100 * one.low:.1f} - {100 * one.high:.1f}", str(one.n), f"{100 * one.confidence:.2f}", f"{100 * one.accuracy:.2f}"]
        for one in bins
        if one.n
    ]
    return Table(["Confidence (%)", "n", "Mean confidence (%)", "Accuracy (%)"], rows)


def calibration_plot(bins: Sequence[Bin], title: str, path: Path) -> None:
    """Draw accuracy over confidence beside the line of a confidence that is right, and below it how many images each bin has."""
    full = [one for one in bins if one.n]
    places, width = [50 * (one.low + one.high) for one in full], 100 / len(bins)
    curve = [100 * one.confidence for one in full], [100 * one.accuracy for one in full]
    with figure_of((6.2, 5.2)) as figure:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        above.bar(places, curve[1], width=0.92 * width, color=VAL, alpha=0.35)
        above.plot([0, 100], [0, 100], color=MUTED, linewidth=1.0, linestyle="--", label="confidence that is right")
        above.plot(*curve, color=VAL, marker="o", markersize=4, label="answers")
        above.set_ylabel("accuracy (%)")
        above.set_ylim(0, 102)
        above.set_title(title, loc="left")
        above.legend(frameon=False, loc="upper left")
        below.bar(places, [one.n for one in full], width=0.92 * width, color=MUTED)
        for place, one in zip(places, full, strict=True):
            below.annotate(str(one.n), (place, one.n), (0, 2), textcoords="offset points", ha="center", fontsize=7, color=INK)
        below.set_ylim(0, 1.3 * max((one.n for one in full), default=1))
        below.set_ylabel("images")
        below.set_xlabel("confidence (%)")
        below.set_xlim(0, 100)
        for axes in (above, below):
            axes.grid(color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        save(figure, path)
