"""Sample predictions: some that are right, and the mistakes that the model was most confident about."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from edgeloop.cards.plots import INK, MUTED, figure_of, save, shortened
from edgeloop.config import Resize
from edgeloop.datasets.manifest import ShardReader, read_manifest
from edgeloop.errors import InputError
from edgeloop.preprocessing import Pixels, decode, resize_pixels
from edgeloop.workspace import DatasetPaths

COLUMNS = 6
RIGHT, WRONG = "#1a7f37", "#c62828"


@dataclass(frozen=True)
class Sample:
    """One image of the test split and what the model says about it."""

    path: str
    label: str
    predicted: str
    score: float

    @property
    def is_right(self) -> bool:
        return self.predicted == self.label


def choose_samples(predictions: pd.DataFrame, format_name: str) -> list[Sample]:
    """Up to `COLUMNS` right ones, spread over the classes by a draw that does not look at the picture, and up to
    `COLUMNS` mistakes with the highest confidence.

    `predictions` has the columns path, label, `<format>_class` and `<format>_score`, where the format `int8 per-channel`
    is named `per_channel`.

    Raises:
        InputError: a column is missing.
    """
    prefix = format_name.removeprefix("int8 ").replace("-", "_")
    columns = ["path", "label", f"{prefix}_class", f"{prefix}_score"]
    if missing := [name for name in columns if name not in predictions.columns]:
        raise InputError(f"The predictions have no column {', '.join(missing)}.", "Build them again: dvc repro evaluate.")
    rows = [predictions[name].tolist() for name in columns]
    samples = [Sample(str(path), str(label), str(guess), float(score)) for path, label, guess, score in zip(*rows, strict=True)]
    mistakes = sorted((one for one in samples if not one.is_right), key=lambda one: (-one.score, one.path))
    return _spread([one for one in samples if one.is_right]) + mistakes[:COLUMNS]


def draw_gallery(samples: Sequence[Sample], dataset: DatasetPaths, side: int, resize: Resize, path: Path) -> None:
    """Draw the samples as the model sees them (resized to `side`), with label, prediction and confidence.

    Raises:
        InputError: a picture is not in the data set's shards.
    """
    pictures = _pictures(samples, dataset, side, resize)
    groups = [group for group in ([one for one in samples if one.is_right], [one for one in samples if not one.is_right]) if group]
    with figure_of((1.62 * COLUMNS, 2.15 * len(groups))) as figure:
        grid = figure.subplots(len(groups), COLUMNS, squeeze=False)
        for row, group in zip(grid, groups, strict=True):
            for place, axes in enumerate(row):
                axes.set_axis_off()
                if place < len(group):
                    _draw(axes, group[place], pictures[group[place].path])
        save(figure, path)


def _draw(axes: Any, sample: Sample, picture: Pixels) -> None:
    axes.imshow(picture, interpolation="antialiased")
    color = RIGHT if sample.is_right else WRONG
    axes.text(0, 1.12, shortened(sample.predicted, 20), color=color, fontsize=8, fontweight="bold", va="bottom", transform=axes.transAxes)
    axes.text(1, 1.12, f"{sample.score:.0%}", color=color, fontsize=8, ha="right", va="bottom", transform=axes.transAxes)
    below = "" if sample.is_right else f"is {shortened(sample.label, 22)}"
    axes.text(0, 1.02, below or "right", color=INK if below else MUTED, fontsize=7, va="bottom", transform=axes.transAxes)


def _pictures(samples: Sequence[Sample], dataset: DatasetPaths, side: int, resize: Resize) -> dict[str, Pixels]:
    manifest = read_manifest(dataset.manifest)
    rows = manifest[manifest["path"].isin([one.path for one in samples])]
    if missing := {one.path for one in samples} - set(rows["path"]):
        raise InputError(f"{dataset.manifest} has no {sorted(missing)[0]}, which evaluate.json is about.", "Run dvc repro.")
    try:
        with ShardReader(dataset.images) as shards:
            encoded = shards.read_rows(rows)
    except OSError as error:
        raise InputError(f"{dataset.images} has no readable shards: {error.strerror}.", "Restore them: dvc checkout.") from None
    return {path: resize_pixels(decode(content), side, resize) for path, content in zip(rows["path"], encoded, strict=True)}


def _spread(samples: Sequence[Sample]) -> list[Sample]:
    """Up to `COLUMNS` samples of as many classes as there are, drawn by the digest of their paths."""
    drawn = sorted(samples, key=lambda one: hashlib.sha256(one.path.encode()).digest())
    seen: dict[str, int] = {}
    ranked = []
    for place, one in enumerate(drawn):
        seen[one.label] = seen.get(one.label, 0) + 1
        ranked.append((seen[one.label], place, one))
    chosen = [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])[:COLUMNS]]
    return sorted(chosen, key=lambda one: (one.label, one.path))
