"""Running a .tflite classifier: the same scores by every road, and a clear error for what is no classifier."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from miniature import CLASSES, PREPROCESSING, coloured, damaged

from edgeloop.errors import InputError, ModelError
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.interpreter import LiteModel, encode

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
    scores = model.run(encode(coloured("red", 1)[None], "int8"))
    assert model.output.scale == pytest.approx(1 / 256)
    assert scores[0, 2] > 0.9
    assert (scores >= 0).all()


def test_int8_pixels_are_the_raw_ones_shifted_by_128() -> None:
    raw = np.arange(256, dtype=np.uint8)
    assert np.array_equal(encode(raw, "int8"), raw.astype(int) - 128)
    assert encode(raw, "int8").dtype == np.int8


def test_preprocessing_of_another_resolution_is_refused(miniatures: Path) -> None:
    other = Preprocessing(resolution=128, resize="area", input_range=(-1, 1))
    with pytest.raises(InputError, match="side 96, its preprocessing makes 128"):
        Classifier(miniatures / "per_channel.tflite", other)


def test_damaged_models_are_refused_or_run(miniatures: Path, tmp_path: Path) -> None:
    """LiteRT runs in this process: a crash would end the test run."""
    content, rng, file = (miniatures / "per_channel.tflite").read_bytes(), np.random.default_rng(2), tmp_path / "model.tflite"
    refused = 0
    for _ in range(300):
        file.write_bytes(damaged(content, rng))
        try:
            model = LiteModel(file)
            model.run(np.zeros((1, model.side, model.side, 3), model.input.dtype))
        except ModelError:
            refused += 1
    assert 50 < refused < 299


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
