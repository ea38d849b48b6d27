"""Results that are none are said; good ones are not doubted."""

from typing import Any

import pandas as pd
import pytest
from card_records import Story

from edgeloop.cards.card import card
from edgeloop.evaluation.doubts import in_evaluation, in_training
from edgeloop.records import Accuracy, ClassResult, EvaluateRecord, FormatResult, TrainRecord
from edgeloop.records.history import read_history
from edgeloop.workspace import Workspace

VARIANT = "sample-fdmobilenet_0.25-96"


@pytest.fixture
def records(workspace: Workspace) -> tuple[TrainRecord, pd.DataFrame, EvaluateRecord]:
    """Of a good model."""
    paths = Story().write(workspace).variant(VARIANT).paths(workspace)
    return TrainRecord.read(paths.train_record), read_history(paths.history), EvaluateRecord.read(paths.evaluate_record)


def test_a_good_model_is_not_doubted(records: tuple[TrainRecord, pd.DataFrame, EvaluateRecord]) -> None:
    train, history, evaluate = records
    assert (in_training(train, history), in_evaluation(evaluate)) == ([], [])


def planned(train: TrainRecord, **phase: Any) -> TrainRecord:
    provenance = train.provenance.model_copy(update={"params": train.provenance.params | {"phases": [phase]}})
    return train.model_copy(update={"provenance": provenance})


def test_a_warm_up_as_long_as_the_phase(records: tuple[TrainRecord, pd.DataFrame, EvaluateRecord]) -> None:
    train, history, _ = records
    ran = train.estimate.phases[0].epochs_run
    (said,) = in_training(planned(train, warmup_epochs=ran, learning_rate=0.004), history)
    assert f"ran for {ran} epochs and warms up for {ran}: the learning rate hardly came up to 0.004" in said
    assert in_training(planned(train, warmup_epochs=ran - 1, learning_rate=0.004), history) == []


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [
        ([2.0, 1.8, 1.7], "no_better"),
        ([2.0, 0.5, 0.9], "rose from 0.50 to 0.90"),
        ([2.0, 0.5, 0.55], None),
        ([2.0, 0.05, 0.08], None),
    ],
)
def test_a_loss_that_says_that_nothing_was_learned(
    records: tuple[TrainRecord, pd.DataFrame, EvaluateRecord], losses: list[float], wanted: str | None
) -> None:
    train, _, _ = records
    found = in_training(train, pd.DataFrame({"fit": train.fits[-1].purpose, "train_loss": losses}))
    assert len(found) == (wanted is not None)
    if wanted:
        assert ("The loss ended at 1.70; a guess has 1.61" if wanted == "no_better" else wanted) in found[0]


def test_an_accuracy_on_val_that_is_a_guess(records: tuple[TrainRecord, pd.DataFrame, EvaluateRecord]) -> None:
    train, history, _ = records
    fit = train.fits[0].model_copy(update={"held_accuracy": Accuracy.of(12, 50)})
    (said,) = in_training(train.model_copy(update={"fits": [fit, *train.fits[1:]]}), history)
    assert "24.0% of 50) cannot be told from guessing among 5 classes" in said


def result(format: str, confusion: list[list[int]]) -> FormatResult:
    counts, right = [sum(row) for row in confusion], sum(confusion[place][place] for place in range(len(confusion)))
    per_class = [ClassResult(label=name, n=n, recall=None, precision=None) for name, n in zip("abc", counts, strict=True)]
    return FormatResult.model_validate(
        {
            "format": format,
            "sha256": "ab" * 32,
            "top1": Accuracy.of(right, sum(counts)),
            "top5": None,
            "calibration_error": 0.0,
            "agreement_with_float": None,
            "per_class": per_class,
            "confusion": confusion,
        }
    )


GOOD = [[95, 5, 0], [2, 97, 1], [0, 3, 97]]


@pytest.mark.parametrize(
    ("confusion", "wanted"),
    [
        ([[100, 0, 0], [100, 0, 0], [100, 0, 0]], ["float: says 'a' of every image"]),
        ([[30, 40, 30], [40, 30, 30], [30, 30, 40]], ["cannot be told from naming the largest class every time (33.3%)"]),
        ([[95, 5, 0], [2, 98, 0], [60, 40, 0]], ["float: never says 'c'"]),
        (GOOD, []),
    ],
)
def test_answers_that_are_none(
    records: tuple[TrainRecord, pd.DataFrame, EvaluateRecord], confusion: list[list[int]], wanted: list[str]
) -> None:
    evaluate = records[2].model_copy(update={"classes": list("abc"), "formats": [result("float", confusion)]})
    found = in_evaluation(evaluate)
    assert len(found) == len(wanted)
    assert all(text in said for text, said in zip(wanted, found, strict=True))


def test_int8_far_below_float_and_what_several_formats_share(records: tuple[TrainRecord, pd.DataFrame, EvaluateRecord]) -> None:
    worse = [[80, 10, 10], [10, 80, 10], [10, 10, 80]]
    formats = [result("float", GOOD), result("int8 per-channel", GOOD), result("int8 per-tensor", worse)]
    (said,) = in_evaluation(records[2].model_copy(update={"classes": list("abc"), "formats": formats}))
    assert said.startswith("int8 per-tensor: loses 16.3 points against float")
    stuck = [result(one, [[9, 0, 0], [9, 0, 0], [9, 0, 0]]) for one in ("float", "int8 per-channel", "int8 per-tensor")]
    assert in_evaluation(records[2].model_copy(update={"classes": list("abc"), "formats": stuck})) == [
        "float, int8 per-channel, int8 per-tensor: says 'a' of every image"
    ]


def test_the_card_says_so(workspace: Workspace) -> None:
    story = Story(accuracy=0.2)
    card(workspace, story.write(workspace), VARIANT)
    said = (workspace.variant("sample", "fdmobilenet_0.25", 96).card / "README.md").read_text(encoding="utf-8")
    assert "> **Doubtful.** float, int8 per-channel, int8 per-tensor: its accuracy" in said.replace("\\", "")
