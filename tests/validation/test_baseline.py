"""Drift: distances between distributions, and the summary that later manifests are compared with."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.validation.baseline import (
    BRIGHTNESS_EDGES,
    SIDE_EDGES,
    Baseline,
    Summary,
    histogram,
    kolmogorov_smirnov,
    total_variation,
)

class_counts = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 1000), min_size=1)
histograms = st.lists(st.integers(0, 1000), min_size=8, max_size=8).filter(any)


@given(class_counts, class_counts)
def test_total_variation_is_a_distance_from_0_to_1(one: dict[str, int], other: dict[str, int]) -> None:
    assert total_variation(one, one) == 0
    assert total_variation(one, other) == pytest.approx(total_variation(other, one))
    assert 0 <= total_variation(one, other) <= 1 + 1e-12


@given(histograms, histograms)
def test_kolmogorov_smirnov_is_a_distance_from_0_to_1(one: list[int], other: list[int]) -> None:
    assert kolmogorov_smirnov(one, one) == 0
    assert kolmogorov_smirnov(one, other) == pytest.approx(kolmogorov_smirnov(other, one))
    assert 0 <= kolmogorov_smirnov(one, other) <= 1 + 1e-12


@given(class_counts, st.integers(2, 9))
def test_growing_all_classes_alike_is_no_drift(counts: dict[str, int], factor: int) -> None:
    assert total_variation(counts, {label: factor * count for label, count in counts.items()}) == pytest.approx(0)


def test_distances_by_hand() -> None:
    assert total_variation({"a": 50, "b": 50}, {"a": 75, "b": 25}) == 0.25
    assert total_variation({"a": 1}, {"b": 1}) == 1
    assert kolmogorov_smirnov([10, 0, 0], [0, 0, 10]) == 1
    assert kolmogorov_smirnov([5, 5, 0], [5, 0, 5]) == 0.5


def test_histograms_lose_no_value_and_ignore_missing_ones() -> None:
    values = pd.Series([-5, 0, 255.9, 256, 1000, np.nan])
    counts = histogram(values, BRIGHTNESS_EDGES)
    assert sum(counts) == 5
    assert (counts[0], counts[-1]) == (2, 3)
    assert sum(histogram(pd.Series([1.0, 160, 1e6]), SIDE_EDGES)) == 3


def test_the_accepted_manifest_keeps_its_predecessor(tmp_path: Path) -> None:
    first, second = (Summary(manifest_sha256=digest, classes={}, brightness=[], short_side=[]) for digest in ("1", "2"))
    path = tmp_path / "baseline.json"
    assert Baseline.read(path) is None
    Baseline(accepted=second, before=first).write(path)
    baseline = Baseline.read(path)
    assert baseline is not None
    assert baseline.previous_of("2") == first
    assert baseline.previous_of("3") == second
