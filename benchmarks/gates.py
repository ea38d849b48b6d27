"""Which errors the rules against the champion have: 1,000 challengers each, on fresh images, beside the exact chance.

    python benchmarks/gates.py [--challengers 1000] [--images 100 734 2000] [--seed 127]

A champion and a challenger are drawn anew each time, with answers on `n` images: the champion is right on 90 % of them but for half of the
stated difference, and they disagree on a share of them, as retrained networks do (`--discordance`). They go through the product's own
comparison and rules. Then a night after night: one champion, challengers that are all equal, always the same images, the champion replaced
by each that passes.

Exit status 1 where the exact chance of a wrong promotion is above 5 % (`better`: of an equal challenger; `not worse`: of one that is worse
by the margin), or where the draws are further from the exact chance than three standard deviations.
"""

import argparse
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edgeloop.config import AgainstChampion
from edgeloop.console import program
from edgeloop.evaluation.mcnemar import ALPHA, chance, shown_difference
from edgeloop.evaluation.paired import Answers
from edgeloop.gates.challenge import challenge, least_wins, passes

ACCURACY = 0.9
SHARES = 200
RULES = {
    "better": AgainstChampion(rule="better"),
    "not worse by 2 points": AgainstChampion(margin=0.02),
    "not worse by 5 points": AgainstChampion(margin=0.05),
}
Right = NDArray[np.bool_]


def main() -> int:
    options = _options()
    random, kept = np.random.default_rng(options.seed), True
    print(f"promoted of {options.challengers:,} challengers (exact chance), discordance {100 * options.discordance:g} %")
    print(f"{'n':>6}  {'rule':<22}  {'true difference':>15}  {'promoted':>9}  {'exact':>7}  what that is")
    for n in options.images:
        for name, rule in RULES.items():
            for difference, what, limit in _cases(rule):
                exact = chance(n, difference, options.discordance, least_wins(rule, n))
                share = np.mean(
                    [passes(rule, _drawn(random, n, difference, options.discordance, rule)) for _ in range(options.challengers)]
                )
                spread = 3 * math.sqrt(exact * (1 - exact) / options.challengers) + 1 / options.challengers
                kept &= abs(share - exact) <= spread and (limit is None or exact <= limit)
                print(f"{n:6,}  {name:<22}  {100 * difference:+13.1f} pt  {100 * share:7.1f} %  {100 * exact:5.1f} %  {what}")
        for name, rule in RULES.items():
            worst = _largest_error(rule, n)
            kept &= worst <= ALPHA
            print(f"{n:6,}  {name:<22}  the largest chance of a wrong promotion, whatever they disagree on: {100 * worst:.1f} %")
        seen = 100 * shown_difference(n, options.discordance)
        print(f"{n:6,}  the smallest true difference that McNemar's test shows with 80 %: {seen:.1f} points")
    for name, rule in RULES.items():
        changes = _nights(random, options.images[0], options.challengers, options.discordance, rule)
        print(f"{options.challengers:,} nights, one set of {options.images[0]:,} images, equal challengers, {name}: {changes} promotions")
    return 0 if kept else 1


def _cases(rule: AgainstChampion) -> Iterator[tuple[float, str, float | None]]:
    """True difference, what a promotion is then, and the most that the rule allows."""
    if rule.margin is None:
        yield 0.0, "wrong: it is equal", ALPHA
        yield 0.02, "right: the power at +2 points", None
        return
    yield -rule.margin, "wrong: it is worse by the margin", ALPHA
    yield 0.0, "right: it is equal", None
    yield 0.02, "right: it is better", None


def _largest_error(rule: AgainstChampion, n: int) -> float:
    """Over shares of disagreement that are finer than those of the rule itself."""
    least, loss = least_wins(rule, n), rule.margin or 0.0
    return max(chance(n, -loss, loss + (1 - loss) * (place / SHARES) ** 2, least) for place in range(SHARES + 1))


def _drawn(random: np.random.Generator, n: int, difference: float, discordance: float, rule: AgainstChampion) -> Any:
    """A pair on fresh images: right alone on a share each, so that the shares differ by the true difference."""
    share = max(discordance, abs(difference))
    only_b, only_a = (share + difference) / 2, (share - difference) / 2
    both = ACCURACY - only_a
    kinds = random.choice(4, n, p=[only_a, only_b, both, 1 - both - share])
    return challenge("champion", _answers((kinds == 0) | (kinds == 2)), _answers((kinds == 1) | (kinds == 2)), rule.margin)


def _nights(random: np.random.Generator, n: int, nights: int, discordance: float, rule: AgainstChampion) -> int:
    """How often the champion changes: every model is right on each image with that image's own chance, all alike."""
    # Two models alike disagree on 2 p (1 - p): p is 1, 0, or for a share of hard images a half.
    hard = min(1.0, 2 * discordance)
    chances = random.choice([0.5, 1.0, 0.0], n, p=[hard, max(0.0, ACCURACY - hard / 2), 1 - hard - max(0.0, ACCURACY - hard / 2)])
    champion, changes = random.random(n) < chances, 0
    for _ in range(nights):
        challenger: Right = random.random(n) < chances
        if passes(rule, challenge("champion", _answers(champion), _answers(challenger), rule.margin)):
            champion, changes = challenger, changes + 1
    return changes


def _answers(right: Right) -> Answers:
    rows = {"path": np.arange(len(right)).astype(str), "label": "a", "predicted": np.where(right, "a", "b")}
    return Answers("", pd.DataFrame(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challengers", type=int, default=1000)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 734, 2000])
    parser.add_argument("--discordance", type=float, default=0.08)
    parser.add_argument("--seed", type=int, default=127)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(program(main))
