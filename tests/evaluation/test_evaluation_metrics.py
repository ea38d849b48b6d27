"""Accuracy, its interval, and the tables made from a confusion matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.evaluation.metrics import class_results, confusion_matrix, top_k
from edgeloop.records import Accuracy


def test_the_interval_is_wilsons() -> None:
    """The four examples of R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, score method."""
    published = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0.0, 0.1611), (1, 29): (0.0061, 0.1718)}
    for (hits, n), interval in published.items():
        assert Accuracy.of(hits, n).ci95 == pytest.approx(interval, abs=5e-5)


@given(st.integers(1, 5_000), st.floats(0, 1))
def test_the_interval_holds_the_value_and_stays_within_0_and_1(n: int, share: float) -> None:
    found = Accuracy.of(round(n * share), n)
    low, high = found.ci95
    assert 0 <= low <= found.value <= high <= 1
    assert high > low


def test_more_images_narrow_the_interval() -> None:
    few, many = Accuracy.of(80, 100).ci95, Accuracy.of(8_000, 10_000).ci95
    assert many[1] - many[0] < (few[1] - few[0]) / 9


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    labels, predicted = np.array([0, 0, 0, 2], np.int32), np.array([0, 1, 1, 2], np.int32)
    assert confusion_matrix(labels, predicted, 3).tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_a_class_without_images_has_no_recall_and_one_never_predicted_no_precision() -> None:
    first, second, third = class_results(np.array([[1, 2, 0], [0, 0, 0], [1, 0, 0]], np.int64), ["a", "b", "c"])
    assert (first.n, first.recall, first.precision) == (3, 1 / 3, 0.5)
    assert (second.n, second.recall, second.precision) == (0, None, 0.0)
    assert (third.n, third.recall, third.precision) == (1, 0.0, None)


def test_top_k_counts_places_and_breaks_ties_as_argmax_does() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.2, 0.2, 0.2]], np.float32)
    labels = np.array([1, 1, 2], np.int32)
    assert [top_k(scores, labels, k).value for k in (1, 2, 3)] == [0, pytest.approx(2 / 3), 1]


@given(st.integers(2, 12), st.integers(1, 40), st.integers(0, 2**31))
def test_top_1_is_the_share_that_argmax_hits(classes: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (n, classes)).astype(np.float32)
    labels = rng.integers(0, classes, n).astype(np.int32)
    assert top_k(scores, labels, 1).value == pytest.approx((scores.argmax(axis=1) == labels).mean())
