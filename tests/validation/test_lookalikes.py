"""Look-alikes with different labels are found, all of them, and quickly."""

import time

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.validation.lookalikes import conflicting

SEED_HASHES = (0, 0xFFFF_FFFF_FFFF_FFFF, 0x0123_4567_89AB_CDEF)
near_hashes = st.builds(
    lambda seed, flips: seed ^ sum(1 << bit for bit in flips), st.sampled_from(SEED_HASHES), st.sets(st.integers(0, 63), max_size=6)
)


def table(hashes: list[int], labels: list[str], groups: list[int | None] | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {"phash": [f"{value:016x}" for value in hashes], "label": labels, "duplicate_group": groups or [None] * len(hashes)}
    )


@given(st.lists(st.tuples(near_hashes, st.sampled_from("ab")), min_size=1, max_size=30), st.integers(0, 5))
def test_exactly_the_pairs_within_the_distance_are_found(images: list[tuple[int, str]], bits: int) -> None:
    expected = [any((one ^ other).bit_count() <= bits and label != another for other, another in images) for one, label in images]
    found = conflicting(table([value for value, _ in images], [label for _, label in images]), bits)
    assert found.tolist() == expected


def test_a_duplicate_group_with_two_labels_is_a_conflict_whatever_the_hashes() -> None:
    far_apart = table([0, 0xFFFF_FFFF, 0xFFFF_0000_FFFF], ["bell", "tulip", "bell"], [3, 3, None])
    assert conflicting(far_apart, 4).tolist() == [True, True, False]


def test_equal_pictures_of_one_class_are_no_conflict() -> None:
    assert not conflicting(table([5, 5, 5], ["bell"] * 3, [1, 1, 1]), 4).any()


def test_images_without_a_hash_and_an_odd_index_are_fine() -> None:
    images = table([1, 2, 3], ["bell", "tulip", "bell"]).set_index(pd.Index([10, 20, 30]))
    images.loc[30, "phash"] = None
    assert conflicting(images, 4).to_dict() == {10: True, 20: True, 30: False}


def test_a_hundred_thousand_images_take_seconds() -> None:
    rng = np.random.default_rng(0)
    hashes = [int(value) for value in rng.integers(0, 1 << 63, 100_000)]
    labels = [f"class {number}" for number in rng.integers(0, 101, 100_000)]
    hashes[70_000] = hashes[5] ^ 0b111
    labels[5], labels[70_000] = "class 1", "class 2"
    started = time.process_time()
    found = conflicting(table(hashes, labels), 4)
    assert np.flatnonzero(found).tolist() == [5, 70_000]
    assert time.process_time() - started < 10
