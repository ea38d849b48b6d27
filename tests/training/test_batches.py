"""Batches: every image at most once an epoch, in an order of the seed; fetched ahead without changing anything."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.augmentation import Flip, Mixup
from edgeloop.training.augment import Augmenter
from edgeloop.training.batches import Batch, Examples, ahead

SIZES = st.integers(1, 80)


def numbered(count: int) -> Examples:
    """Examples whose input and label are their own number."""
    return Examples(np.arange(count, dtype=np.float32)[:, None], np.arange(count, dtype=np.int32))


def order(examples: Examples, seed: tuple[int, ...], size: int) -> list[list[int]]:
    return [batch.labels.tolist() for batch in examples.epoch(seed, size)]


@given(SIZES, SIZES)
def test_an_image_comes_at_most_once_an_epoch_and_batches_are_full(count: int, size: int) -> None:
    found = order(numbered(count), (1, 0, 0), size)
    seen = [number for batch in found for number in batch]
    assert len(seen) == len(set(seen))
    assert {len(batch) for batch in found} == {min(size, count)}
    assert len(found) == numbered(count).steps(size)
    assert count - len(seen) < min(size, count)


@given(SIZES, SIZES)
def test_inputs_stay_with_their_labels(count: int, size: int) -> None:
    for batch in numbered(count).epoch((1, 0, 0), size):
        assert np.array_equal(batch.inputs[:, 0], batch.labels)


def test_the_seed_decides_on_the_order() -> None:
    examples = numbered(100)
    assert order(examples, (1, 0, 0), 10) == order(examples, (1, 0, 0), 10)
    assert len({str(order(examples, seed, 10)) for seed in ((1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0))}) == 4


def test_an_epoch_is_augmented_by_its_seed() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 16, 16, 3), np.uint8)
    examples = Examples(pixels, np.arange(20, dtype=np.int32), Augmenter([Flip(op="flip"), Mixup(op="mixup")], 16))

    def epoch(number: int) -> list[Batch]:
        return list(examples.epoch((1, 0, number), 5))

    for first, again in zip(epoch(0), epoch(0), strict=True):
        for name in ("inputs", "labels", "partner", "share"):
            assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(epoch(0)[0].inputs, epoch(1)[0].inputs)


def test_without_an_augmenter_nothing_is_blended() -> None:
    batch = next(numbered(10).epoch((1, 0, 0), 5))
    assert batch.partner.tolist() == [0, 1, 2, 3, 4]
    assert batch.share.tolist() == [1.0] * 5


@given(st.lists(st.integers(), max_size=40))
def test_ahead_gives_the_same_items_in_order(items: list[int]) -> None:
    assert list(ahead(iter(items))) == items


def test_an_error_ahead_is_raised_where_its_item_would_come() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("no second")

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(ValueError, match="no second"):
        next(items)


def test_ahead_stays_only_a_little_ahead_and_can_be_left() -> None:
    fetched: list[int] = []

    def counting() -> Iterator[int]:
        for number in range(1000):
            fetched.append(number)
            yield number

    items = ahead(counting())
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    close = getattr(items, "close")  # noqa: B009
    close()
    assert len(fetched) < 20
