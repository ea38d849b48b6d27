"""How far apart two sets of timings are, with an exact interval that assumes no distribution (Hodges and Lehmann, 1963).

The windows' medians are compared, not single runs: what disturbs a machine disturbs neighbours together.
"""

from collections.abc import Sequence
from math import comb
from statistics import median

CONFIDENCE = 0.95


def shift(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float] | None:
    """The lower end, the estimate and the upper end of how much larger b is than a, at 95 % or more.

    The estimate is the median of all differences; the ends are those of the rank-sum test (Wilcoxon) turned round. None where there
    are too few of them for that confidence: at least four of each.
    """
    differences = sorted(later - earlier for earlier in a for later in b)
    outside = _outside(len(a), len(b))
    if not outside:
        return None
    return differences[outside - 1], median(differences), differences[-outside]


def _outside(m: int, n: int) -> int:
    """How many of the sorted m * n differences lie outside of the interval, with its end, on each side; 0: there is none."""
    tail, below, counts = (1 - CONFIDENCE) / 2 * comb(m + n, m), 0, _rank_sums(m, n)
    for number, count in enumerate(counts):
        below += count
        if below > tail:
            return number
    return 0


def _rank_sums(m: int, n: int) -> list[int]:
    """How many of the comb(m + n, m) orders give each value 0 to m * n of the rank-sum statistic: Gauss's binomial coefficient."""
    counts = [1] + [0] * (m * n)
    for factor in range(1, m + 1):
        for place in range(m * n, n + factor - 1, -1):  # times 1 - q^(n + factor)
            counts[place] -= counts[place - n - factor]
        for place in range(factor, m * n + 1):  # divided by 1 - q^factor
            counts[place] += counts[place - factor]
    return counts
