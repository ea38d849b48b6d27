"""`edgeloop inspect` of Keras files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeloop.cli import main
from edgeloop.errors import ModelError
from edgeloop.networks import build, multiply_accumulates, network
from edgeloop.networks.inspect import inspect_keras
from edgeloop.training.model_file import write_model


def test_a_keras_file_is_told_layer_by_layer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shape = network("fdmobilenet_0.25")
    model = build(shape, 96, 5)
    write_model(model, tmp_path / "a model.keras")
    out = tmp_path / "out.json"
    assert main(["inspect", str(tmp_path / "a model.keras"), "--json", str(out)]) == 0
    said, found = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))
    assert (found["inputs"], found["outputs"]) == ([[None, 96, 96, 3]], [[None, 5]])
    assert found["parameters"] == model.count_params()
    assert found["macs"] == multiply_accumulates(shape, 96, 5)
    assert f"parameters    {model.count_params():,}" in said
    assert len(found["layers"]) == len(model.layers)


@pytest.mark.shared
def test_a_published_file_of_keras_2(shared: Callable[[str], Path]) -> None:
    found = inspect_keras(shared("pretrained/food-101_fdmobilenet_0.25_128.h5"))
    assert found.outputs == [[None, 101]]
    assert found.macs == multiply_accumulates(network("fdmobilenet_0.25"), 128, 101)


def test_what_is_no_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"no")
    with pytest.raises(ModelError, match="is not a Keras model"):
        inspect_keras(tmp_path / "model.keras")
