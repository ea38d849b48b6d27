"""Running a .tflite classifier: the same scores by every road, and a clear error for what is no classifier."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from miniature import CLASSES, PREPROCESSING, coloured, damaged

from edgeloop.errors import InputError, ModelError
from edgeloop.evaluation.folder import evaluate_folder
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.encoding import raw
from edgeloop.tflite.inspect import inspect_model
from edgeloop.tflite.interpreter import LiteModel
from edgeloop.tflite.trial import try_model

PLANT = "pretrained/plant-village_fdmobilenet_0.25_128_int8.tflite"


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    return np.stack([coloured(CLASSES[number % 3], number) for number in range(41)])


@pytest.mark.parametrize("name", ["float", "per_channel", "per_tensor", "int8", "open_batch", "open_float"])
def test_every_form_of_the_classifier_tells_the_colours_apart(miniatures: Path, pixels: Pixels, name: str) -> None:
    scores = Classifier(miniatures / f"{name}.tflite", PREPROCESSING).score_all(pixels)
    assert scores.shape == (41, 3)
    assert scores.dtype == np.float32
    assert (scores.argmax(axis=1) == np.arange(41) % 3).all()
    assert np.allclose(scores.sum(axis=1), 1, atol=0.01)


@pytest.mark.parametrize("name", ["open_batch", "open_float", "per_channel"])
def test_batches_and_threads_change_nothing(miniatures: Path, pixels: Pixels, name: str) -> None:
    path = miniatures / f"{name}.tflite"
    single = Classifier(path, PREPROCESSING, batch=1, workers=1).score(pixels)
    assert np.array_equal(Classifier(path, PREPROCESSING, batch=8, workers=3).score_all(pixels, chunk=7), single)


def test_a_batch_is_used_only_where_the_file_declares_it_open(miniatures: Path) -> None:
    assert Classifier(miniatures / "open_batch.tflite", PREPROCESSING, batch=8).batch == 8
    assert Classifier(miniatures / "per_channel.tflite", PREPROCESSING, batch=8).batch == 1


def test_int8_scores_are_dequantized(miniatures: Path) -> None:
    model = LiteModel(miniatures / "int8.tflite")
    scores = model.run(raw(coloured("red", 1)[None], "int8"))
    assert model.output.scale == pytest.approx(1 / 256)
    assert scores[0, 2] > 0.9
    assert (scores >= 0).all()


def test_preprocessing_of_another_resolution_is_refused(miniatures: Path) -> None:
    other = Preprocessing(resolution=128, resize="area", input_range=(-1, 1))
    with pytest.raises(InputError, match=r"96x96x3 .*, its preprocessing makes 128x128x3"):
        Classifier(miniatures / "per_channel.tflite", other)


@pytest.mark.thorough
def test_damaged_models_are_refused_or_run(miniatures: Path, tmp_path: Path) -> None:
    content, rng, file = (miniatures / "per_channel.tflite").read_bytes(), np.random.default_rng(2), tmp_path / "model.tflite"
    refused = 0
    for _ in range(20):
        file.write_bytes(damaged(content, rng))
        try:
            try_model(file)
            model = LiteModel(file)
            model.run(np.zeros((1, *model.image_shape), model.input.dtype))
        except ModelError:
            refused += 1
    assert 5 < refused < 20


def test_a_model_that_crashes_litert_crashes_a_child_only(miniatures: Path, tmp_path: Path) -> None:
    """The last convolution has lost its weights: LiteRT 2.3 reads from the null pointer."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf((miniatures / "per_channel.tflite").read_bytes(), 0)
    convolution = model.subgraphs[0].operators[4]
    convolution.inputs = [convolution.inputs[0], -1, convolution.inputs[2]]
    builder = schema.flatbuffers.Builder(4_096)
    builder.Finish(model.Pack(builder), b"TFL3")
    file = tmp_path / "model.tflite"
    file.write_bytes(bytes(builder.Output()))
    with pytest.raises(ModelError, match=r"LiteRT crashed \(signal 11\) in one inference of .*model\.tflite"):
        try_model(file)
    with pytest.raises(ModelError, match="LiteRT crashed"):
        evaluate_folder(file, tmp_path)
    assert inspect_model(file).quantization == "mixed"


def test_a_model_too_large_to_run_is_refused_before_it_takes_memory(miniatures: Path, tmp_path: Path) -> None:
    """The input's 96 x 96 becomes 60,000 x 60,000."""
    content = (miniatures / "float.tflite").read_bytes()
    shape = np.array([1, 96, 96, 3], np.int32)
    assert shape.tobytes() in content
    file = tmp_path / "model.tflite"
    file.write_bytes(content.replace(shape.tobytes(), np.array([1, 60_000, 60_000, 3], np.int32).tobytes()))
    with pytest.raises(ModelError, match="computes 43,"):
        LiteModel(file)


@pytest.mark.shared
def test_the_published_model_gives_the_same_scores_in_batches(shared: Callable[[str], Path]) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (20, 128, 128, 3), np.uint8)
    preprocessing = Preprocessing(resolution=128, resize="nearest", input_range=(-1, 1))
    batched = Classifier(shared(PLANT), preprocessing, batch=16)
    assert (batched.batch, batched.classes) == (16, 39)
    single = Classifier(shared(PLANT), preprocessing, batch=1, workers=1).score(noise)
    assert np.array_equal(batched.score_all(noise), single)
    assert len(np.unique(single, axis=0)) > 1
