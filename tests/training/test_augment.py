"""Augmentation: every operation does what its description says, and a batch depends on its seed alone."""

import threading
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import coloured

from edgeloop.augmentation import Affine, Augmentation, Color, Crop, Erase, Flip, Mixup, Noise
from edgeloop.preprocessing import Pixels
from edgeloop.training.augment import Augmenter

SIDE = 32
EVERYTHING: list[Augmentation] = [
    Flip(op="flip", vertical=True), Crop(op="crop"), Affine(op="affine", degrees=20, shift=0.1, zoom=(0.8, 1.2), shear=0.1),
    Color(op="color", brightness=0.1, contrast=0.3, saturation=0.3, hue=0.05), Noise(op="noise"), Erase(op="erase"),
]  # fmt: skip


def augmented(images: Pixels, *operations: Augmentation, seed: int = 1, side: int = SIDE) -> Pixels:
    return Augmenter(operations, side)(images, np.random.default_rng(seed))


def photographs(count: int, side: int = SIDE) -> Pixels:
    return np.stack([coloured(("red", "green", "blue")[seed % 3], seed, (side, side)) for seed in range(count)])


def slope(side: int = SIDE) -> Pixels:
    """Red rises by 2 for each pixel to the right, green for each downwards: a pixel says where it comes from."""
    place = np.arange(side, dtype=np.uint8) * 2
    return np.stack([*np.meshgrid(place, place), np.full((side, side), 100, np.uint8)], axis=-1)[None]


def inner(images: Pixels) -> Any:
    return images[:, 8:-8, 8:-8].astype(int)


def test_without_operations_and_at_the_same_side_nothing_changes() -> None:
    images = photographs(5)
    assert np.array_equal(augmented(images), images)


