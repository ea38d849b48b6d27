"""The step `evaluate`: a variant's three models on the `test` split of its prepared data set."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from miniature import CLASSES, coloured, prepare

from edgeloop.config import Params, load_params
from edgeloop.errors import InputError, ModelError
from edgeloop.evaluation.evaluate import evaluate
from edgeloop.preprocessing import Pixels
from edgeloop.records import EvaluateRecord
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"
WRONG = [("red", 1), ("red", 4), ("blue", 2)]
"""Test pictures of this label and number show green."""


def shown(label: str, number: int) -> Pixels:
    return coloured("green" if (label, number) in WRONG else label, number)


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace)


@pytest.fixture
def variant(workspace: Workspace, miniatures: Path) -> VariantPaths:
    """A quantized variant and a prepared data set of 8 test pictures for each colour, three of them labelled wrongly."""
    test = [(label, "test", shown(label, number)) for label in CLASSES for number in range(8)]
    train = [(label, "train", coloured(label, 100)) for label in CLASSES]
    prepare(workspace, "sample", test + train)
    paths = workspace.variant("sample", "fdmobilenet_0.25", 96)
    shutil.copytree(miniatures, paths.quantized)
    return paths


def test_each_format_has_its_accuracy_with_n_and_interval(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    record = evaluate(workspace, params, VARIANT)
    assert [entry.format for entry in record.formats] == ["float", "int8 per-channel", "int8 per-tensor"]
    for entry in record.formats:
        assert (entry.top1.n, entry.top1.value) == (24, 21 / 24)
        assert entry.top1.ci95[0] < 21 / 24 < entry.top1.ci95[1]
        assert entry.confusion == [[7, 1, 0], [0, 8, 0], [0, 2, 6]]
    assert [entry.agreement_with_float for entry in record.formats] == [None, 1.0, 1.0]


def test_classes_have_recall_and_precision(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    blue, green, red = evaluate(workspace, params, VARIANT).formats[1].per_class
    assert (blue.label, blue.n, blue.recall, blue.precision) == ("blue", 8, 7 / 8, 1.0)
    assert (green.label, green.n, green.recall, green.precision) == ("green", 8, 1.0, 8 / 11)
    assert (red.label, red.n, red.recall, red.precision) == ("red", 8, 6 / 8, 1.0)


def test_the_record_is_written_with_the_data_it_stands_on(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    record = evaluate(workspace, params, VARIANT)
    assert EvaluateRecord.read(variant.evaluate_record) == record
    assert (record.split, record.resize, record.classes) == ("test", "area", CLASSES)
    assert record.provenance.data_revision is not None
    assert "ai-edge-litert" in record.provenance.tools


def test_predictions_hold_one_row_for_each_image(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    evaluate(workspace, params, VARIANT)
    rows = pd.read_parquet(variant.predictions)
    names = [f"{name}_{what}" for name in ("float", "per_channel", "per_tensor") for what in ("class", "score")]
    assert list(rows.columns) == ["path", "label", *names]
    missed = rows[rows["label"] != rows["per_channel_class"]]
    assert sorted(missed["path"]) == ["blue/002.png", "red/017.png", "red/020.png"]
    assert set(missed["per_channel_class"]) == {"green"}
    assert rows["float_score"].between(0.9, 1).all()


def test_top5_is_told_from_the_declared_number_of_classes(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    assert evaluate(workspace, params, VARIANT).formats[0].top5 is None
    few = params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"top5_from_classes": 3})})
    top5 = evaluate(workspace, few, VARIANT).formats[0].top5
    assert top5 is not None
    assert top5.value == 1.0


def test_disagreement_with_the_float_model_is_seen(workspace: Workspace, params: Params, variant: VariantPaths, miniatures: Path) -> None:
    """Of 24 pictures 11 show green, which the model in the place of the per-tensor one never says."""
    shutil.copy(miniatures / "blind.tflite", variant.quantized / "per_tensor.tflite")
    changed = evaluate(workspace, params, VARIANT).formats[2]
    assert changed.agreement_with_float == 13 / 24
    assert (changed.per_class[1].recall, changed.per_class[1].precision) == (0.0, None)


def test_a_second_run_gives_the_same_results_from_the_cache(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    first = evaluate(workspace, params, VARIANT)
    predictions = variant.predictions.read_bytes()
    (workspace.dataset("sample").images / "shards-0000.tar").unlink()
    assert evaluate(workspace, params, VARIANT).formats == first.formats
    assert variant.predictions.read_bytes() == predictions


def test_a_model_of_other_classes_is_refused(workspace: Workspace, params: Params, miniatures: Path) -> None:
    prepare(workspace, "sample", [(label, "test", coloured("red", 1)) for label in ("a", "b", "c", "d")])
    shutil.copytree(miniatures, workspace.variant("sample", "fdmobilenet_0.25", 96).quantized)
    with pytest.raises(InputError, match="tells 3 classes apart, its data set has 4"):
        evaluate(workspace, params, VARIANT)


def test_no_record_is_left_when_a_model_is_damaged(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    (variant.quantized / "per_tensor.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(ModelError, match=r"per_tensor\.tflite"):
        evaluate(workspace, params, VARIANT)
    assert not variant.evaluate_record.exists()


def test_an_unknown_variant_is_answered_with_the_near_match(workspace: Workspace, params: Params) -> None:
    with pytest.raises(InputError, match=r"did you mean 'sample-fdmobilenet_0\.25-96'"):
        evaluate(workspace, params, "sample-fdmobilenet_0.25-69")
