"""`compute: gpus`, in bfloat16 on every device; two parts of a processor stand for two GPUs, which no test machine has."""

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed_training import DEADLINE_S, epochs_on_disk, killed_after
from miniature import SIDE
from variant_in_miniature import DATASET, NETWORK, VARIANT, project, write_params

from edgeloop.config import Compute, TrainSettings
from edgeloop.framework import load_tensorflow
from edgeloop.records import TrainRecord
from edgeloop.training.compute import computing
from edgeloop.workspace import VariantPaths, Workspace

TESTS = Path(__file__).resolve().parent.parent
TWO_DEVICES = (sys.executable, str(TESTS / "two_devices.py"), "train", VARIANT)
SETTINGS: dict[str, Any] = {
    "compute": "gpus",
    "phases": [{"mode": "scratch", "epochs": 8, "learning_rate": 0.01, "warmup_epochs": 1}],
    "batch_size": 7,  # of two devices one takes more images
    "batch_norm_momentum": 0.5,
    "weight_average": 0.5,
    "dropout": 0.2,
    "augmentation": [{"op": "flip"}, {"op": "crop"}],
}


def run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr


def prepared(folder: Path) -> Workspace:
    workspace = project(folder)
    write_params(workspace, **SETTINGS)
    return workspace


def paths(workspace: Workspace) -> VariantPaths:
    return workspace.variant(DATASET, NETWORK, SIDE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = prepared(tmp_path_factory.mktemp("gpus") / "project")
    run(TWO_DEVICES, workspace.root)
    return workspace


@pytest.mark.long
def test_in_bfloat16_on_two_devices_the_loss_falls(trained: Workspace) -> None:
    with paths(trained).history.open(newline="", encoding="utf-8") as file:
        losses = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < 0.7 * losses[0]
    estimate = TrainRecord.read(paths(trained).train_record).estimate.held_accuracy
    assert estimate is not None
    assert estimate.value > 0.6, "three classes"


@pytest.mark.long
@pytest.mark.slow
def test_the_model_that_is_kept_is_of_plain_float32_layers(trained: Workspace) -> None:
    load_tensorflow()
    import keras

    model = keras.models.load_model(paths(trained).model)
    assert {str(weight.dtype) for weight in model.weights} == {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_training_on_two_devices_goes_on_and_ends_as_if_nothing_had_been(trained: Workspace, tmp_path: Path) -> None:
    workspace = prepared(tmp_path / "killed")
    killed_after(workspace, 3, TWO_DEVICES)
    assert 3 <= epochs_on_disk(workspace) < 8
    run(TWO_DEVICES, workspace.root)
    assert TrainRecord.read(paths(workspace).train_record).fits[0].resumed == 1
    assert paths(workspace).model.read_bytes() == paths(trained).model.read_bytes()


@pytest.mark.thorough
def test_steps_divided_between_two_devices_are_those_of_one(tmp_path: Path) -> None:
    run((sys.executable, str(TESTS / "two_replicas.py"), str(tmp_path)), TESTS.parent)
    one, two = (np.load(tmp_path / f"{devices}.npz") for devices in (1, 2))
    assert set(one.files) == set(two.files)
    for name in one.files:
        assert np.allclose(one[name], two[name], rtol=1e-4, atol=1e-6), name


def test_the_default_changes_neither_precision_nor_devices() -> None:
    load_tensorflow()
    import keras
    import tensorflow as tf

    assert TrainSettings().compute == "exact"
    with computing("exact", 64):
        assert (keras.config.dtype_policy().name, tf.distribute.has_strategy()) == ("float32", False)


@pytest.mark.parametrize("compute", ["exact", "gpus"])
def test_what_is_made_afterwards_is_as_it_was_before(compute: Compute) -> None:
    load_tensorflow()
    import keras

    with computing(compute, 64):
        made = keras.layers.Dense(1)
    assert made.compute_dtype == ("bfloat16" if compute == "gpus" else "float32")
    assert keras.config.dtype_policy().name == "float32"
