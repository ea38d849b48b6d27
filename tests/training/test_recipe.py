"""What a training is made of where params.yaml leaves it open: by the number of images, the resolution and the start."""

from typing import Any

import pytest
from variant_in_miniature import VARIANT, project, write_params

from edgeloop.config import Phase, TrainSettings
from edgeloop.errors import ConfigError
from edgeloop.training.recipe import Recipe, choose
from edgeloop.training.train import train

FLOWERS: dict[str, Any] = {"images": 2936, "resolution": 128, "fresh": False, "start_range": (-1.0, 1.0)}


def chosen(stated: dict[str, Any] | None = None, **known: Any) -> Recipe:
    return choose(TrainSettings.model_validate(stated or {}), **FLOWERS | known)


def full(recipe: Recipe) -> list[Phase]:
    return [phase for phase in recipe.phases if phase.mode != "head"]


def test_photographs_from_trained_weights() -> None:
    recipe = chosen()
    assert [(phase.mode, phase.epochs, phase.resolution) for phase in recipe.phases] == [
        ("head", 20, None),
        ("full", 163, 96),
        ("full", 109, None),
    ]
    assert [op.op for op in recipe.augmentation] == ["flip", "crop", "affine", "color", "erase", "mixup"]
    assert recipe.input_range == (-1, 1) and recipe.final == "refit"


@pytest.mark.parametrize(("images", "epochs"), [(60, 400), (2000, 400), (3200, 250), (20_000, 40), (100_000, 20)])
def test_few_images_are_shown_more_often(images: int, epochs: int) -> None:
    assert sum(phase.epochs for phase in full(chosen(images=images))) == epochs


def test_fresh_weights_learn_longer_and_have_no_head_to_begin_with() -> None:
    recipe = chosen(fresh=True, start_range=None)
    assert [phase.mode for phase in recipe.phases] == ["scratch", "full"]
    assert recipe.epochs > sum(phase.epochs for phase in full(chosen()))
    assert recipe.input_range == (0, 1)


@pytest.mark.parametrize(("resolution", "smaller"), [(96, None), (128, 96), (160, 96), (224, 160), (256, 192)])
def test_most_epochs_run_at_three_quarters_of_the_side(resolution: int, smaller: int | None) -> None:
    phases = full(chosen(resolution=resolution))
    assert phases[0].resolution == smaller
    assert len(phases) == 2 and phases[0].decay == "constant"
    assert phases[-1].resolution is None and phases[-1].decay == "cosine"


@pytest.mark.parametrize(
    ("final", "stops", "images", "kept"),
    [
        ("auto", None, 9_999, "refit"),
        ("auto", None, 10_000, "best_epoch"),
        ("auto", 5, 100, "best_epoch"),
        ("refit", None, 1_000_000, "refit"),
        ("best_epoch", None, 100, "best_epoch"),
    ],
)
def test_small_sets_are_refitted_unless_a_phase_stops_early(final: str, stops: int | None, images: int, kept: str) -> None:
    phase = {"mode": "full", "epochs": 9, "learning_rate": 0.1, "early_stopping": stops}
    assert chosen({"phases": [phase], "final": final}, images=images).final == kept


def test_what_is_stated_counts() -> None:
    recipe = chosen({"phases": [{"mode": "head", "epochs": 3, "learning_rate": 0.1}], "input_range": [0, 1], "batch_size": 7})
    assert [phase.epochs for phase in recipe.phases] == [3]
    assert (recipe.input_range, recipe.batch_size) == ((0, 1), 7)
    assert recipe.augmentation == [], "features of the images as they are"
    assert chosen({"augmentation": []}).augmentation == []


def test_trained_weights_of_an_unknown_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="which range the pixels of the starting weights"):
        chosen(start_range=None)
    assert chosen({"input_range": [-1, 1]}, start_range=None).input_range == (-1, 1)


def test_a_part_of_the_epochs() -> None:
    whole = chosen()
    half = whole.scaled(0.5)
    assert [phase.epochs for phase in half.phases] == [10, 81, 54]
    assert [phase.epochs for phase in whole.scaled(0.0001).phases] == [1, 1, 1]
    stopping = chosen({"phases": [{"mode": "full", "epochs": 9, "learning_rate": 0.1, "early_stopping": 5, "warmup_epochs": 3}]})
    assert Phase.model_validate(stopping.scaled(0.5).phases[0].model_dump()).early_stopping == 3
    assert Phase.model_validate(stopping.scaled(0.1).phases[0].model_dump()).early_stopping is None


@pytest.mark.thorough
def test_the_record_states_the_recipe_that_was_run(tmp_path: Any) -> None:
    workspace = project(tmp_path / "project")
    params = write_params(workspace, augmentation=None, phases=[{"mode": "scratch", "epochs": 1, "learning_rate": 0.01}], final="auto")
    stated = train(workspace, params, VARIANT).provenance.params
    assert stated["final"] == "refit"
    assert [op["op"] for op in stated["augmentation"]] == ["flip", "crop", "affine", "color", "erase", "mixup"]


@pytest.mark.parametrize(("resolution", "smaller"), [("160x120", None), ("256x192", "171x128"), (28, None), ("192x256", "128x171")])
def test_a_smaller_size_keeps_the_proportions(resolution: int | str, smaller: str | None) -> None:
    assert full(chosen(resolution=resolution))[0].resolution == smaller


def test_grey_is_not_given_other_hues() -> None:
    colors, greys = ([op for op in chosen(color=color).augmentation if op.op == "color"] for color in ("rgb", "grey"))
    assert [(op.hue > 0, op.saturation > 0, op.contrast) for op in colors] == [(True, True, 0.4)]
    assert [(op.hue, op.saturation, op.contrast) for op in greys] == [(0, 0, 0.4)]
