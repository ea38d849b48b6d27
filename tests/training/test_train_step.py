"""The step `train` on coloured squares: reproducible, resumed after a kill, and refused where it makes no sense."""

import csv
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed_training import epochs_on_disk, killed_after
from miniature import CLASSES, SIDE
from variant_in_miniature import COUNTS, DATASET, NETWORK, VARIANT, accept, project, write_params

from edgeloop.config import Params, load_params
from edgeloop.errors import ConfigError, DataError, InputError, TrainingError
from edgeloop.files import sha256_file
from edgeloop.preprocessing import Preprocessing
from edgeloop.records import TrainRecord
from edgeloop.records.history import HISTORY
from edgeloop.training.train import train
from edgeloop.training.training import class_weights
from edgeloop.workspace import VariantPaths, Workspace

pytestmark = pytest.mark.thorough

SCRATCH: dict[str, Any] = {
    "phases": [{"mode": "scratch", "epochs": 4, "learning_rate": 0.01, "warmup_epochs": 1}],
    "batch_size": 6,
    "batch_norm_momentum": 0.5,
    "weight_average": 0.5,
    "dropout": 0.2,
    "label_smoothing": 0.1,
    "augmentation": [{"op": "flip"}, {"op": "crop"}, {"op": "color", "contrast": 0.2}, {"op": "mixup", "alpha": 0.2}],
}
TRANSFER: dict[str, Any] = SCRATCH | {
    "phases": [{"mode": "head", "epochs": 3, "learning_rate": 0.01}, {"mode": "full", "epochs": 8, "learning_rate": 0.002}],
}


def variant(workspace: Workspace) -> VariantPaths:
    return workspace.variant(DATASET, NETWORK, SIDE)


def scored(record: TrainRecord) -> float:
    assert record.estimate.held_accuracy is not None
    return record.estimate.held_accuracy.value


def history(workspace: Workspace) -> list[dict[str, str]]:
    with variant(workspace).history.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a prepared and accepted data set, to copy."""
    return project(tmp_path_factory.mktemp("data") / "project").root


def copy(data: Path, to: Path) -> Workspace:
    shutil.copytree(data, to)
    return Workspace(to)


@pytest.fixture
def workspace(data: Path, tmp_path: Path) -> Workspace:
    return copy(data, tmp_path / "a project")


@pytest.fixture(scope="module")
def scratch(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, TrainRecord]:
    workspace = copy(data, tmp_path_factory.mktemp("scratch") / "project")
    return workspace, train(workspace, write_params(workspace, **SCRATCH), VARIANT)


def transfer(data: Path, to: Path, backbone: Workspace) -> Workspace:
    """A project whose variant starts from another variant's model and its record."""
    workspace = copy(data, to)
    shutil.copytree(variant(backbone).folder, to / "models" / "other" / "backbone")
    write_params(workspace, start="models/other/backbone/train/model.keras", **TRANSFER)
    return workspace


@pytest.fixture(scope="module")
def transferred(
    data: Path, scratch: tuple[Workspace, TrainRecord], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, TrainRecord]:
    workspace = transfer(data, tmp_path_factory.mktemp("transferred") / "project", scratch[0])
    return workspace, train(workspace, load_params(workspace), VARIANT)


def test_the_record_states_the_training(scratch: tuple[Workspace, TrainRecord]) -> None:
    workspace, record = scratch
    paths = variant(workspace)
    assert TrainRecord.read(paths.train_record) == record
    assert record.model_sha256 == sha256_file(paths.model)
    assert record.provenance.data_revision == sha256_file(workspace.dataset(DATASET).manifest)
    assert record.classes == CLASSES
    (fit,) = record.fits
    assert (fit.purpose, fit.train_images, fit.held_images) == ("train", 3 * COUNTS["train"], 3 * COUNTS["val"])
    assert (record.start.kind, record.start.layers_loaded, fit.resumed) == ("scratch", 0, 0)
    assert [(phase.mode, phase.epochs_planned, phase.epochs_run) for phase in fit.phases] == [("scratch", 4, 4)]
    assert all(len(phase.images_per_s_by_epoch) == 4 and min(phase.images_per_s_by_epoch) > 0 for phase in fit.phases)
    assert Preprocessing.read(paths.preprocessing) == Preprocessing(resolution=SIDE, resize="area", input_range=(0, 1))


