"""Calibration error and temperature, on distributions whose values are known."""

import numpy as np
import pytest

from edgeloop.confidence import best_temperature, expected_calibration_error, log_loss, softmax


def drawn(scale: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose own probabilities are right, multiplied by `scale`; and labels drawn from the right ones."""
    rng = np.random.default_rng(3)
    logits = 2 * rng.standard_normal((n, 4))
    labels = (rng.random(n)[:, None] > softmax(logits).cumsum(1)).sum(1)
    return logits * scale, labels


def test_the_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.tile([0.9, 0.1], (10, 1))
    assert expected_calibration_error(probabilities, np.array([0] * 9 + [1])) == pytest.approx(0)
    assert expected_calibration_error(probabilities, np.array([0] * 5 + [1] * 5)) == pytest.approx(0.4)
    assert expected_calibration_error(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(1)


def test_gaps_of_opposite_sign_in_different_bins_do_not_cancel() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10 + [[0.6, 0.4]] * 10)
    labels = np.array([0] * 7 + [1] * 3 + [0] * 8 + [1] * 2)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.2)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor(scale: float) -> None:
    logits, labels = drawn(scale)
    temperature = best_temperature(logits, labels)
    assert temperature == pytest.approx(scale, rel=0.05)
    assert log_loss(logits / temperature, labels) <= log_loss(logits, labels)
    assert expected_calibration_error(softmax(logits / temperature), labels) < 0.01


def test_the_temperature_is_bounded_where_all_or_nothing_is_right() -> None:
    logits = np.array([[3.0, 0.0], [0.0, 3.0]])
    assert best_temperature(logits, np.array([0, 1])) == 0.25
    assert best_temperature(logits, np.array([1, 0])) == 4.0
