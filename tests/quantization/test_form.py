"""Which float models can be quantized: the dimension that does not fit is named, with what to do."""

from pathlib import Path
from typing import Any

import pytest

from edgeloop.errors import ModelError
from edgeloop.framework import load_tensorflow
from edgeloop.networks.files import read_model
from edgeloop.quantization.form import check_form

PATH = Path("model.keras")


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> None:
    load_tensorflow()


def taking(*shapes: tuple[int | None, ...]) -> Any:
    """A model that takes inputs of these shapes, the batch included."""
    import keras

    inputs = [keras.Input(batch_shape=shape) for shape in shapes]
    return keras.Model(inputs, [keras.layers.Dropout(0.5)(entry) for entry in inputs])


@pytest.mark.parametrize(
    "shape", [(None, 96, 96, 3), (1, 96, 96, 3), (None, None, None, 3), (1, None, None, 3), (None, 96, None, 3), (None, 96, 96, None)]
)
def test_what_is_left_open_fits_and_so_does_a_batch_of_one(shape: tuple[int | None, ...]) -> None:
    check_form(PATH, taking(shape), 96)


def test_a_grey_image_that_is_not_square_fits() -> None:
    check_form(PATH, taking((None, 120, 160, 1)), "160x120", "grey")
    with pytest.raises(ModelError, match="Give --color rgb"):
        check_form(PATH, taking((None, 120, 160, 3)), "160x120", "grey")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((8, 96, 96, 3), r"takes 8 images at a time, not one\.\n  Save it with an open batch"),
        ((None, 64, 64, 3), r"takes images of 64x64, not 96x96 \(width x height\)\.\n  Give --resolution 64"),
        ((None, None, 64, 3), r"takes images of 64x64, not 96x96 \(width x height\)\.\n  Give --resolution 64"),
        ((None, 96, 64, 3), r"takes images of 64x96, not 96x96 \(width x height\)\.\n  Give --resolution 64x96"),
        ((None, 96, 96, 1), r"takes grey images \(channels: 1\), and rgb ones were to be given\.\n  Give --color grey"),
        ((None, 96, 96, 4), r"takes images of 4 channels; edgeloop gives RGB"),
        ((None, 3, 96, 96), r"takes its channels first, \(open, 3, 96, 96\)\.\n  Save it with channels last"),
        ((None, 96), r"takes \(open, 96\), not one image"),
    ],
)
def test_the_dimension_that_does_not_fit_is_named(shape: tuple[int | None, ...], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        check_form(PATH, taking(shape), 96)


def test_two_inputs_are_shown() -> None:
    with pytest.raises(ModelError, match=r"takes \(open, 96, 96, 3\) and \(open, 5\), not one image"):
        check_form(PATH, taking((None, 96, 96, 3), (None, 5)), 96)


def test_a_model_that_was_not_built_says_so(tmp_path: Path) -> None:
    import keras

    keras.Sequential([keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()]).save(tmp_path / "unbuilt.keras")
    with pytest.raises(ModelError, match=r"was saved before it was built: its input has no shape\.\n  Give it a keras\.Input"):
        check_form(PATH, read_model(tmp_path / "unbuilt.keras"), 96)
