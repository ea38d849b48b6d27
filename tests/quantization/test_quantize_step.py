"""The step `quantize`: the three files of a trained variant with their record, and nothing but progress on the screen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from miniature import CLASSES, SIDE
from variant_in_miniature import COUNTS, DATASET, NETWORK, VARIANT, project, write_params

from edgeloop.config import load_params
from edgeloop.errors import InputError
from edgeloop.files import sha256_file
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import Preprocessing
from edgeloop.quantization.quantize import quantize
from edgeloop.records import QuantizeRecord
from edgeloop.workspace import VariantPaths, Workspace

pytestmark = pytest.mark.thorough


def variant(workspace: Workspace) -> VariantPaths:
    return workspace.variant(DATASET, NETWORK, SIDE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A project whose variant has a model with fresh weights."""
    load_tensorflow()
    import keras

    workspace = project(tmp_path_factory.mktemp("quantize") / "a project")
    write_params(workspace, quantize={"calibration_images": 10, "seed": 5})
    paths = variant(workspace)
    paths.model.parent.mkdir(parents=True)
    keras.utils.set_random_seed(1)
    build(network(NETWORK), SIDE, len(CLASSES)).save(paths.model)
    Preprocessing(resolution=SIDE, resize="area", input_range=(0, 1)).write(paths.preprocessing)
    return workspace


@pytest.fixture(scope="module")
def record(trained: Workspace) -> QuantizeRecord:
    return quantize(trained, load_params(trained), VARIANT)


def test_the_record_says_what_was_made_of_what(trained: Workspace, record: QuantizeRecord) -> None:
    paths = variant(trained)
    assert QuantizeRecord.read(paths.quantize_record) == record
    assert record.model_sha256 == sha256_file(paths.model)
    assert record.provenance.data_revision == sha256_file(trained.dataset(DATASET).manifest)
    for model in record.models:
        assert model.sha256 == sha256_file(paths.quantized / model.file)
        assert model.bytes == (paths.quantized / model.file).stat().st_size


def test_it_is_calibrated_on_each_class_of_train_in_its_share(record: QuantizeRecord) -> None:
    assert record.calibration_images == 10 < len(CLASSES) * COUNTS["train"]
    assert sorted(record.calibration_per_class.values()) == [3, 3, 4]
    assert sorted(record.calibration_per_class) == CLASSES


def test_the_preprocessing_lies_beside_the_models(trained: Workspace, record: QuantizeRecord) -> None:
    paths = variant(trained)
    assert (paths.quantized / "preprocessing.json").read_bytes() == paths.preprocessing.read_bytes()


def test_another_process_makes_the_same_bytes_and_shows_progress_only(trained: Workspace, record: QuantizeRecord, tmp_path: Path) -> None:
    copied = Workspace(tmp_path / "copy")
    shutil.copytree(trained.root, copied.root)
    shutil.rmtree(variant(copied).quantized)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "edgeloop", "quantize", VARIANT],
        cwd=copied.root, env=environment, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    for model in record.models:
        assert sha256_file(variant(copied).quantized / model.file) == model.sha256
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [model.file for model in record.models]
    assert {line.split(":")[0] for line in done.stderr.splitlines()} == {"convert"}


def test_a_variant_that_is_not_trained_is_refused(tmp_path: Path) -> None:
    workspace = project(tmp_path / "project", train=1, val=1, test=1)
    with pytest.raises(InputError, match="not trained"):
        quantize(workspace, write_params(workspace), VARIANT)
