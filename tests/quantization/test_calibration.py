"""The calibration sample: seeded, and each class in its share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.quantization.calibration import stratified_sample, with_full_range

label_lists = st.lists(st.integers(0, 6), min_size=1, max_size=300).map(lambda labels: np.asarray(labels, np.int32))
wanted_counts = st.integers(1, 350)
seeds = st.integers(0, 2**31)


@given(label_lists, wanted_counts, seeds)
def test_it_holds_as_many_different_images_as_were_asked_for(labels: np.ndarray, count: int, seed: int) -> None:
    chosen = stratified_sample(labels, count, seed)
    assert len(chosen) == min(count, len(labels))
    assert (np.diff(chosen) > 0).all()
    assert ((chosen >= 0) & (chosen < len(labels))).all()


@given(label_lists, wanted_counts, seeds)
def test_each_class_is_within_one_image_of_its_share(labels: np.ndarray, count: int, seed: int) -> None:
    taken = np.bincount(labels[stratified_sample(labels, count, seed)], minlength=7)
    shares = min(count, len(labels)) * np.bincount(labels, minlength=7) / len(labels)
    assert (np.abs(taken - shares) < 1).all()


@given(label_lists, wanted_counts, seeds)
def test_the_same_seed_draws_the_same_images(labels: np.ndarray, count: int, seed: int) -> None:
    assert np.array_equal(stratified_sample(labels, count, seed), stratified_sample(labels, count, seed))


def test_another_seed_draws_other_images() -> None:
    labels = np.repeat(np.arange(5, dtype=np.int32), 100)
    assert not np.array_equal(stratified_sample(labels, 50, 1), stratified_sample(labels, 50, 2))


def test_a_class_does_not_change_the_draw_of_another() -> None:
    labels = np.repeat(np.arange(2, dtype=np.int32), 100)
    mixed = np.where(labels == 1, np.int32(3), labels)
    assert np.array_equal(stratified_sample(labels, 50, 1)[:25], stratified_sample(mixed, 50, 1)[:25])


@pytest.mark.parametrize("level", [0, 40, 255])
def test_both_ends_of_the_range_are_always_there(level: int) -> None:
    pixels = np.full((3, 8, 8, 3), level, np.uint8)
    spread = with_full_range(pixels)
    assert (spread.min(), spread.max()) == (0, 255)
    assert (pixels == level).all()
    assert (spread != pixels).any(axis=3).sum() <= 2
