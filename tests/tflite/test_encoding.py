"""From pixels to a model's input: the raw pixel by default, a stated range through the file's scale and zero point."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edgeloop.errors import InputError
from edgeloop.preprocessing import Preprocessing, Range
from edgeloop.tflite.encoding import Encoder, raw, raw_range, stands_for

PATH = Path("model.tflite")
PIXELS = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True)
class Input:
    dtype: str
    scale: float
    zero_point: int


def encoder(taken: Input, input_range: Range | None) -> Encoder:
    return Encoder(PATH, taken, Preprocessing(resolution=96, resize="area", input_range=input_range))


def encoded(taken: Input, input_range: Range | None) -> list[int]:
    values = encoder(taken, input_range)(PIXELS)
    assert values.dtype == taken.dtype
    return [int(value) for value in values]


SIGNED, UNSIGNED = Input("uint8", 2 / 255, 127), Input("uint8", 1 / 255, 0)
OWN = [
    (SIGNED, (-1.0, 1.0)),
    (Input("uint8", float(np.float32(2 / 255)), 128), (-1.0, 1.0)),
    (UNSIGNED, (0.0, 1.0)),
    (Input("uint8", float(np.float32(1 / 255)), 0), (0.0, 1.0)),
    (Input("uint8", 1.0, 0), (0.0, 255.0)),
    (Input("int8", 2 / 255, -1), (-1.0, 1.0)),
    (Input("int8", 1 / 255, -128), (0.0, 1.0)),
    (Input("uint8", 0.0, 0), (0.0, 255.0)),
]


@pytest.mark.parametrize("taken", [SIGNED, Input("int8", 0.02, 3), Input("uint8", 0.0, 0)])
def test_without_a_stated_range_it_is_the_raw_pixel(taken: Input) -> None:
    assert encoded(taken, None) == [level - 128 * (taken.dtype == "int8") for level in range(256)]


@pytest.mark.parametrize(("taken", "input_range"), OWN)
def test_the_range_that_the_raw_pixel_stands_for_gives_the_raw_pixel_to_the_bit(taken: Input, input_range: Range) -> None:
    assert stands_for(taken, input_range)
    assert encoded(taken, input_range) == encoded(taken, None)


@pytest.mark.parametrize(
    ("taken", "input_range", "levels"),
    [
        (Input("int8", 2 / 255, -1), (0.0, 1.0), {0: -1, 1: 0, 2: 0, 128: 63, 255: 127}),
        (Input("uint8", 0.0127, 33), (0.0, 1.0), {0: 33, 255: 112}),
        (Input("uint8", 0.0127, 33), (-1.0, 1.0), {0: 0, 128: 33, 255: 112}),
        (UNSIGNED, (1.0, 0.0), {0: 255, 255: 0}),
    ],
)
def test_another_range_goes_through_scale_and_zero_point(taken: Input, input_range: Range, levels: dict[int, int]) -> None:
    found = encoded(taken, input_range)
    assert {level: found[level] for level in levels} == levels
    low, high = input_range
    exact = (low + np.arange(256) * (high - low) / 255) / taken.scale + taken.zero_point
    limits = np.iinfo(taken.dtype)
    assert np.abs(found - exact.clip(limits.min, limits.max)).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("taken", "input_range", "words"),
    [
        (SIGNED, (0.0, 255.0), "holds -0.996078 to 1.00392; 254 of the 256 levels of a pixel lie outside"),
        (Input("uint8", 1.0, 0), (-1.0, 1.0), "holds 0 to 255; a pixel would have 2 levels only"),
        (Input("uint8", 0.0, 0), (0.0, 1.0), "holds 0 to 255; a pixel would have 2 levels only"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused_with_the_numbers(taken: Input, input_range: Range, words: str) -> None:
    with pytest.raises(InputError) as refused:
        encoder(taken, input_range)
    assert words in refused.value.what
    assert "it then takes the raw pixel, which stands for" in refused.value.remedy


def test_a_float_input_takes_the_range_and_needs_one() -> None:
    taken = Input("float32", 0.0, 0)
    assert encoder(taken, (-1.0, 1.0))(PIXELS)[[0, 255]].tolist() == [-1.0, 1.0]
    with pytest.raises(InputError, match="nothing says which range"):
        encoder(taken, None)


def test_what_raw_pixels_stand_for_is_known() -> None:
    assert raw_range(Input("int8", 0.5, -128)) == (0.0, 127.5)
    assert raw_range(Input("uint8", 0.5, 128)) == (-64.0, 63.5)


def test_raw_int8_is_the_pixel_less_128() -> None:
    assert np.array_equal(raw(PIXELS, "int8"), PIXELS.astype(int) - 128)


@pytest.mark.parametrize("input_range", [(1.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_a_range_without_an_extent_is_refused(input_range: Range) -> None:
    with pytest.raises(InputError, match="This preprocessing is invalid: input_range"):
        Preprocessing.given(resolution=96, resize="area", input_range=input_range)
