"""Counts and rates of a classification, as records state them."""

import numpy as np
from numpy.typing import NDArray

from edgeloop.records import Accuracy, ClassResult

Labels = NDArray[np.int32]
Counts = NDArray[np.int64]


def top_k(scores: NDArray[np.float32], labels: Labels, k: int) -> Accuracy:
    """Share of images whose class is among the k best scores; of equal scores the lower class index is better.

    `scores` is (n, classes), `labels` (n,).
    """
    of_label = np.take_along_axis(scores, labels[:, None].astype(np.intp), axis=1)
    indices = np.arange(scores.shape[1])
    better = (scores > of_label) | ((scores == of_label) & (indices < labels[:, None]))
    return Accuracy.of(int((better.sum(axis=1) < k).sum()), len(labels))


def confusion_matrix(labels: Labels, predicted: Labels, classes: int) -> Counts:
    """Counts (classes, classes): rows are true classes, columns predicted ones."""
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def class_results(confusion: Counts, names: list[str]) -> list[ClassResult]:
    """Recall and precision of each class; null where a class has no images, or was never predicted."""
    hits, of_class, as_class = np.diagonal(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        ClassResult(label=name, n=int(n), recall=_share(hit, n), precision=_share(hit, predicted))
        for name, hit, n, predicted in zip(names, hits, of_class, as_class, strict=True)
    ]


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
