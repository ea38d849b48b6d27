"""Text files that editors of other systems wrote: the mark at their beginning, their line ends and a last empty line say nothing."""

import codecs
import json
import shutil
from pathlib import Path

import pytest
from miniature import PREPROCESSING, class_folders

from edgeloop.boards.lab.config import load_lab
from edgeloop.config import load_params
from edgeloop.datasets.split import parse_list
from edgeloop.errors import ConfigError
from edgeloop.evaluation.folder import evaluate_folder
from edgeloop.preprocessing import Preprocessing
from edgeloop.training.start import is_backbone, read_start
from edgeloop.workspace import Workspace


def as_windows_writes(text: str) -> bytes:
    return codecs.BOM_UTF8 + (text.rstrip("\n") + "\n\n").replace("\n", "\r\n").encode()


def rewrite(path: Path) -> None:
    path.write_bytes(as_windows_writes(path.read_text(encoding="utf-8")))


def test_params_and_lab_and_starting_weights(workspace: Workspace) -> None:
    plain = load_params(workspace)
    rewrite(workspace.params)
    assert load_params(workspace) == plain
    workspace.lab.write_bytes(as_windows_writes("boards:\n  host: {kind: host}\n"))
    assert list(load_lab(workspace).boards) == ["host"]
    scratch = workspace.root / "models" / "backbones" / "scratch.yaml"
    scratch.parent.mkdir(parents=True)
    scratch.write_bytes(as_windows_writes("kind: scratch\n"))
    assert is_backbone(workspace, "scratch")
    assert read_start(workspace, scratch.relative_to(workspace.root)).kind == "scratch"


def test_the_line_of_an_error_is_still_right(workspace: Workspace) -> None:
    text = workspace.params.read_text(encoding="utf-8").replace("batch_size: 32", "batchsize: 32", 1)
    workspace.params.write_bytes(as_windows_writes(text))
    line = text[: text.index("batchsize")].count("\n") + 1
    with pytest.raises(ConfigError, match=rf"params\.yaml:{line}: unknown key"):
        load_params(workspace)


def test_a_list_of_classes_and_the_preprocessing_beside_a_model(miniatures: Path, tmp_path: Path) -> None:
    images = class_folders(tmp_path / "images")
    model = tmp_path / "open_float.tflite"
    shutil.copy(miniatures / model.name, model)
    (tmp_path / "preprocessing.json").write_bytes(as_windows_writes(PREPROCESSING.model_dump_json(indent=2)))
    assert Preprocessing.read(tmp_path / "preprocessing.json") == PREPROCESSING
    (tmp_path / "classes.txt").write_bytes(as_windows_writes("blue\ngreen\nred\n"))
    report = evaluate_folder(model, images, classes=tmp_path / "classes.txt")
    assert report.classes == ["blue", "green", "red"]
    assert report.top1 == 1.0


def test_official_lists() -> None:
    assert parse_list("test.txt", as_windows_writes("cat/1\ndog/2\n")) == {"cat/1", "dog/2"}
    assert parse_list("test.json", as_windows_writes(json.dumps({"cat": ["cat/1"]}))) == {"cat/1"}


@pytest.mark.parametrize("content", ["datasets: {}\n".encode("utf-16"), b"datasets: {x: caf\xe9}\n"])
def test_another_encoding_is_refused_with_the_right_remedy(workspace: Workspace, content: bytes) -> None:
    workspace.params.write_bytes(content)
    with pytest.raises(ConfigError, match="Save it as UTF-8"):
        load_params(workspace)


@pytest.mark.parametrize("content", [b'datasets: {x: "\x00"}', b"datasets: {x: \x1b[31m}", b"[" * 5000])
def test_what_is_no_yaml_is_refused_in_words(workspace: Workspace, content: bytes) -> None:
    workspace.params.write_bytes(content)
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_params(workspace)
