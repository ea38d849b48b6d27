"""Two models on the same images: counts, interval and disagreements."""

import numpy as np
import pandas as pd
import pytest

from edgeloop.errors import InputError
from edgeloop.evaluation.paired import Answers, compare, difference_interval


def answers(name: str, *rows: tuple[str, str, str]) -> Answers:
    return Answers(name, pd.DataFrame(rows, columns=["path", "label", "predicted"]))


def test_only_images_that_both_have_under_one_label_count() -> None:
    old = answers("old", ("1", "cat", "cat"), ("2", "cat", "dog"), ("3", "dog", "dog"), ("4", "dog", "cat"), ("5", "cat", "cat"))
    new = answers("new", ("1", "cat", "dog"), ("2", "cat", "cat"), ("3", "dog", "dog"), ("4", "cat", "cat"), ("6", "dog", "dog"))
    found = compare(old, new)
    assert (found.n, found.relabelled, found.a.left_out, found.b.left_out) == (3, 1, 1, 1)
    assert (found.only_a_right, found.only_b_right, found.difference) == (1, 1, 0.0)
    assert [(one.label, one.a, one.b, one.images) for one in found.disagreements] == [("cat", "cat", "dog", 1), ("cat", "dog", "cat", 1)]
    said = found.in_words()
    assert "on 3 images that both have; left out: 1 only in a, 1 only in b, 1 under another label" in said
    assert "no difference beyond chance" in said


def test_the_better_one_is_named_where_chance_does_not_explain_it() -> None:
    rows = [(str(n), "cat", "cat" if n >= 30 else "dog") for n in range(200)]
    right = [(path, label, "cat") for path, label, _ in rows]
    found = compare(answers("old", *rows), answers("new", *right))
    assert found.difference == pytest.approx(0.15)
    assert found.ci95[0] > 0.09
    assert "b is better" in found.in_words()
    assert "30  cat: a says dog, b says cat" in found.in_words()
    assert "a is better" in compare(answers("new", *right), answers("old", *rows)).in_words()


def test_models_of_different_data_are_refused() -> None:
    with pytest.raises(InputError, match="no image in common"):
        compare(answers("a", ("1", "cat", "cat")), answers("b", ("2", "cat", "cat")))


def test_the_interval_is_that_of_agresti_and_min() -> None:
    """On the ratings of 1,600 people of whom 150 and 86 changed their mind (A. Agresti, Categorical Data Analysis): -0.059 to -0.021."""
    low, high = difference_interval(150, 86, 1600)
    assert (low, high) == pytest.approx((-0.0587, -0.0212), abs=2e-4)


@pytest.mark.parametrize(("n", "only_a", "only_b"), [(50, 0.02, 0.02), (100, 0.05, 0.1), (653, 0.03, 0.05), (120, 0.0, 0.01)])
def test_it_covers_the_true_difference_as_often_as_it_says(n: int, only_a: float, only_b: float) -> None:
    drawn = np.random.default_rng(7).multinomial(n, [only_a, only_b, 1 - only_a - only_b], 4000)
    held = [low <= only_b - only_a <= high for low, high in (difference_interval(int(a), int(b), n) for a, b, _ in drawn)]
    assert np.mean(held) >= 0.94