def test_without_operations_a_larger_image_is_resized() -> None:
    images = np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in photographs(3, 37)])
    expected = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for image in images])
    assert np.abs(augmented(images).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("neutral", [
    Affine(op="affine"), Color(op="color"), Noise(op="noise", std=0), Erase(op="erase", probability=0),
    Crop(op="crop", area=(1, 1), aspect=(1, 1)), Flip(op="flip", horizontal=False),
])  # fmt: skip
def test_an_operation_without_strength_changes_nothing(neutral: Augmentation) -> None:
    images = photographs(5)
    assert np.array_equal(augmented(images, neutral), images)


def test_half_of_the_images_are_mirrored_exactly() -> None:
    images = photographs(200)
    flipped = augmented(images, Flip(op="flip"))
    mirrored = np.array([np.array_equal(found, image[:, ::-1]) for found, image in zip(flipped, images, strict=True)])
    kept = np.array([np.array_equal(found, image) for found, image in zip(flipped, images, strict=True)])
    assert (mirrored ^ kept).all()
    assert 70 < mirrored.sum() < 130


def test_a_vertical_flip_turns_upside_down() -> None:
    images = photographs(50)
    flipped = augmented(images, Flip(op="flip", horizontal=False, vertical=True))
    ways = {"up" if np.array_equal(found, image) else "down" for found, image in zip(flipped, images, strict=True)}
    assert ways == {"up", "down"}
    assert all(np.array_equal(found, image) or np.array_equal(found, image[::-1]) for found, image in zip(flipped, images, strict=True))


def test_a_crop_is_a_window_of_the_area_and_aspect_asked_for() -> None:
    cropped = augmented(np.repeat(slope(), 100, axis=0), Crop(op="crop", area=(0.25, 0.25), aspect=(1, 1)))
    columns = np.diff(inner(cropped)[..., 0], axis=2).mean(axis=(1, 2))
    rows = np.diff(inner(cropped)[..., 1], axis=1).mean(axis=(1, 2))
    assert columns == pytest.approx(1, abs=0.03)  # half as steep: a window of half the width
    assert rows == pytest.approx(1, abs=0.03)
    centres = cropped[:, 15:17, 15:17, 0].mean(axis=(1, 2)) / 2
    assert centres.min() > 7 and centres.max() < 24  # windows of 16 pixels lie inside the image
    assert centres.std() > 3


def test_a_crops_aspect_is_width_over_height() -> None:
    cropped = augmented(slope(), Crop(op="crop", area=(0.5, 0.5), aspect=(1.5, 1.5)))
    width, height = (np.diff(inner(cropped)[..., channel], axis=axis).mean() / 2 for channel, axis in ((0, 2), (1, 1)))
    assert width / height == pytest.approx(1.5, abs=0.1)
    assert width * height == pytest.approx(0.5, abs=0.05)


def test_a_shift_moves_within_its_bounds() -> None:
    shifted = inner(augmented(np.repeat(slope(), 200, axis=0), Affine(op="affine", shift=0.125)))
    moved = (shifted - inner(slope())).mean(axis=(1, 2)) / 2
    assert np.abs(moved[:, :2]).max() == pytest.approx(SIDE * 0.125, abs=0.5)
    assert moved[:, 0].std() > 1
    assert np.abs(moved[:, 0] - moved[:, 1]).max() > 1


def test_a_rotation_turns_up_to_the_angle_asked_for() -> None:
    turned = inner(augmented(np.repeat(slope(), 200, axis=0), Affine(op="affine", degrees=15)))
    across, down = np.diff(turned[..., 0], axis=2).mean(axis=(1, 2)), np.diff(turned[..., 0], axis=1).mean(axis=(1, 2))
    angles = np.degrees(np.arctan2(down, across))
    assert 13 < np.abs(angles).max() < 16
    assert angles.min() < -5 < 5 < angles.max()
    assert np.hypot(across, down) == pytest.approx(2, abs=0.1)


def test_a_zoom_above_one_enlarges() -> None:
    zoomed = inner(augmented(slope(), Affine(op="affine", zoom=(1.25, 1.25))))
    assert np.diff(zoomed[..., 0], axis=2).mean() == pytest.approx(2 / 1.25, abs=0.05)


def test_a_shear_leans_columns_by_its_tangent() -> None:
    sheared = inner(augmented(np.repeat(slope(), 100, axis=0), Affine(op="affine", shear=0.2)))
    lean = np.diff(sheared[..., 0], axis=1).mean(axis=(1, 2)) / 2
    assert np.abs(lean).max() == pytest.approx(0.2, abs=0.03)
    assert np.diff(sheared[..., 1], axis=1).mean() == pytest.approx(2, abs=0.05)


def test_geometry_happens_in_the_order_of_the_list() -> None:
    quarter: list[Augmentation] = [Crop(op="crop", area=(0.25, 0.25), aspect=(1, 1)), Affine(op="affine", shift=0.25)]
    first_cropped = augmented(np.repeat(slope(), 300, axis=0), *quarter)
    first_moved = augmented(np.repeat(slope(), 300, axis=0), *reversed(quarter))
    spread = [centres[:, 15:17, 15:17, 0].mean(axis=(1, 2)).std() for centres in (first_cropped, first_moved)]
    assert spread[0] < spread[1] - 1  # within a window of half the width a shift is half as far


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 0.5), st.integers(0, 100))
def test_brightness_and_contrast_stay_within_their_bounds(brightness: float, contrast: float, seed: int) -> None:
    levels = np.repeat(np.full((1, SIDE, SIDE, 3), 1, np.uint8) * np.array([64, 128, 192], np.uint8), 20, axis=0)
    found = augmented(levels, Color(op="color", brightness=brightness, contrast=contrast), seed=seed)[:, 0, 0].astype(float)
    centre, low, high = np.abs(found[:, 1] - 127.5), 63.5 * (1 - contrast), 64.5 * (1 + contrast)
    assert (centre <= brightness * 255 + contrast + 1.5).all()
    inside = (found.min(axis=1) > 0) & (found.max(axis=1) < 255)
    assert ((found[inside, 2] - found[inside, 1] >= low - 1.5) & (found[inside, 2] - found[inside, 1] <= high + 1.5)).all()


