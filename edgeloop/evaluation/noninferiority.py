"""Whether n images exclude that a challenger loses a margin of accuracy or more: an exact test of paired proportions.

"No difference found" says nothing of models that were asked a hundred images. Here the burden is turned round: the hypothesis is that the
challenger is worse by the margin, and it must be refuted. The chance of an outcome at least as good as the one seen is summed over all
outcomes, and the largest one counts over all shares of images that the models may disagree on (an exact unconditional test, as G. Barnard,
Biometrika 34 (1947), 123-138, has it for two samples). Outcomes are ordered by the lower end of the interval that `edgeloop compare` shows.
"""

import math
from functools import cache, lru_cache

from edgeloop.evaluation.mcnemar import ALPHA, Least, chance
from edgeloop.evaluation.paired import difference_interval

GRID = 32
"""Shares of disagreement that are tried, densest where they are smallest."""
_HALVINGS = 30


@lru_cache(maxsize=65_536)
def p_as_good(wins: int, losses: int, n: int, margin: float) -> float:
    """The largest chance that a challenger which is worse by `margin` does as well on `n` images as this one did."""
    return _largest_chance(n, margin, _order(wins, losses, n))


@lru_cache(maxsize=64)
def least_wins(n: int, margin: float) -> Least:
    """The outcomes on `n` images that exclude the loss of `margin`, with an error of `ALPHA`."""
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _largest_chance(n, margin, middle) <= ALPHA else (middle, high)
    return _reaching(n, high)


def images_for(margin: float, discordance: float) -> int:
    """About how many images show with 80 % that an equal challenger does not lose `margin`, where they disagree on that share.

    (1.645 + 0.842)^2 times the share over the square of the margin: the normal approximation.
    """
    return math.ceil((1.644854 + 0.841621) ** 2 * max(discordance, margin) / margin**2)


def _order(wins: int, losses: int, n: int) -> float:
    return difference_interval(losses, wins, n)[0]


def _largest_chance(n: int, margin: float, order: float) -> float:
    """That a challenger which is worse by `margin` reaches `order`."""
    least = _reaching(n, order)
    return max(chance(n, -margin, margin + (1 - margin) * (place / GRID) ** 3, least) for place in range(GRID + 1))


def _reaching(n: int, order: float) -> Least:
    """Of `d` discordant images, the fewest wins whose outcome comes up to `order`."""

    @cache
    def least(discordant: int) -> int:
        low, high = 0, discordant + 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if _order(middle, discordant - middle, n) >= order else (middle + 1, high)
        return low

    return least
