"""McNemar's exact test, its power, and the exact test of a margin, against sums over every outcome in exact fractions."""

from fractions import Fraction
from math import comb

import pytest

from edgeloop.evaluation import mcnemar, noninferiority
from edgeloop.evaluation.mcnemar import ALPHA, chance, p_more, shown_difference
from edgeloop.evaluation.paired import difference_interval


def tail(wins: int, tosses: int) -> Fraction:
    return Fraction(sum(comb(tosses, k) for k in range(wins, tosses + 1)), 2**tosses)


def by_outcomes(n: int, up: Fraction, down: Fraction, passes: object) -> Fraction:
    """The chance of passing, as a sum over all (wins, losses) of a trinomial distribution, in fractions."""
    assert callable(passes)
    total = Fraction(0)
    for wins in range(n + 1):
        for losses in range(n + 1 - wins):
            if passes(wins, losses):
                ways = comb(n, wins) * comb(n - wins, losses)
                total += ways * up**wins * down**losses * (1 - up - down) ** (n - wins - losses)
    return total


def test_the_p_value_is_that_of_coin_tosses() -> None:
    assert p_more(0, 0) == 1.0
    assert p_more(5, 0) == 1 / 32
    assert p_more(8, 2) == 56 / 1024
    # The example of A. Agresti, Categorical Data Analysis: 86 and 150 who changed their mind.
    assert p_more(150, 86) == pytest.approx(float(tail(150, 236)), rel=1e-14)
    assert p_more(2000, 1900) == pytest.approx(float(tail(2000, 3900)), rel=1e-14)


def test_the_fewest_wins_are_where_the_p_value_falls_below_the_level() -> None:
    for discordant in range(200):
        least = mcnemar.least_wins(discordant)
        assert least == next((k for k in range(discordant + 1) if tail(k, discordant) <= Fraction(5, 100)), discordant + 1)


@pytest.mark.parametrize("difference", [0, Fraction(1, 10), Fraction(-1, 20), Fraction(3, 10)])
def test_the_chance_to_pass_is_the_sum_over_all_outcomes(difference: Fraction) -> None:
    n, share = 24, Fraction(1, 4)
    discordance = max(share, abs(difference))
    up, down = (discordance + difference) / 2, (discordance - difference) / 2
    exact = by_outcomes(n, up, down, lambda wins, losses: p_more(wins, losses) <= ALPHA)
    assert chance(n, float(difference), float(share), mcnemar.least_wins) == pytest.approx(float(exact), abs=1e-12)


def test_equal_models_are_called_better_in_at_most_one_of_twenty() -> None:
    sizes = [chance(n, 0.0, share / 50, mcnemar.least_wins) for n in (20, 100, 734) for share in range(51)]
    assert max(sizes) <= ALPHA
    assert max(sizes) > 0.04


def test_what_images_would_have_shown_has_that_power_and_a_hundredth_of_a_point_less_has_not() -> None:
    for n, share in ((100, 0.1), (734, 0.08), (100, 0.0)):
        found = shown_difference(n, share)
        assert chance(n, found, share, mcnemar.least_wins) >= 0.8 > chance(n, found - 2e-4, share, mcnemar.least_wins)
    assert shown_difference(100, 0.0) > 0.06  # five wins and no loss are needed at least
    assert shown_difference(3, 0.1) == 1.0
    assert shown_difference(734, 0.08) < 0.03


def test_the_margin_is_judged_by_every_outcome_that_is_as_good() -> None:
    n, margin, wins, losses = 16, Fraction(1, 5), 3, 1
    order = difference_interval(losses, wins, n)[0]

    def as_good(better: int, worse: int) -> bool:
        return difference_interval(worse, better, n)[0] >= order

    shares = [margin + (1 - margin) * Fraction(place, 40) ** 2 for place in range(41)]
    exact = max(by_outcomes(n, (share - margin) / 2, (share + margin) / 2, as_good) for share in shares)
    assert noninferiority.p_as_good(wins, losses, n, float(margin)) == pytest.approx(float(exact), abs=2e-3)


@pytest.mark.parametrize(("n", "margin"), [(100, 0.02), (200, 0.05), pytest.param(734, 0.02, marks=pytest.mark.thorough)])
def test_a_challenger_that_is_worse_by_the_margin_passes_in_at_most_one_of_twenty(n: int, margin: float) -> None:
    least = noninferiority.least_wins(n, margin)
    shares = [margin + (1 - margin) * place / 80 for place in range(81)]  # finer than the test's own
    assert 0.02 < max(chance(n, -margin, share, least) for share in shares) <= ALPHA


def test_the_boundary_is_where_the_p_value_passes() -> None:
    least = noninferiority.least_wins(100, 0.05)
    for discordant in (0, 1, 7, 12):
        passing = [w for w in range(discordant + 1) if noninferiority.p_as_good(w, discordant - w, 100, 0.05) <= ALPHA]
        assert least(discordant) == min(passing, default=discordant + 1)


def test_no_difference_on_a_hundred_images_does_not_pass_for_equal() -> None:
    assert p_more(5, 5) > ALPHA
    assert noninferiority.p_as_good(5, 5, 100, 0.02) > 0.5
    # Not even without a single disagreement: a loss of 2 points shows in none of 100 images in 13 of 100 cases.
    assert noninferiority.p_as_good(0, 0, 100, 0.02) == pytest.approx(0.98**100, abs=1e-3)
    assert noninferiority.p_as_good(80, 80, 2000, 0.02) <= ALPHA
    assert noninferiority.images_for(0.02, 0.08) == 1237