def test_without_contrast_brightness_moves_all_channels_alike() -> None:
    image = np.full((50, SIDE, SIDE, 3), [80, 120, 160], np.uint8)
    found = augmented(image, Color(op="color", brightness=0.2))[:, 0, 0].astype(int)
    assert (np.ptp(found - [80, 120, 160], axis=1) <= 1).all()
    assert np.ptp(found[:, 0]) > 40


def test_grey_stays_grey_under_saturation_and_hue() -> None:
    grey = np.full((50, SIDE, SIDE, 3), 90, np.uint8)
    assert np.abs(augmented(grey, Color(op="color", saturation=0.5, hue=0.5)).astype(int) - 90).max() <= 1


def test_saturation_moves_colours_to_or_from_their_grey() -> None:
    image = np.full((50, SIDE, SIDE, 3), [120, 90, 60], np.uint8)
    found = augmented(image, Color(op="color", saturation=0.5))[:, 0, 0].astype(float)
    luma = 0.299 * 120 + 0.587 * 90 + 0.114 * 60
    strength = (found[:, 0] - luma) / (120 - luma)
    assert strength.min() == pytest.approx(0.5, abs=0.1) and strength.max() == pytest.approx(1.5, abs=0.1)


def test_a_hue_turn_of_a_third_makes_red_green_or_blue() -> None:
    image = np.full((400, SIDE, SIDE, 3), [200, 50, 50], np.uint8)
    found = augmented(image, Color(op="color", hue=0.34))[:, 0, 0].astype(int)
    for target in ([50, 200, 50], [50, 50, 200], [200, 50, 50]):
        assert np.abs(found - target).max(axis=1).min() <= 12
    assert np.abs(found.sum(axis=1) - 300).max() <= 3


def test_noise_has_at_most_the_deviation_asked_for_and_no_bias() -> None:
    grey = np.full((100, SIDE, SIDE, 3), 127, np.uint8)
    deviation = augmented(grey, Noise(op="noise", std=0.05)).astype(float) - 127
    assert 10 < deviation.std(axis=(1, 2, 3)).max() < 0.05 * 255 * 1.05
    assert abs(deviation.mean()) < 0.1


def test_erasing_fills_one_rectangle_of_the_area_asked_for_in_its_share_of_images() -> None:
    grey = np.full((400, SIDE, SIDE, 3), 127, np.uint8)
    changed = (augmented(grey, Erase(op="erase", probability=0.5, area=(0.1, 0.2))) != 127).any(axis=3)
    erased = changed[changed.any(axis=(1, 2))]
    assert 160 < len(erased) < 240
    assert erased.mean(axis=(1, 2)).min() > 0.06 and erased.mean(axis=(1, 2)).max() <= 0.2
    assert all(np.array_equal(mask, np.outer(mask.any(axis=1), mask.any(axis=0))) for mask in erased)


def test_everything_together_keeps_shape_and_type() -> None:
    found = augmented(photographs(7, 37), *EVERYTHING)
    assert found.shape == (7, SIDE, SIDE, 3)
    assert found.dtype == np.uint8


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_the_seed_alone_decides(seed: int) -> None:
    images, augmenter = photographs(6), Augmenter(EVERYTHING, SIDE)
    first = augmenter(images, np.random.default_rng(seed))
    augmenter(images, np.random.default_rng(seed + 1))
    assert np.array_equal(augmenter(images, np.random.default_rng(seed)), first)
    assert not np.array_equal(augmenter(images, np.random.default_rng(seed + 1)), first)


def test_threads_change_nothing() -> None:
    images, augmenter = photographs(40), Augmenter(EVERYTHING, SIDE)
    expected, found = augmenter(images, np.random.default_rng(5)), [images] * 4
    before = cv2.getNumThreads()

    def work(place: int) -> None:
        found[place] = augmenter(images, np.random.default_rng(5))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert all(np.array_equal(expected, images_found) for images_found in found)
    assert cv2.getNumThreads() == before


