"""A refit: the recipe is scored on val once, then runs as long on every learning image."""

import csv
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from miniature import SIDE
from variant_in_miniature import COUNTS, DATASET, NETWORK, VARIANT, project, write_params

from edgeloop.datasets.pixels import LEARNING, mapped, split_images, split_pixels
from edgeloop.errors import ConfigError
from edgeloop.preprocessing import Preprocessing
from edgeloop.records import TrainRecord
from edgeloop.training.checkpoint import State, load
from edgeloop.training.fit import fit
from edgeloop.training.phases import Job
from edgeloop.training.train import train
from edgeloop.workspace import Workspace

pytestmark = pytest.mark.thorough

SETTINGS: dict[str, Any] = {
    "phases": [{"mode": "scratch", "epochs": 3, "learning_rate": 0.01}],
    "batch_size": 6,
    "batch_norm_momentum": 0.5,
    "weight_average": 0.5,
    "final": "refit",
}
EPOCHS = 3


@pytest.fixture(scope="module")
def refitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, TrainRecord]:
    workspace = project(tmp_path_factory.mktemp("refit") / "a project")
    return workspace, train(workspace, write_params(workspace, **SETTINGS), VARIANT)


def history(workspace: Workspace) -> list[dict[str, str]]:
    with workspace.variant(DATASET, NETWORK, SIDE).history.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_record_says_which_images_the_weights_have_seen(refitted: tuple[Workspace, TrainRecord]) -> None:
    _, record = refitted
    train_images, val_images = 3 * COUNTS["train"], 3 * COUNTS["val"]
    seen = [(fit.purpose, fit.train_images, fit.held_images) for fit in record.fits]
    assert seen == [("select", train_images, val_images), ("refit", train_images + val_images, 0)]
    assert record.learned_from == ["train", "val"]
    assert [fit.epoch for fit in record.fits] == [EPOCHS, EPOCHS]


def test_the_estimate_is_that_of_the_fit_which_did_not_see_val(refitted: tuple[Workspace, TrainRecord]) -> None:
    workspace, record = refitted
    last = [row for row in history(workspace) if row["fit"] == "select"][-1]
    estimate = record.estimate.held_accuracy
    assert estimate is not None and estimate.n == 3 * COUNTS["val"]
    assert estimate.value == pytest.approx(float(last["val_accuracy"]), abs=1e-5)
    assert record.fits[-1].held_accuracy is None


def test_a_refit_states_no_accuracy_on_images_that_it_learns_from(refitted: tuple[Workspace, TrainRecord]) -> None:
    rows = [row for row in history(refitted[0]) if row["fit"] == "refit"]
    assert len(rows) == EPOCHS
    assert {(row["val_loss"], row["val_accuracy"]) for row in rows} == {("", "")}
    assert all(float(row["train_loss"]) > 0 for row in rows)


def test_the_model_kept_has_learned_from_val(refitted: tuple[Workspace, TrainRecord], tmp_path: Path) -> None:
    """Another label on val gives other weights, though nothing of train changed."""
    workspace, record = refitted
    other = Workspace(shutil.copytree(workspace.root, tmp_path / "other"))
    alone = train(other, write_params(other, **SETTINGS | {"final": "best_epoch"}), VARIANT)
    assert alone.model_sha256 != record.model_sha256
    assert alone.fits[0].train_images < record.fits[-1].train_images


@pytest.mark.long
def test_a_refit_that_was_cut_off_goes_on_with_its_own_checkpoint(refitted: tuple[Workspace, TrainRecord], tmp_path: Path) -> None:
    workspace, record = refitted
    again = project(tmp_path / "again")
    params = write_params(again, **SETTINGS)
    with pytest.raises(_Cut), _cut_after_fit("select"):
        train(again, params, VARIANT)
    (kept,) = (again.cache / "training").glob("*-select.state")
    state = load(kept)
    assert state is not None and len(state.history) == EPOCHS
    resumed = train(again, params, VARIANT)
    assert resumed.model_sha256 == record.model_sha256
    assert not list((again.cache / "training").glob("*.state"))
    assert [row["train_loss"] for row in history(again)] == [row["train_loss"] for row in history(workspace)]


class _Cut(Exception):
    """Stands for a kill between the two fits."""


def _cut_after_fit(purpose: str) -> Any:
    def cut(job: Job, *others: Any) -> State:
        state = fit(job, *others)
        if job.purpose == purpose:
            raise _Cut
        return state

    return patch("edgeloop.training.train.fit", cut)


def test_early_stopping_and_a_refit_exclude_each_other(tmp_path: Path) -> None:
    workspace = project(tmp_path / "project")
    phases = [SETTINGS["phases"][0] | {"early_stopping": 2}]
    with pytest.raises(ConfigError, match="no images to stop early by"):
        write_params(workspace, **SETTINGS | {"phases": phases})


def test_the_learning_images_are_train_and_val_in_one_order(refitted: tuple[Workspace, TrainRecord]) -> None:
    workspace, _ = refitted
    preprocessing = Preprocessing(resolution=SIDE, resize="area", input_range=(0, 1))
    both = mapped(workspace, split_images(workspace, DATASET, *LEARNING), preprocessing)
    for split in ("train", "val"):
        alone = split_pixels(workspace, DATASET, split, preprocessing)
        assert np.array_equal(both.pixels[(both.rows["split"] == split).to_numpy()], alone.pixels)
    assert "test" not in set(both.rows["split"])
