"""Which images a training learns from and which it is scored on, as rows of one array that stays on disk."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Some rows of an array, read when they are asked for; `index` ascends."""

    array: NDArray[np.generic]
    index: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> NDArray[np.generic]:
        found: NDArray[np.generic] = self.array[self.index[chosen]]
        return found


@dataclass(frozen=True)
class Fold:
    """Indices into the learning images (`train` and `val` in the manifest's order); both ascend."""

    train: NDArray[np.intp]
    held: NDArray[np.intp]
    """Images that the training is scored on; empty where none are held out."""


def declared_fold(rows: pd.DataFrame) -> Fold:
    """The manifest's own division: learn from `train`, be scored on `val`."""
    splits = rows["split"].to_numpy()
    return Fold(np.flatnonzero(splits == "train"), np.flatnonzero(splits == "val"))


def whole(rows: pd.DataFrame) -> Fold:
    """Learn from every image."""
    return Fold(np.arange(len(rows)), np.arange(0))


def folds(rows: pd.DataFrame, count: int, seed: int) -> list[Fold]:
    """`count` folds whose held parts together are all images, stratified by class; look-alikes are held out together.

    Each group of duplicates goes to one part, so that no image is scored by a model that learned from its double.
    """
    groups = rows["duplicate_group"].where(rows["duplicate_group"].notna(), -1 - np.arange(len(rows)))
    order = np.random.default_rng(seed).permutation(len(rows))
    part_of: dict[tuple[str, int], int] = {}
    dealt: dict[str, int] = {}
    parts = np.empty(len(rows), np.intp)
    labels = rows["label"].astype(str).to_numpy()
    for index in order:
        label, key = labels[index], ("group", int(groups.iloc[index]))
        if key not in part_of:
            part_of[key] = dealt.setdefault(label, 0) % count
            dealt[label] += 1
        parts[index] = part_of[key]
    return [Fold(np.flatnonzero(parts != part), np.flatnonzero(parts == part)) for part in range(count)]
