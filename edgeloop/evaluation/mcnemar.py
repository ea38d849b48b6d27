"""McNemar's exact test of two models on the same images, and what n images can show: binomial sums, no normal approximation.

Q. McNemar, Psychometrika 12 (1947), 153-157. Only images on which one model alone is right count. Were the models equal, each of them would
go to either one like the toss of a coin.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
"""The largest chance of a wrong claim, in the direction that is asked for."""
POWER = 0.8
"""With which a difference is called one that the images would have shown."""
STEP = 1e-4
"""Of differences: a hundredth of a point."""
_WITHIN = 8.0
"""Standard deviations of a binomial distribution, and as many counts, beyond which less than 1e-6 of it is left."""
Least = Callable[[int], int]
"""Of `d` images on which one model alone is right, how many the challenger must win to pass; more than `d`: it cannot."""


def p_more(wins: int, losses: int) -> float:
    """The chance that a model which is equal to the other one wins that many images or more of `wins + losses`: exact."""
    tosses = wins + losses
    count, total = math.comb(tosses, wins), 0
    for place in range(wins, tosses + 1):
        total += count
        count = count * (tosses - place) // (place + 1)
    return float(Fraction(total, 1 << tosses))


@lru_cache(maxsize=65_536)
def least_wins(discordant: int) -> int:
    """The fewest wins of `discordant` images that show a model to be better; `discordant` + 1 where all of them do not."""
    tails = np.cumsum(_binomial(discordant, 0.5, 0, discordant))
    return discordant + 1 - int(np.searchsorted(tails, ALPHA, side="right"))


def chance(n: int, difference: float, discordance: float, least: Least) -> float:
    """The chance that a challenger passes on `n` images.

    `difference`: its accuracy less the champion's, as fractions. `discordance`: the share of images on which one alone is right, as far as
    that difference does not ask for more.
    """
    share = max(discordance, abs(difference))
    if share == 0.0:
        return float(least(0) <= 0)
    wins = (share + difference) / (2 * share)
    first, last = _range(n, share)
    counts = _binomial(n, share, first, last)
    return math.fsum(float(count) * _at_least(d, wins, least(d)) for d, count in enumerate(counts, first))


def shown_difference(n: int, discordance: float, power: float = POWER) -> float:
    """The smallest true difference (a fraction) that McNemar's test shows on `n` images with that power; 1 where none is large enough."""
    low, high = 0, round(1 / STEP)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(n, middle * STEP, discordance, least_wins) >= power else (middle, high)
    return high * STEP


def _at_least(n: int, p: float, k: int) -> float:
    """P(X >= k) for X of n tosses that each succeed with p."""
    first, last = _range(n, p)
    if k <= first:
        return 1.0
    return 0.0 if k > last else min(1.0, float(_binomial(n, p, k, last).sum()))


def _range(n: int, p: float) -> tuple[int, int]:
    """The counts of n tosses that matter."""
    around = _WITHIN * (math.sqrt(n * p * (1 - p)) + 1)
    return max(0, math.floor(n * p - around)), min(n, math.ceil(n * p + around))


def _binomial(n: int, p: float, first: int, last: int) -> NDArray[np.float64]:
    """The chances of `first` to `last` of n successes: (last - first + 1,) float64."""
    k = np.arange(first, last + 1)
    if p <= 0.0 or p >= 1.0:
        return np.asarray(k == (n if p >= 1.0 else 0), np.float64)
    logs = _log_factorials(1 << n.bit_length())
    found: NDArray[np.float64] = np.exp(logs[n] - logs[k] - logs[n - k] + k * math.log(p) + (n - k) * math.log1p(-p))
    return found


@lru_cache(maxsize=32)
def _log_factorials(n: int) -> NDArray[np.float64]:
    """Logarithms of 0! to n!."""
    return np.array([math.lgamma(k + 1) for k in range(n + 1)])
