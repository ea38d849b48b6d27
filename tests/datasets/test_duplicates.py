"""Groups of the same picture: found by bands of the hash, confirmed by thumbnails, closed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.datasets import duplicates
from edgeloop.datasets.duplicates import UnionFind, duplicate_groups, near_pairs
from edgeloop.preprocessing import Pixels


def flat(*levels: int) -> Pixels:
    """Thumbnails of one level each."""
    return np.broadcast_to(np.array(levels, np.uint8)[:, None, None, None], (len(levels), 16, 16, 3)).copy()


def hashes(*values: int) -> "np.typing.NDArray[np.uint64]":
    return np.array(values, np.uint64)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.integers(0, 16), st.data())
def test_exactly_the_near_pairs_are_found(values: list[int], bits: int, data: st.DataObject) -> None:
    for value in values[:5]:  # Neighbours, which random numbers hardly ever are.
        flips = data.draw(st.lists(st.integers(0, 63), max_size=bits + 2))
        values.append(value ^ sum(1 << flip for flip in set(flips)))
    found = {(int(a), int(b)) for pairs in near_pairs(hashes(*values), bits) for a, b in pairs}
    expected = {(a, b) for b in range(len(values)) for a in range(b) if (values[a] ^ values[b]).bit_count() <= bits}
    assert found == expected


def test_a_bucket_larger_than_what_is_compared_at_once_is_still_complete() -> None:
    count = 3000
    values = hashes(*[index % 2 for index in range(count)])
    assert count * count > duplicates.PAIRS_AT_ONCE
    pairs = np.concatenate(list(near_pairs(values, 0)))
    assert len(pairs) == 2 * (count // 2) * (count // 2 - 1) // 2


def test_an_alike_hash_is_not_enough() -> None:
    keys = [["a"], ["b"], ["c"]]
    assert duplicate_groups(keys, hashes(7, 7, 6), flat(100, 105, 150), 4, 8.0) == [[0, 1]]


def test_an_alike_thumbnail_is_not_enough() -> None:
    assert duplicate_groups([["a"], ["b"]], hashes(0, 2**20 - 1), flat(100, 100), 4, 8.0) == []


def test_an_equal_key_is_enough() -> None:
    keys = [["file 1", "pixels 1"], ["file 2", "pixels 2"], ["file 3", "pixels 1"], ["file 2", "pixels 4"]]
    assert duplicate_groups(keys, hashes(0, 2**30 - 1, 2**63, 2**62 - 1), flat(0, 60, 120, 180), 0, 0.0) == [[0, 2], [1, 3]]


def test_the_same_as_the_same_is_the_same() -> None:
    keys = [["a"], ["b"], ["c"]]
    assert duplicate_groups(keys, hashes(0, 0, 0), flat(100, 106, 112), 4, 8.0) == [[0, 1, 2]]


@pytest.mark.parametrize("count", [0, 1])
def test_few_images_have_no_duplicates(count: int) -> None:
    assert duplicate_groups([["a"]] * count, hashes(*[1] * count), flat(*[1] * count), 4, 8.0) == []


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_groups_are_disjoint_ordered_and_hold_every_join(joins: list[tuple[int, int]]) -> None:
    union = UnionFind(20)
    for first, second in joins:
        union.join(first, second)
    groups = union.groups()
    members = [member for group in groups for member in group]
    assert len(members) == len(set(members))
    assert groups == sorted(sorted(group) for group in groups)
    for first, second in joins:
        assert first == second or any({first, second} <= set(group) for group in groups)
