"""A resolution is one number for a square and WIDTHxHEIGHT for any other; grey has one stated formula."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.errors import InputError
from edgeloop.preprocessing import Preprocessing, colored, resize_pixels
from edgeloop.resolution import Size, image_text


@pytest.mark.parametrize(
    ("written", "width", "height", "read"),
    [(96, 96, 96, 96), ("96", 96, 96, 96), ("160x120", 160, 120, "160x120"), ("120x160", 120, 160, "120x160"), ("64x64", 64, 64, 64)],
)
def test_the_width_comes_first(written: int | str, width: int, height: int, read: int | str) -> None:
    assert Size.of(written) == (width, height)
    assert Size.of(written).resolution == read
    assert str(Size.of(written)) == f"{width}x{height}"


@pytest.mark.parametrize("wrong", [0, -96, "0x96", "96x", "x96", "96 x 96", "96x96x3", "", "1e2", True, 96.5])
def test_what_is_no_resolution_is_refused(wrong: int | str) -> None:
    with pytest.raises(ValueError, match="or WIDTHxHEIGHT, such as 160x120"):
        Size.of(wrong)


def test_an_image_is_told_with_its_channels() -> None:
    assert (image_text(96, "rgb"), image_text("160x120", "grey")) == ("96x96x3", "160x120x1")


def test_grey_is_the_formula_for_every_colour_and_leaves_grey_as_it_is() -> None:
    green, blue = (np.ascontiguousarray(levels, np.uint8) for levels in np.meshgrid(np.arange(256), np.arange(256)))
    for red in range(256):
        pixels = np.stack([np.full_like(green, red), green, blue], axis=-1)
        formula = (19595 * red + 38470 * green.astype(int) + 7471 * blue.astype(int) + 32768) >> 16
        assert np.array_equal(colored(pixels, "grey")[..., 0], formula)
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert np.array_equal(colored(np.repeat(levels, 3, axis=2), "grey"), levels)


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["area", "bilinear", "nearest"]), st.integers(0, 99))
def test_grey_is_resized_as_each_channel_of_a_grey_picture_in_rgb(width: int, height: int, rule: str, seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 256, (37, 53, 1), np.uint8)
    resolution = Size(width, height).resolution
    resized = resize_pixels(grey, resolution, rule)  # type: ignore[arg-type]
    assert resized.shape == (height, width, 1)
    assert np.array_equal(np.repeat(resized, 3, axis=2), resize_pixels(np.repeat(grey, 3, axis=2), resolution, rule))  # type: ignore[arg-type]


def test_preprocessing_of_rgb_is_written_as_before(tmp_path: Path) -> None:
    Preprocessing(resolution=96, resize="area", input_range=(0, 1)).write(tmp_path / "preprocessing.json")
    assert list(json.loads((tmp_path / "preprocessing.json").read_text())) == ["resolution", "resize", "input_range"]


def test_preprocessing_of_another_size_and_colour_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Preprocessing(resolution="160x120", resize="area", input_range=(0, 1), color="grey")
    written.write(tmp_path / "preprocessing.json")
    assert Preprocessing.read(tmp_path / "preprocessing.json") == written
    assert written.shape == (120, 160, 1)
    with pytest.raises(InputError, match="WIDTHxHEIGHT"):
        Preprocessing.given(resolution="160:120", resize="area", input_range=None)