def test_the_history_has_a_row_for_each_epoch_and_the_record_its_best(scratch: tuple[Workspace, TrainRecord]) -> None:
    workspace, record = scratch
    rows = history(workspace)
    assert tuple(rows[0]) == HISTORY
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    accuracies = [float(row["val_accuracy"]) for row in rows]
    assert scored(record) == pytest.approx(max(accuracies), abs=1e-5)
    assert accuracies[record.fits[0].epoch - 1] == max(accuracies)


def test_the_model_kept_is_the_one_that_was_scored_best(transferred: tuple[Workspace, TrainRecord]) -> None:
    import keras

    from edgeloop.datasets.pixels import split_pixels

    workspace, record = transferred
    paths = variant(workspace)
    preprocessing = Preprocessing.read(paths.preprocessing)
    val = split_pixels(workspace, DATASET, "val", preprocessing)
    scores = keras.models.load_model(paths.model)(preprocessing.normalised(val.pixels), training=False).numpy()
    assert (scores.argmax(axis=1) == val.labels).mean() == scored(record)
    assert scored(record) > 0.9


def test_another_seed_gives_another_model(scratch: tuple[Workspace, TrainRecord], workspace: Workspace) -> None:
    phases = [SCRATCH["phases"][0] | {"epochs": 1}]
    train(workspace, write_params(workspace, **SCRATCH | {"seed": 1, "phases": phases}), VARIANT)
    assert history(workspace)[0]["train_loss"] != history(scratch[0])[0]["train_loss"]


def test_test_images_are_not_read(scratch: tuple[Workspace, TrainRecord]) -> None:
    assert not list((scratch[0].cache / "pixels").glob(f"{DATASET}-test-*"))


def test_nothing_is_left_of_the_checkpoint_after_the_end(scratch: tuple[Workspace, TrainRecord]) -> None:
    assert not list((scratch[0].cache / "training").iterdir())


@pytest.mark.long
@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_if_nothing_had_been(
    data: Path, scratch: tuple[Workspace, TrainRecord], transferred: tuple[Workspace, TrainRecord], tmp_path: Path
) -> None:
    workspace = transfer(data, tmp_path / "killed", scratch[0])
    killed_after(workspace, 5, [sys.executable, "-m", "edgeloop", "train", VARIANT])
    done = epochs_on_disk(workspace)
    assert 5 <= done < 11
    record = train(workspace, load_params(workspace), VARIANT)
    assert record.fits[0].resumed == 1
    for name in ("train/model.keras", "train/preprocessing.json"):
        assert (variant(workspace).folder / name).read_bytes() == (variant(transferred[0]).folder / name).read_bytes(), name
    rows, expected = history(workspace), history(transferred[0])
    assert [row["val_loss"] for row in rows] == [row["val_loss"] for row in expected], "the same seed gives the same bytes"


def test_transfer_trains_the_head_first_and_inherits_origin_and_licence(transferred: tuple[Workspace, TrainRecord]) -> None:
    record = transferred[1]
    assert [(phase.mode, phase.epochs_run) for phase in record.fits[0].phases] == [("head", 3), ("full", 8)]
    assert (record.start.kind, record.start.origin) == ("keras", "models/other/backbone/train/model.keras")
    assert record.start.license is None


def test_a_licence_goes_on_from_variant_to_variant(data: Path, scratch: tuple[Workspace, TrainRecord], tmp_path: Path) -> None:
    workspace = transfer(data, tmp_path / "project", scratch[0])
    folder = workspace.root / "models" / "other" / "backbone"
    record = TrainRecord.read(folder / "train.json")
    record.model_copy(update={"start": record.start.model_copy(update={"license": "sla0044"})}).write(folder / "train.json")
    phases = [{"mode": "head", "epochs": 1, "learning_rate": 0.01}]
    params = write_params(workspace, start="models/other/backbone/train/model.keras", phases=phases)
    assert train(workspace, params, VARIANT).start.license == "sla0044"


def test_the_head_trains_the_last_layer_only_on_features_computed_once(
    workspace: Workspace, scratch: tuple[Workspace, TrainRecord]
) -> None:
    import keras

    shutil.copyfile(variant(scratch[0]).model, workspace.root / "backbone.keras")
    phases = [{"mode": "head", "epochs": 2, "learning_rate": 0.05}]
    train(workspace, write_params(workspace, start="backbone.keras", phases=phases), VARIANT)
    before, after = (keras.models.load_model(path) for path in (workspace.root / "backbone.keras", variant(workspace).model))
    equal = [np.array_equal(a, b) for a, b in zip(before.get_weights(), after.get_weights(), strict=True)]
    assert equal == [True] * (len(equal) - 2) + [False] * 2
    features = {path: path.stat().st_mtime_ns for path in (workspace.cache / "features").iterdir()}
    assert len(features) == 1  # train and val together
    train(workspace, write_params(workspace, start="backbone.keras", phases=[phases[0] | {"learning_rate": 0.01}]), VARIANT)
    assert {path: path.stat().st_mtime_ns for path in (workspace.cache / "features").iterdir()} == features


