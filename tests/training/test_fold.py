"""Folds: every image is held out once, classes keep their shares, look-alikes stay together."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.training.fold import Rows, declared_fold, folds, whole


def rows_of(labels: list[str], groups: list[int | None], splits: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame({"label": labels, "duplicate_group": pd.Series(groups, dtype="Int64"), "split": splits or ["train"] * len(labels)})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 5)), min_size=6, max_size=60), st.integers(2, 5))
def test_each_image_is_held_out_once_and_never_beside_its_double(images: list[tuple[str, int | None]], count: int) -> None:
    rows = rows_of([label for label, _ in images], [group for _, group in images])
    parts = folds(rows, count, seed=3)
    assert sorted(np.concatenate([fold.held for fold in parts])) == list(range(len(images)))
    for fold in parts:
        assert sorted([*fold.train, *fold.held]) == list(range(len(images)))
        held, learned = ({images[index][1] for index in part} - {None} for part in (fold.held, fold.train))
        assert not held & learned


def test_each_class_is_held_out_in_its_share() -> None:
    labels = ["a"] * 50 + ["b"] * 25
    for fold in folds(rows_of(labels, [None] * 75), 5, seed=1):
        assert [sum(labels[index] == name for index in fold.held) for name in "ab"] == [10, 5]


def test_the_declared_fold_learns_from_train_and_the_whole_one_from_all() -> None:
    rows = rows_of(["a"] * 4, [None] * 4, ["train", "val", "train", "val"])
    assert (declared_fold(rows).train.tolist(), declared_fold(rows).held.tolist()) == ([0, 2], [1, 3])
    assert (whole(rows).train.tolist(), whole(rows).held.tolist()) == ([0, 1, 2, 3], [])


def test_rows_are_those_of_the_index() -> None:
    array = np.arange(10) * 10
    rows = Rows(array, np.array([1, 4, 7]))
    assert (len(rows), rows[1:3].tolist(), rows[np.array([0, 2])].tolist()) == (3, [40, 70], [10, 70])
