"""What a manifest says, as the rules see it: a table of images with derived columns, and one figure for each rule."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from edgeloop.config import Dataset
from edgeloop.datasets.manifest import SPLITS, was_dropped
from edgeloop.datasets.outside import outside_share
from edgeloop.records import Outside
from edgeloop.validation.baseline import Summary, kolmogorov_smirnov, summarise, total_variation
from edgeloop.validation.lookalikes import conflicting

Figures = dict[str, float | None]
USUAL_FORMATS = ("JPEG", "MPO", "PNG", "BMP", "WEBP", "GIF", "TIFF")
_OUTLIER_DEVIATIONS = 6.0
_MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True)
class Facts:
    """A manifest, measured."""

    members: pd.DataFrame
    """Every row of the manifest."""
    images: pd.DataFrame
    """Those in a split, on the same index, with the columns that `derived` adds."""
    figures: Figures
    """The measured figure of each rule by its name; None where there is nothing to measure."""
    summary: Summary
    previous: Summary | None
    outside: Outside


def gather(manifest: pd.DataFrame, manifest_sha256: str, dataset: Dataset, previous: Summary | None, outside: Outside) -> Facts:
    """Measure a manifest; `previous` is the accepted one before it, `outside` what of the archive is not in it."""
    images = derived(manifest[manifest["split"].notna()], dataset.prepare.near_duplicate_bits)
    summary = summarise(images, manifest_sha256)
    figures = {**_counted(manifest, images, dataset), **_flagged(images), **_drift(summary, previous)}
    figures["outside_class_folders"] = outside_share(outside, len(manifest))
    figures["empty_class_folders"] = float(len(outside.empty_class_folders))
    return Facts(manifest, images, figures, summary, previous, outside)


def rounding_share(facts: Facts) -> float:
    """Half an image of each class, as a share of all images: what dividing each class into whole images can shift."""
    return 0.5 * len(facts.summary.classes) / max(len(facts.images), 1)


def derived(images: pd.DataFrame, near_duplicate_bits: int) -> pd.DataFrame:
    """Images with `short_side`, `aspect_ratio` and the flags of the row-level rules."""
    table = images.copy()
    table["short_side"] = table[["width", "height"]].min(axis=1)
    table["aspect_ratio"] = table[["width", "height"]].max(axis=1) / table["short_side"]
    table["unusual_format"] = ~table["format"].isin(USUAL_FORMATS)
    table["exact_duplicate"] = table.duplicated("sha256")
    table["duplicate"] = table["exact_duplicate"] | (table["duplicate_group"].notna() & table.duplicated("duplicate_group"))
    table["split_leak"] = _in_several_splits(table, "sha256") | _in_several_splits(table, "duplicate_group")
    table["label_conflict"] = conflicting(table, near_duplicate_bits)
    table["brightness_outlier"] = _outlying(table["brightness"])
    table["sharpness_outlier"] = _outlying(np.log1p(table["sharpness"].clip(lower=0)))
    return table


def _counted(members: pd.DataFrame, images: pd.DataFrame, dataset: Dataset) -> Figures:
    """Figures of the classes, the splits and the sizes."""
    per_class = images["label"].value_counts()
    even = len(images) / max(len(per_class), 1)
    declared = set(dataset.validation.classes or per_class.index)
    in_split = images["split"].value_counts()
    rest = len(images) - in_split.get("test", 0)
    return {
        "classes": float(len(declared ^ set(per_class.index))),
        "class_count": float(len(per_class)),
        "image_count": float(len(images)),
        "smallest_class": _share(per_class.min(), even),
        "largest_class": _share(per_class.max(), even),
        "smallest_class_images": float(per_class.min()) if len(per_class) else None,
        "short_side": _extreme(images["short_side"].min()),
        "aspect_ratio": _extreme(images["aspect_ratio"].max()),
        "quarantine_rate": _share((members["reason"].notna() & ~was_dropped(members)).sum(), len(members)),
        "test_share": _share(in_split.get("test", 0), len(images)),
        "val_share": _share(in_split.get("val", 0), rest),
        "missing_in_splits": float(_missing_in_splits(images, sorted(declared), needed_splits(dataset))),
    }


def _flagged(images: pd.DataFrame) -> Figures:
    """Figures that are a count or a share of flagged images."""
    count = len(images)
    return {
        "unusual_formats": _share(images["unusual_format"].sum(), count),
        "exact_duplicate_rate": _share(images["exact_duplicate"].sum(), count),
        "duplicate_rate": _share(images["duplicate"].sum(), count),
        "split_leaks": float(images["split_leak"].sum()),
        "label_conflicts": float(images["label_conflict"].sum()),
        "brightness_outliers": _share(images["brightness_outlier"].sum(), count),
        "sharpness_outliers": _share(images["sharpness_outlier"].sum(), count),
    }


def _drift(summary: Summary, previous: Summary | None) -> Figures:
    if previous is None:
        return {"class_drift": None, "brightness_drift": None, "size_drift": None}
    return {
        "class_drift": total_variation(summary.classes, previous.classes),
        "brightness_drift": kolmogorov_smirnov(summary.brightness, previous.brightness),
        "size_drift": kolmogorov_smirnov(summary.short_side, previous.short_side),
    }


def needed_splits(dataset: Dataset) -> list[str]:
    """The splits that must not be empty: those to which the parameters give a share."""
    split = dataset.prepare.split
    given = {"train": 1.0, "val": split.val_fraction, "test": split.test_fraction}
    return [name for name in SPLITS if given[name] > 0]


def _missing_in_splits(images: pd.DataFrame, classes: list[str], splits: list[str]) -> int:
    """How many pairs of class and split have no image."""
    present = images[images["split"].isin(splits)][["label", "split"]].drop_duplicates()
    return len(classes) * len(splits) - int(present["label"].isin(classes).sum())


def _in_several_splits(images: pd.DataFrame, key: str) -> "pd.Series[bool]":
    """Whether the value in column `key` occurs in more than one split; a missing value does not."""
    pairs = images[[key, "split"]].dropna(subset=[key]).drop_duplicates()
    counts = pairs[key].value_counts()
    return images[key].isin(counts[counts > 1].index)


def _outlying(values: "pd.Series[float]") -> "pd.Series[bool]":
    """More than six robust standard deviations (from the median absolute deviation) from the median."""
    distance = (values - values.median()).abs()
    scale = distance.median() * _MAD_TO_DEVIATION
    return distance > _OUTLIER_DEVIATIONS * max(scale, 1e-6) if scale > 0 else distance > np.inf


def _share(part: float, whole: float) -> float | None:
    """None of an empty whole."""
    return float(part / whole) if whole else None


def _extreme(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
