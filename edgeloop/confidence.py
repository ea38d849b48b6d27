"""How far the confidence of a classifier can be believed: its calibration error, and the temperature that lowers it."""

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


def expected_calibration_error(probabilities: NDArray[np.floating], labels: Labels) -> float:
    """The mean gap between confidence and accuracy over 15 bins of equal width, weighted by their images.

    `probabilities` is (n, classes), `labels` (n,). C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(labels))


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
