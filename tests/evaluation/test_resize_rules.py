"""The resize rules are TensorFlow's: a model's published accuracy stands only with the rule it was trained with."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeloop.config import Resize
from edgeloop.preprocessing import Pixels, resize_pixels

SIDES = (96, 128, 160, 192, 224, 256, 7, 33)
Resized = Callable[[Pixels, int, str], NDArray[np.float32]]


@pytest.fixture(scope="module")
def tensorflow_resize() -> Resized:
    import tensorflow as tf

    return lambda pixels, side, method: np.asarray(tf.image.resize(pixels, (side, side), method=method))


def pictures(count: int) -> list[tuple[Pixels, int]]:
    """Noise of odd sizes, from one pixel to twice a shard's, and the side to resize it to."""
    rng = np.random.default_rng(11)
    sizes = [(1, 1), (1, 500), (576, 588), (602, 119), *((int(h), int(w)) for h, w in rng.integers(1, 520, (count, 2)))]
    return [(rng.integers(0, 256, (*size, 3), np.uint8), SIDES[number % len(SIDES)]) for number, size in enumerate(sizes)]


def test_nearest_takes_the_very_pixels_that_tensorflow_takes(tensorflow_resize: Resized) -> None:
    for pixels, side in pictures(120):
        assert np.array_equal(resize_pixels(pixels, side, "nearest"), tensorflow_resize(pixels, side, "nearest")), (pixels.shape, side)


@pytest.mark.parametrize("side", [96, 128, 160, 224])
def test_nearest_takes_the_same_column_at_every_width(tensorflow_resize: Resized, side: int) -> None:
    """Double precision differs from TensorFlow's single one at some widths, such as 588 to 160."""
    for width in range(1, 1_000, 3):
        ramp = np.zeros((1, width, 3), np.uint8)
        ramp[0, :, 0], ramp[0, :, 1] = np.arange(width) % 256, np.arange(width) // 256
        assert np.array_equal(resize_pixels(ramp, side, "nearest"), tensorflow_resize(ramp, side, "nearest")), width


def test_bilinear_is_within_one_level_of_tensorflow(tensorflow_resize: Resized) -> None:
    for pixels, side in pictures(60):
        ours = resize_pixels(pixels, side, "bilinear").astype(np.float32)
        assert np.abs(ours - tensorflow_resize(pixels, side, "bilinear")).max() <= 1, (pixels.shape, side)


def test_area_averages_when_it_shrinks() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (192, 192, 3), np.uint8)
    means = pixels.reshape(96, 2, 96, 2, 3).mean(axis=(1, 3))
    assert np.abs(resize_pixels(pixels, 96, "area") - means).max() <= 0.5


@pytest.mark.parametrize("rule", get_args(Resize))
def test_an_image_of_the_right_size_stays_as_it_is(rule: Resize) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    assert np.array_equal(resize_pixels(pixels, 96, rule), pixels)
