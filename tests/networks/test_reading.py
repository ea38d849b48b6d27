"""Float models of files: Keras 2's are read with what Keras 3 dropped, and what cannot be read says what helps."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras2_files import teachable_machine, write_keras2_model

from edgeloop.errors import InputError, ModelError
from edgeloop.framework import load_tensorflow
from edgeloop.networks.files import read_model
from edgeloop.networks.weights import read_keras2

IMAGES = np.random.default_rng(1).uniform(0, 1, (4, 96, 96, 3)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> None:
    load_tensorflow()


def scores(model: Any) -> Any:
    return np.asarray(model(IMAGES, training=False))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("functional", ["Functional", "Model"])
def test_a_model_of_teachable_machine_is_read_and_answers_the_same(tmp_path: Path, frozen: bool, functional: str) -> None:
    import keras

    model, description = teachable_machine(frozen, functional)
    file = write_keras2_model(tmp_path / "keras_model.h5", model, description)
    with pytest.raises((TypeError, ValueError)):
        keras.models.load_model(file, compile=False)
    assert np.ptp(scores(model)) > 0
    assert np.array_equal(scores(read_model(file)), scores(model))


def test_names_of_modules_and_slashes_in_names_are_taken(tmp_path: Path) -> None:
    model, description = teachable_machine()
    text = json.dumps(description).replace(
        '"class_name": "Functional"', '"class_name": "Functional", "module": "keras.src.engine.functional"'
    )
    renamed = json.loads(text.replace('"conv1"', '"Conv/one"'))
    assert np.array_equal(scores(read_model(write_keras2_model(tmp_path / "model.h5", model, renamed))), scores(model))


def test_a_setting_that_means_something_is_not_dropped(tmp_path: Path) -> None:
    model, description = teachable_machine()
    grouped = json.loads(json.dumps(description).replace('"groups": 1, "kernel_initializer"', '"groups": 2, "kernel_initializer"'))
    with pytest.raises(ModelError, match="groups"):
        read_model(write_keras2_model(tmp_path / "model.h5", model, grouped))


def test_weights_in_another_order_are_refused_and_not_mixed_up(tmp_path: Path) -> None:
    """All four arrays of a normalisation have one shape, so that Keras would take them for one another."""
    import h5py

    model, description = teachable_machine()
    file = write_keras2_model(tmp_path / "model.h5", model, description)
    with h5py.File(file, "a") as opened:
        group = opened["model_weights/features"]
        names = list(group.attrs["weight_names"])
        first, second = (next(place for place, name in enumerate(names) if kind in str(name)) for kind in ("gamma", "beta"))
        names[first], names[second] = names[second], names[first]
        group.attrs["weight_names"] = names
    with pytest.raises(ModelError, match=r"another order .*beta, gamma.* than Keras 3 .*gamma, beta"):
        read_model(file)


def test_what_cannot_be_read_says_what_helps(tmp_path: Path) -> None:
    model, description = teachable_machine()
    operation = json.loads(json.dumps(description).replace('"class_name": "Add"', '"class_name": "TFOpLambda"'))
    with pytest.raises(
        ModelError, match=r"Unknown layer: 'TFOpLambda'(?s:.*)of Keras 2\.8\.0: convert it with TensorFlow 2\.15 to \.tflite"
    ):
        read_model(write_keras2_model(tmp_path / "model.h5", model, operation))


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    import h5py

    model, description = teachable_machine()
    file = write_keras2_model(tmp_path / "model.h5", model, description)
    with h5py.File(file, "a") as opened:
        del opened.attrs["model_config"]
    with pytest.raises(ModelError, match=r"holds weights only\.\n  Save the whole model"):
        read_model(file)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no model at all")
    with pytest.raises(ModelError, match=rf"{name} is not a Keras model: it is neither a zip archive nor an HDF5 file\.\n  It is damaged"):
        read_model(tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        read_model(tmp_path / f"absent-{name}")


def test_a_file_is_read_by_its_content_whatever_its_name(tmp_path: Path) -> None:
    model, description = teachable_machine()
    model.save(tmp_path / "model.keras")
    write_keras2_model(tmp_path / "other.h5", model, description)
    (tmp_path / "model.keras").rename(tmp_path / "aa11")
    (tmp_path / "other.h5").rename(tmp_path / "other.keras")
    for name in ("aa11", "other.keras"):
        assert np.array_equal(scores(read_model(tmp_path / name)), scores(model))


@pytest.mark.shared
@pytest.mark.parametrize(("name", "side"), [("fdmobilenet_0.25_128", 128), ("st_fdmobilenet_v1_224", 224)])
def test_a_published_keras_2_model_is_read_with_its_weights(shared: Callable[[str], Path], name: str, side: int) -> None:
    file = shared(f"pretrained/food-101_{name}.h5")
    model, stored = read_model(file), read_keras2(file)
    assert (model.input_shape, model.output_shape) == ((None, side, side, 3), (None, 101))
    for layer in model.layers:
        for weight in layer.weights:
            assert np.array_equal(np.asarray(weight), stored[layer.name][weight.name]), (layer.name, weight.name)
