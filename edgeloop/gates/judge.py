"""The decision on one version: every rule of its gates, and the champion."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeloop.config import Gates
from edgeloop.errors import InputError
from edgeloop.evaluation.answers import written
from edgeloop.evaluation.paired import Answers
from edgeloop.gates.challenge import challenge, passes, verdict_in_words
from edgeloop.gates.facts import EVALUATE, Facts
from edgeloop.gates.rules import checks
from edgeloop.records import Accuracy, Challenge, Check, DecisionRecord, Override, provenance
from edgeloop.tflite.formats import DEPLOYED

CHAMPION = "champion"
ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Candidate:
    """A version that is to be judged."""

    variant: str
    version: str
    facts: Facts
    answers: Answers

    @property
    def model_sha256(self) -> str:
        return self.facts.deployed.sha256


@dataclass(frozen=True)
class Standing:
    """What the history says that a candidate stands against."""

    version: str | None = None
    """The champion's; None where there is none."""
    model_sha256: str | None = None
    answers: Answers | None = None
    rolled_back: frozenset[str] = frozenset()
    """The int8 models that were champion and were given up."""


def answers_of(variant: str, predictions: Path, facts: Facts) -> Answers:
    """What the candidate said of each image of `test`.

    Raises:
        InputError: the file is not there, or holds other answers than those that the evaluation counted.
    """
    found = written(variant, predictions, DEPLOYED)
    counted = Accuracy.of(int((found.rows["predicted"] == found.rows["label"]).sum()), max(1, len(found.rows)))
    stated = facts.deployed.top1
    if (counted.n, counted.value) != (stated.n, stated.value):
        raise InputError(
            f"{predictions} does not hold the answers that the evaluation of {variant} counted.", f"dvc repro --force evaluate@{variant}"
        )
    return found


def judge(root: Path, candidate: Candidate, gates: Gates | None, standing: Standing, override: Override | None = None) -> DecisionRecord:
    """Judge every rule that is stated; `root` is the workspace whose commit counts.

    Raises:
        InputError: a record is not of this version of edgeloop.
    """
    started = dt.datetime.now(dt.UTC)
    judged: list[Check] = []
    against: Challenge | None = None
    if gates is not None:
        judged += checks(gates, candidate.facts)
        if gates.champion is not None:
            last, against = _against_champion(candidate, gates, standing)
            judged.append(last)
        judged += _rolled_back(candidate, standing)
    stated = {} if gates is None else {"gates": gates.model_dump(mode="json", exclude_unset=True)}
    return DecisionRecord(
        provenance=provenance(root, stated, [], started, candidate.facts.evaluate.provenance.data_revision),
        variant=candidate.variant,
        version=candidate.version,
        model_sha256=candidate.model_sha256,
        champion=standing.version,
        checks=judged,
        challenge=against,
        override=override,
    )


def _against_champion(candidate: Candidate, gates: Gates, standing: Standing) -> tuple[Check, Challenge | None]:
    rule = gates.champion
    assert rule is not None
    facts, limit = candidate.facts, rule.rule if rule.margin is None else f"{rule.rule}, margin {rule.margin:g}"
    if standing.version is None or standing.answers is None:
        return facts.check(CHAMPION, None, limit, None, "passes", "there is no champion yet"), None
    if standing.version == candidate.version:
        return facts.check(CHAMPION, None, limit, None, "passes", "it is the champion"), None
    if standing.model_sha256 == candidate.model_sha256:
        said = "it is the champion's own model"
        return facts.check(CHAMPION, EVALUATE, limit, 0.0, rule.rule == "not worse", said), None
    try:
        found = challenge(standing.version, standing.answers, candidate.answers, rule.margin)
    except InputError as error:
        return facts.check(CHAMPION, EVALUATE, limit, None, "not known", error.what), None
    return facts.check(CHAMPION, EVALUATE, limit, found.difference, passes(rule, found), verdict_in_words(rule, found)), found


def _rolled_back(candidate: Candidate, standing: Standing) -> Sequence[Check]:
    """A model that somebody gave up does not come back by itself."""
    if candidate.model_sha256 not in standing.rolled_back:
        return []
    said = "this model was champion and was rolled back: only a person promotes it again"
    return [candidate.facts.check(ROLLED_BACK, None, "never again by itself", "rolled back", "fails", said)]
