"""How long a training takes, said before it; and phases that fit a time, written into params.yaml."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import SIDE
from variant_in_miniature import DATASET, NETWORK, VARIANT, project, write_params

from edgeloop.cli import main
from edgeloop.config import Params, load_params
from edgeloop.errors import ConfigError
from edgeloop.networks import build, network
from edgeloop.training.budget import fit_into
from edgeloop.training.estimate import Estimate, Speed, at_speeds
from edgeloop.training.model_file import divide_logits
from edgeloop.training.training import Training
from edgeloop.workspace import Workspace

PHASES = [{"mode": "scratch", "epochs": 40, "learning_rate": 0.01}, {"mode": "full", "epochs": 60, "learning_rate": 0.01}]
WRITTEN = """\
build: [colours]
datasets:
  colours:
    source: {drawn: {}}
    prepare: {}
    validate: {}
    # Ours.
    train: {batch_size: 12}
variants:
  colours: {networks: fdmobilenet_0.25, resolutions: 96}
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return project(tmp_path_factory.mktemp("estimate") / "project")


def training(workspace: Workspace, params: Params) -> Training:
    return Training.of(workspace, params.variant(VARIANT), params.train_settings(params.variant(VARIANT)))


def test_the_second_fit_of_a_refit_is_counted(workspace: Workspace) -> None:
    """36 images of train and 12 of val in batches of 12: the refit learns from 48 and scores none."""
    speeds = [Speed(compile_s=5, step_s=0.5, score_s=0.01)] * 2
    once = at_speeds(training(workspace, write_params(workspace, phases=PHASES)), speeds)
    twice = at_speeds(training(workspace, write_params(workspace, phases=PHASES, final="refit")), speeds)
    assert (once.once_s, twice.once_s) == (2 * 5, 3 * 5)
    assert once.epochs_s == pytest.approx(100 * (3 * 0.5 + 12 * 0.01))
    assert twice.epochs_s == pytest.approx(once.epochs_s + 60 * 4 * 0.5)


@pytest.mark.thorough
def test_the_command_says_it_and_writes_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_params(workspace, phases=PHASES, final="refit")
    before = workspace.params.read_text(encoding="utf-8")
    monkeypatch.chdir(workspace.root)
    (workspace.root / "dvc.yaml").touch()
    assert main(["estimate", VARIANT]) == 0
    said = capsys.readouterr().out
    assert "100 epochs on 36 images, then the last 60 once more on 48: about " in said
    assert workspace.params.read_text(encoding="utf-8") == before


@pytest.mark.parametrize(("text", "fault"), [("soon", "is no time such as"), ("", "is no time such as"), ("30", "is no time such as")])
def test_what_is_no_time_is_refused(text: str, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["estimate", VARIANT, "--budget", text])
    assert fault in capsys.readouterr().err


def test_a_budget_becomes_an_override_and_the_rest_of_the_file_stays(workspace: Workspace) -> None:
    workspace.params.write_text(WRITTEN, encoding="utf-8")
    said = fit_into(training(workspace, load_params(workspace)), Estimate(once_s=10, epochs_s=400), 210)
    text = workspace.params.read_text(encoding="utf-8")
    assert "    # Ours.\n    train: {batch_size: 12, overrides: [" in text
    assert text.split("variants:")[1] == WRITTEN.split("variants:")[1]
    params = load_params(workspace)
    shorter = training(workspace, params).recipe
    assert shorter.epochs == 200 and "200 of the 400 epochs" in said
    assert (shorter.batch_size, shorter.final) == (12, "refit")
    # Again: the override is replaced, not doubled.
    fit_into(training(workspace, params), Estimate(once_s=10, epochs_s=400), 210)
    assert training(workspace, load_params(workspace)).recipe.epochs == 100
    assert len(load_params(workspace).dataset(DATASET).train.overrides) == 1


def test_what_fits_stays_and_what_cannot_fit_is_refused(workspace: Workspace) -> None:
    workspace.params.write_text(WRITTEN, encoding="utf-8")
    whole = training(workspace, load_params(workspace))
    assert "as it is" in fit_into(whole, Estimate(once_s=10, epochs_s=400), 410)
    with pytest.raises(ConfigError, match="cannot be trained in 10 s"):
        fit_into(whole, Estimate(once_s=10, epochs_s=400), 10.5)
    assert workspace.params.read_text(encoding="utf-8") == WRITTEN


def test_settings_shared_by_an_alias_are_not_changed(workspace: Workspace) -> None:
    other = "  other: {source: {drawn: {}}, prepare: {}, validate: {}, train: *ours}\nvariants:"
    workspace.params.write_text(WRITTEN.replace("train: {", "train: &ours {").replace("variants:", other), encoding="utf-8")
    with pytest.raises(ConfigError, match="colours and other share their training settings"):
        fit_into(training(workspace, load_params(workspace)), Estimate(once_s=1, epochs_s=400), 200)


def test_a_temperature_in_the_last_layer_divides_the_logits_and_changes_no_class(tmp_path: Path) -> None:
    model: Any = build(network(NETWORK), SIDE, 3)
    images = np.random.default_rng(2).random((8, SIDE, SIDE, 3), np.float32)
    before = model(images).numpy()
    divide_logits(model, 0.5)
    after = model(images).numpy()
    assert np.array_equal(before.argmax(1), after.argmax(1))
    squared = before**2
    assert np.allclose(after, squared / squared.sum(1, keepdims=True), atol=1e-5)
