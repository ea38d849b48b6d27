"""A challenger against the champion, on the same images: better, or not worse by a margin. docs/gates.md says which error each rule has."""

from edgeloop.config import AgainstChampion
from edgeloop.evaluation import mcnemar, noninferiority
from edgeloop.evaluation.mcnemar import ALPHA
from edgeloop.evaluation.paired import Answers, compare
from edgeloop.records import Challenge


def challenge(version: str, champion: Answers, challenger: Answers, margin: float | None) -> Challenge:
    """Both on the images that both were asked; `version` is the champion's.

    Raises:
        InputError: there is none.
    """
    found = compare(champion, challenger)
    wins, losses, n = found.only_b_right, found.only_a_right, found.n
    share = (wins + losses) / n
    return Challenge(
        champion=version,
        n=n,
        left_out=found.a.left_out + found.b.left_out + found.relabelled,
        only_champion_right=losses,
        only_challenger_right=wins,
        difference=found.difference,
        ci95=found.ci95,
        p_better=mcnemar.p_more(wins, losses),
        p_worse=mcnemar.p_more(losses, wins),
        margin=margin,
        p_margin=None if margin is None else noninferiority.p_as_good(wins, losses, n, margin),
        shown_difference=mcnemar.shown_difference(n, share),
        images_for_margin=None if margin is None else noninferiority.images_for(margin, share),
    )


def passes(rule: AgainstChampion, found: Challenge) -> bool:
    """`better`: McNemar's test shows it. `not worse`: it does not show the challenger worse, and the loss of the margin is excluded."""
    if rule.rule == "better":
        return found.p_better <= ALPHA
    return found.p_worse > ALPHA and found.p_margin is not None and found.p_margin <= ALPHA


def verdict_in_words(rule: AgainstChampion, found: Challenge) -> str:
    """What the rule makes of it, and why."""
    if rule.rule == "better":
        shown = "shown to be better" if passes(rule, found) else "not shown to be better"
        return f"{shown} (McNemar's exact test, one-sided: p = {found.p_better:.3g}); {found.in_words()}"
    if found.p_worse <= ALPHA:
        return f"shown to be worse (McNemar's exact test, one-sided: p = {found.p_worse:.3g}); {found.in_words()}"
    points = f"{100 * (found.margin or 0.0):g} points"
    if passes(rule, found):
        return f"a loss of {points} or more is excluded (p = {found.p_margin:.3g}); {found.in_words()}"
    return (
        f"no loss is shown, and a loss of {points} is not excluded either (p = {found.p_margin:.3g}): {found.n} images are too few, about "
        f"{found.images_for_margin} are needed where both are equal; {found.in_words()}"
    )


def least_wins(rule: AgainstChampion, n: int) -> mcnemar.Least:
    """The rule as a boundary: of `d` images on which one alone is right, how many the challenger must win."""
    if rule.rule == "better":
        return mcnemar.least_wins
    excluded = noninferiority.least_wins(n, rule.margin or 0.0)
    # Shown to be worse are d - wins losses from mcnemar.least_wins(d) on.
    return lambda d: max(excluded(d), d - mcnemar.least_wins(d) + 1)