def test_early_stopping_ends_a_phase_that_gets_no_better(workspace: Workspace, scratch: tuple[Workspace, TrainRecord]) -> None:
    shutil.copyfile(variant(scratch[0]).model, workspace.root / "backbone.keras")
    phases = [{"mode": "head", "epochs": 30, "learning_rate": 1e-12, "early_stopping": 3, "decay": "constant"}]
    record = train(workspace, write_params(workspace, start="backbone.keras", phases=phases, weight_decay=0), VARIANT)
    assert record.fits[0].phases[0].epochs_run == record.fits[0].epoch + 3 < 30


def test_rare_classes_weigh_more_where_that_is_asked_for(workspace: Workspace) -> None:
    assert write_params(workspace, class_weights="balanced").datasets[DATASET].train.class_weights == "balanced"
    labels = np.repeat(np.arange(3, dtype=np.int32), [60, 30, 10])
    weights = class_weights(labels, 3, "balanced")
    assert weights[labels].mean() == pytest.approx(1)
    assert weights * [60, 30, 10] == pytest.approx(weights[0] * 60)
    assert class_weights(labels, 3, write_params(workspace).datasets[DATASET].train.class_weights).tolist() == [1, 1, 1]


def test_a_diverging_training_is_stopped_with_what_to_change(workspace: Workspace) -> None:
    phases = [{"mode": "scratch", "epochs": 3, "learning_rate": 1e30}]
    with pytest.raises(TrainingError, match="diverged in epoch 1") as error:
        train(workspace, write_params(workspace, phases=phases), VARIANT)
    assert "Lower learning_rate" in error.value.remedy
    assert not variant(workspace).model.exists()
    assert not variant(workspace).train_record.exists()


@pytest.mark.parametrize(
    ("modes", "start", "reason"),
    [
        (["head"], None, "fresh weights"),
        (["head", "full"], None, "fresh weights"),
        (["full", "scratch"], None, "throw away trained weights"),
        (["scratch"], "backbone.keras", "throw away trained weights"),
    ],
)
def test_phases_that_do_not_fit_the_start_are_refused(
    workspace: Workspace, scratch: tuple[Workspace, TrainRecord], modes: list[str], start: str | None, reason: str
) -> None:
    shutil.copyfile(variant(scratch[0]).model, workspace.root / "backbone.keras")
    phases = [{"mode": mode, "epochs": 1, "learning_rate": 0.01} for mode in modes]
    params = write_params(workspace, start=start or "models/backbones/scratch.yaml", phases=phases)
    with pytest.raises(ConfigError, match=reason):
        train(workspace, params, VARIANT)


def test_data_must_be_prepared_and_accepted_first(workspace: Workspace) -> None:
    params: Params = write_params(workspace)
    paths = workspace.dataset(DATASET)
    accepted = paths.accepted.read_bytes()
    paths.accepted.unlink()
    with pytest.raises(InputError, match="not accepted by its validation"):
        train(workspace, params, VARIANT)
    paths.accepted.write_bytes(accepted.replace(b'": "', b'": "0'))
    with pytest.raises(DataError, match="changed after it was validated"):
        train(workspace, params, VARIANT)
    accept(workspace)
    paths.manifest.unlink()
    with pytest.raises(InputError, match="not prepared"):
        train(workspace, params, VARIANT)


def test_a_phase_may_train_at_a_lower_resolution_and_is_scored_at_the_variants(workspace: Workspace) -> None:
    phases = [
        {"mode": "scratch", "epochs": 2, "learning_rate": 0.01, "resolution": 64},
        {"mode": "full", "epochs": 2, "learning_rate": 0.01},
    ]
    record = train(workspace, write_params(workspace, **SCRATCH | {"phases": phases}), VARIANT)
    stored = {len(pixels[0]): len(pixels) for pixels in map(np.load, (workspace.cache / "pixels").iterdir())}
    held = 3 * COUNTS["val"]
    every = 3 * COUNTS["train"] + held
    assert stored == {round(64 * 1.15): every, round(SIDE * 1.15): every, SIDE: held}, "of those that are scored alone, the model's size"
    assert [phase.epochs_run for phase in record.fits[0].phases] == [2, 2]
