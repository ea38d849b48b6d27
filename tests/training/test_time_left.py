"""A training says how long it still takes, by its own steps; phases at another side are reckoned by their pixels."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from variant_in_miniature import VARIANT, project, write_params

from edgeloop.config import TrainSettings
from edgeloop.training import time_left
from edgeloop.training.fold import Fold
from edgeloop.training.recipe import Recipe, choose
from edgeloop.training.time_left import TimeLeft, stretches, watched
from edgeloop.training.train import train

HEAD = {"mode": "head", "epochs": 20, "learning_rate": 0.01}
SMALL = {"mode": "full", "epochs": 60, "learning_rate": 0.01, "resolution": 96}
LAST = {"mode": "full", "epochs": 40, "learning_rate": 0.01}
FOLD, WHOLE = Fold(np.arange(6400), np.arange(6400, 7000)), Fold(np.arange(7000), np.arange(0))
STEPS = 100
STEP_S = 0.9


def recipe(*phases: dict[str, object]) -> Recipe:
    settings = TrainSettings.model_validate({"phases": phases, "final": "best_epoch"})
    return choose(settings, images=7000, resolution=128, fresh=False, start_range=(0.0, 1.0))


def after_an_epoch(*phases: dict[str, object], at: int = 0) -> TimeLeft:
    left = TimeLeft(stretches(recipe(*phases), 128, [("select", FOLD)]))
    left.took("select", at, STEPS - 1, (STEPS - 1) * STEP_S)
    return left


def test_nothing_is_known_before_a_step_has_run() -> None:
    assert TimeLeft(stretches(recipe(LAST), 128, [("select", FOLD)])).seconds("select", 0, 0) is None


def test_epochs_of_the_same_phase_take_as_long_again_and_scoring_a_third_an_image() -> None:
    epoch_s = STEPS * STEP_S + 600 / 64 * STEP_S / 3
    assert after_an_epoch(LAST).seconds("select", 0, 1) == pytest.approx(39 * epoch_s)


def test_a_phase_at_a_larger_side_is_reckoned_by_its_pixels() -> None:
    left = after_an_epoch(SMALL, LAST)
    larger = STEP_S * (128 / 96) ** 2
    score_s = 600 / 64 * larger / 3
    assert left.seconds("select", 0, 59) == pytest.approx((STEPS * STEP_S + score_s) + 40 * (STEPS * larger + score_s))


def test_an_epoch_in_which_the_machine_slept_changes_nothing() -> None:
    left = after_an_epoch(LAST)
    expected = left.seconds("select", 0, 3)
    for slept_s in (0.0, 8 * 3600.0):
        left.took("select", 0, STEPS - 1, (STEPS - 1) * STEP_S + slept_s)
    assert left.seconds("select", 0, 3) == pytest.approx(expected)


def test_a_head_says_nothing_about_the_phases_behind_it() -> None:
    left = after_an_epoch(HEAD, LAST)
    assert left.seconds("select", 0, 1) is None
    assert left.in_words("select", 0, 1) == ""


def test_the_refit_counts_with_its_last_phase_on_all_images() -> None:
    left = TimeLeft(stretches(recipe(SMALL, LAST), 128, [("select", FOLD), ("refit", WHOLE)]))
    left.took("select", 1, STEPS, STEPS * STEP_S)
    assert left.seconds("select", 1, 40) == pytest.approx(40 * (7000 // 64) * STEP_S)


def test_what_may_stop_early_takes_at_most_so_long() -> None:
    assert after_an_epoch(LAST | {"early_stopping": 5}).in_words("select", 0, 1) == "at most about 1 h 0 min left"


def test_what_is_short_is_not_said() -> None:
    assert after_an_epoch(LAST).in_words("select", 0, 39) == ""


def told_of(steps: list[float], monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """What is told while steps take so many seconds each."""
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    told: list[tuple[int, float]] = []
    for seconds in watched(iter(steps), lambda *timing: told.append(timing)):
        clock[0] += seconds
    return told


def test_the_step_that_compiles_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_of([5.0, 0.25, 0.25, 0.5], monkeypatch) == [(3, 1.0)]


@pytest.mark.parametrize("held_up", [1, 2, 9, 19])
def test_a_pause_of_the_machine_says_nothing_of_the_steps(held_up: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [1.0] * 20
    steps[held_up] = 40_000.0
    assert told_of(steps, monkeypatch) == [(10, 10.0), (18, 18.0)]


@pytest.mark.thorough
def test_a_long_training_says_it_within_its_first_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(time_left, "LONG_S", 0.0)
    monkeypatch.setattr(time_left, "WATCHED_S", 0.0)
    monkeypatch.setattr(time_left, "FEWEST", 1)
    workspace = project(tmp_path / "project")
    phases = [{"mode": "scratch", "epochs": 2, "learning_rate": 0.01}]
    train(workspace, write_params(workspace, phases=phases), VARIANT)
    assert re.search(r"train: about \d+ s left, by its first 1 steps", capsys.readouterr().err)
