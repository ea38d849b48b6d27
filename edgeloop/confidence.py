"""How far the confidence of a classifier can be believed: its calibration error, and the temperature that lowers it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
SHARPEST, FLATTEST = 4.0, 0.25
"""Bounds of 1 / temperature: a few images that are all classified right ask for more than they can show."""
_HALVINGS = 40

Logits = NDArray[np.floating]
Labels = NDArray[np.integer]


def softmax(logits: Logits) -> NDArray[np.float64]:
    """(n, classes) probabilities of (n, classes) logits."""
    powers: NDArray[np.float64] = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


@dataclass(frozen=True)
class Bin:
    """The images whose confidence lies in one bin: above `low`, `high` included."""

    low: float
    high: float
    n: int
    confidence: float
    """The mean of its images; of no images it is NaN, as is the accuracy."""
    accuracy: float


def expected_calibration_error(probabilities: NDArray[np.floating], labels: Labels) -> float:
    """The mean gap between confidence and accuracy over 15 bins of equal width, weighted by their images.

    `probabilities` is (n, classes), `labels` (n,). C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    return calibration_error(confidence, right)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """The same from the (n,) confidences of the answers, and whether each is right."""
    gaps = np.bincount(_bins(confidence), right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(right))


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """The 15 bins of the calibration error, from the (n,) confidences of the answers, and whether each is right."""
    places = _bins(confidence)
    counts = np.bincount(places, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = np.bincount(places, confidence, BINS) / counts
        accuracies = np.bincount(places, right.astype(np.float64), BINS) / counts
    found = zip(counts, means, accuracies, strict=True)
    return [Bin(place / BINS, (place + 1) / BINS, int(n), float(mean), float(share)) for place, (n, mean, share) in enumerate(found)]


def _bins(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each confidence."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def log_loss(logits: Logits, labels: Labels) -> float:
    """The mean cross-entropy in nats of (n, classes) logits."""
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]).mean())


def best_temperature(logits: Logits, labels: Labels) -> float:
    """What to divide (n, classes) logits by for the least cross-entropy; from 0.25 to 4.

    The loss is convex in the inverse: its slope, the mean of expected minus true logit, is brought to zero by bisection.
    """
    values = logits.astype(np.float64)
    true = values[np.arange(len(labels)), labels]
    low, high = FLATTEST, SHARPEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        slope = float(((softmax(values * middle) * values).sum(1) - true).mean())
        low, high = (middle, high) if slope < 0 else (low, middle)
    return round(2 / (low + high), 4)