def test_images_are_blended_in_pairs_and_keep_at_least_half_of_themselves() -> None:
    augmenter = Augmenter([Mixup(op="mixup", alpha=0.3)], SIDE)
    partner, share = augmenter.mixing(200, np.random.default_rng(1))
    assert augmenter.mixes
    assert sorted(partner) == list(range(200))
    assert share.dtype == np.float32
    assert partner.dtype == np.int32
    assert 0.5 <= share.min() < 0.6 and share.max() <= 1


def test_without_mixup_every_image_stays_itself() -> None:
    augmenter = Augmenter(EVERYTHING, SIDE)
    assert not augmenter.mixes
    assert (augmenter.mixing(9, np.random.default_rng(1))[1] == 1).all()


def test_a_window_without_rotation_shows_what_a_warp_would() -> None:
    rng = np.random.default_rng(5)
    image = cv2.resize(rng.integers(0, 256, (12, 12, 3), np.uint8), (147, 147), interpolation=cv2.INTER_CUBIC)
    operations: list[Augmentation] = [Flip(op="flip", vertical=True), Crop(op="crop")]
    quick = Augmenter(operations, 128)(np.stack([image] * 32), np.random.default_rng(1))
    # A turn too small to see, which only a warp can do. It draws behind the flips and crops, so these stay the same.
    turned = [*operations, Affine(op="affine", degrees=1e-5)]
    warped = Augmenter(turned, 128)(np.stack([image] * 32), np.random.default_rng(1))
    assert np.abs(quick.astype(int) - warped).mean() < 3
    assert len({picture.tobytes() for picture in quick}) > 16


def test_an_affine_happens_with_its_probability() -> None:
    rng = np.random.default_rng(3)
    images = np.repeat(rng.integers(0, 256, (1, 96, 96, 3), np.uint8), 400, axis=0)
    turned = Augmenter([Affine(op="affine", probability=0.25, degrees=30)], 96)(images, rng)
    same = sum(np.array_equal(one, images[0]) for one in turned)
    assert 260 <= same <= 340


def test_grey_is_augmented_as_a_picture_that_is_grey_in_all_colours() -> None:
    grey = photographs(24, 40)[..., :1]
    operations = [op for op in EVERYTHING if op.op not in ("noise", "erase")]
    ours, theirs = augmented(grey, *operations), augmented(np.repeat(grey, 3, axis=-1), *operations)
    assert ours.shape == (24, SIDE, SIDE, 1)
    assert ours.std() > 10
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert augmented(grey, *EVERYTHING).shape == ours.shape


def test_a_picture_that_is_not_square_is_turned_without_being_bent() -> None:
    image = np.zeros((1, 96, 192, 1), np.uint8)
    cv2.ellipse(image[0, :, :, 0], (96, 48), (40, 6), 0, 0, 360, 255, -1)
    turned = Augmenter([Affine(op="affine", degrees=180)], "192x96")(np.repeat(image, 40, axis=0), np.random.default_rng(3))
    expected, found = axes(image[0, ..., 0]), [axes(one) for one in turned[..., 0]]
    np.testing.assert_allclose(expected, (40, 6), rtol=0.1)
    np.testing.assert_allclose(found, [expected] * 40, rtol=0.06)


def axes(image: Pixels) -> tuple[float, float]:
    """Half the length and the width of an ellipse in the middle of (96, 192); farther away the border repeats it."""
    points = np.argwhere(image > 127) - (48, 96)
    points = points[np.hypot(*points.T) < 50]
    short, long = 2 * np.sqrt(np.linalg.eigvalsh(np.cov(points.T)))
    return float(long), float(short)


def test_a_mirrored_window_of_a_picture_that_is_not_square_stays_in_place() -> None:
    image = np.zeros((8, 30, 50, 3), np.uint8)
    image[:, :, :25] = 200
    flipped = Augmenter([Flip(op="flip")], "50x30")(image, np.random.default_rng(1))
    assert flipped.shape == image.shape
    assert {tuple(one[:, ::49, 0].mean(axis=0)) for one in flipped} == {(200.0, 0.0), (0.0, 200.0)}
