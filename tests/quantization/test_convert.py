"""A float model as TFLite files: what comes in, what goes out, and the same bytes every time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import CLASSES, SIDE, class_folders, coloured

from edgeloop.cli import main
from edgeloop.errors import DataError, InputError, ModelError
from edgeloop.framework import load_tensorflow
from edgeloop.networks import build, network
from edgeloop.preprocessing import FILE_NAME, Pixels, Preprocessing
from edgeloop.quantization.calibration import Sample
from edgeloop.quantization.convert import convert_network
from edgeloop.quantization.quantize import quantize_file
from edgeloop.tflite.classifier import Classifier
from edgeloop.tflite.graph import read_graph
from edgeloop.tflite.inspect import WEIGHT_PLACE, inspect_model

SIGNED = Preprocessing(resolution=SIDE, resize="area", input_range=(-1, 1))
UNSIGNED = Preprocessing(resolution=SIDE, resize="area", input_range=(0, 1))


def small(*layers: Any, side: int = SIDE) -> Any:
    """A foreign model: some layers, then a convolution, pooling and three classes."""
    import keras

    keras.utils.set_random_seed(3)
    return keras.Sequential([
        keras.Input((side, side, 3)),
        *layers,
        keras.layers.Conv2D(4, 3, 2, activation="relu", bias_initializer="random_normal"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def made(model: Any, calibration: Pixels, preprocessing: Preprocessing, folder: Path) -> Path:
    """The three formats of a model of this process, in that folder."""
    convert_network(model, Sample.of_calibration(calibration), preprocessing, folder, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def classifier() -> Any:
    """FdMobileNet 0.25 with random weights, its biases and statistics included."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    model = build(network("fdmobilenet_0.25"), SIDE, len(CLASSES))
    rng = np.random.default_rng(1)
    model.set_weights([array + rng.normal(0, 0.05, array.shape) * (array.ndim == 1) for array in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def calibration() -> Pixels:
    """Dull images: neither end of the range occurs."""
    return np.stack([coloured(CLASSES[number % 3], number) // 2 + 30 for number in range(12)])


@pytest.fixture(scope="module")
def converted(classifier: Any, calibration: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(classifier, calibration, SIGNED, tmp_path_factory.mktemp("converted"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("images") / "some images")


@pytest.mark.parametrize("name", ["per_channel", "per_tensor"])
def test_int8_takes_one_uint8_image_and_gives_float32(converted: Path, name: str) -> None:
    report = inspect_model(converted / f"{name}.tflite")
    assert [(tensor.shape, tensor.dtype) for tensor in report.inputs] == [([1, SIDE, SIDE, 3], "uint8")]
    assert [(tensor.shape, tensor.dtype) for tensor in report.outputs] == [([1, 3], "float32")]


def test_float_takes_one_float32_image(converted: Path) -> None:
    report = inspect_model(converted / "float.tflite")
    assert (report.inputs[0].shape, report.inputs[0].dtype, report.quantization) == ([1, SIDE, SIDE, 3], "float32", "float")


@pytest.mark.parametrize("name", ["per_channel", "per_tensor"])
def test_the_input_is_the_raw_pixel_though_no_image_is_black_or_white(converted: Path, calibration: Pixels, name: str) -> None:
    assert (calibration.min(), calibration.max()) > (0, 200) and calibration.max() < 255
    taken = inspect_model(converted / f"{name}.tflite").inputs[0]
    assert taken.scale == pytest.approx(2 / 255)
    assert taken.zero_point == 127


def test_the_input_is_the_raw_pixel_for_the_range_0_to_1(calibration: Pixels, tmp_path: Path) -> None:
    load_tensorflow()
    taken = inspect_model(made(small(), calibration, UNSIGNED, tmp_path) / "per_channel.tflite").inputs[0]
    assert taken.scale == pytest.approx(1 / 255)
    assert taken.zero_point == 0


@pytest.mark.thorough
def test_a_range_without_zero_is_refused_since_its_input_would_not_be_the_pixel(images: Path, tmp_path: Path) -> None:
    load_tensorflow()
    beyond = Preprocessing(resolution=SIDE, resize="area", input_range=(1, 2))
    small().save(tmp_path / "foreign.keras")
    with pytest.raises(ModelError, match="not the raw pixel"):
        quantize_file(tmp_path / "foreign.keras", images, tmp_path / "out", preprocessing=beyond)
    assert not (tmp_path / "out").exists()


def test_per_tensor_has_one_scale_for_each_weight_tensor_and_per_channel_many(converted: Path) -> None:
    scales = {name: _weight_scales(converted / f"{name}.tflite") for name in ("per_channel", "per_tensor")}
    assert set(scales["per_tensor"]) == {1}
    assert all(count > 1 for count in scales["per_channel"])
    assert inspect_model(converted / "per_tensor.tflite").quantization == "int8 per-tensor"
    assert inspect_model(converted / "per_channel.tflite").quantization == "int8 per-channel"


def _weight_scales(path: Path) -> list[int]:
    graph = read_graph(path)
    weights = [graph.operand(operator, WEIGHT_PLACE[operator.name]) for operator in graph.operators if operator.name in WEIGHT_PLACE]
    return [tensor.scales.size for tensor in weights if tensor is not None]


def test_dense_layers_are_per_tensor_too(calibration: Pixels, tmp_path: Path) -> None:
    load_tensorflow()
    assert set(_weight_scales(made(small(), calibration, SIGNED, tmp_path) / "per_tensor.tflite")) == {1}


def test_normalisation_is_folded_and_no_operator_is_left_over(converted: Path) -> None:
    names = [operator.name for operator in inspect_model(converted / "per_channel.tflite").operators]
    assert names == [
        "QUANTIZE",
        *["CONV_2D", *["DEPTHWISE_CONV_2D", "CONV_2D"] * 11],
        "MEAN",
        "CONV_2D",
        "RESHAPE",
        "SOFTMAX",
        "DEQUANTIZE",
    ]


def test_the_formats_agree_with_the_keras_model(classifier: Any, converted: Path, calibration: Pixels) -> None:
    expected = classifier(SIGNED.normalised(calibration), training=False).numpy()
    assert np.allclose(Classifier(converted / "float.tflite", SIGNED).score(calibration), expected, atol=1e-5)
    for name in ("per_channel", "per_tensor"):
        assert np.allclose(Classifier(converted / f"{name}.tflite", SIGNED).score(calibration), expected, atol=0.1)


def test_repeating_gives_the_same_bytes(classifier: Any, converted: Path, calibration: Pixels, tmp_path: Path) -> None:
    made(classifier, calibration, SIGNED, tmp_path)
    names = sorted(path.name for path in converted.iterdir())
    assert names == ["float.tflite", "per_channel.tflite", "per_tensor.tflite"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (converted / name).read_bytes(), name


def test_a_foreign_model_is_quantized_with_the_preprocessing_beside_it(images: Path, tmp_path: Path) -> None:
    load_tensorflow()
    model = tmp_path / "foreign.keras"
    small().save(model)
    UNSIGNED.write(tmp_path / FILE_NAME)
    found = quantize_file(model, images, tmp_path / "out", count=5)
    assert [entry.format for entry in found] == ["float", "int8 per-channel", "int8 per-tensor"]
    assert Preprocessing.read(tmp_path / "out" / FILE_NAME) == UNSIGNED
    assert Classifier(tmp_path / "out" / "per_channel.tflite", UNSIGNED).classes == 3


@pytest.mark.thorough
def test_a_foreign_model_that_scales_pixels_itself_takes_the_raw_pixel_too(images: Path, tmp_path: Path) -> None:
    load_tensorflow()
    import keras

    model, raw = tmp_path / "foreign.keras", Preprocessing(resolution=SIDE, resize="area", input_range=(0, 255))
    small(keras.layers.Rescaling(1 / 127.5, -1)).save(model)
    quantize_file(model, images, tmp_path / "out", preprocessing=raw)
    taken = inspect_model(tmp_path / "out" / "per_channel.tflite").inputs[0]
    assert (taken.dtype, taken.scale, taken.zero_point) == ("uint8", 1.0, 0)
    pixels = np.stack([coloured(label, 7) for label in CLASSES])
    expected = keras.models.load_model(model)(pixels.astype(np.float32)).numpy()
    assert np.allclose(Classifier(tmp_path / "out" / "per_channel.tflite", raw).score(pixels), expected, atol=0.05)


def test_what_cannot_be_quantized_is_named(images: Path, tmp_path: Path) -> None:
    load_tensorflow()
    model, empty = tmp_path / "foreign.keras", tmp_path / "empty"
    small().save(model)
    empty.mkdir()
    with pytest.raises(InputError, match=r"preprocessing\.json does not exist"):
        quantize_file(model, images, tmp_path / "out")
    with pytest.raises(InputError, match="no images below"):
        quantize_file(model, empty, tmp_path / "out", preprocessing=SIGNED)
    (empty / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png: not an image: it begins with b.no image"):
        quantize_file(model, empty, tmp_path / "out", preprocessing=SIGNED)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "batch_shape",
    [pytest.param((1, SIDE, SIDE, 3), marks=pytest.mark.thorough), pytest.param((None, None, None, 3), marks=pytest.mark.long)],
)
def test_a_fixed_batch_of_one_and_an_open_size_are_converted(batch_shape: tuple[int | None, ...], images: Path, tmp_path: Path) -> None:
    load_tensorflow()
    import keras

    image = keras.Input(batch_shape=batch_shape)
    keras.Model(image, small_tail(image)).save(tmp_path / "foreign.keras")
    quantize_file(tmp_path / "foreign.keras", images, tmp_path / "out", preprocessing=UNSIGNED)
    assert inspect_model(tmp_path / "out" / "per_channel.tflite").inputs[0].shape == [1, SIDE, SIDE, 3]


def small_tail(image: Any) -> Any:
    from keras import layers

    return layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, 2, activation="relu")(image)))


@pytest.mark.thorough
def test_a_model_that_crashes_the_converter_is_an_error_and_leaves_nothing(images: Path, tmp_path: Path) -> None:
    """TensorFlow 2.21 dies of a recurrent layer when it is quantized."""
    load_tensorflow()
    import keras

    image = keras.Input((32, 32, 3))
    rows = keras.layers.Reshape((16, -1))(keras.layers.Conv2D(4, 3, 2, padding="same")(image))
    keras.Model(image, keras.layers.Dense(3)(keras.layers.GRU(4)(rows))).save(tmp_path / "gru.keras")
    taken = Preprocessing(resolution=32, resize="area", input_range=(0, 1))
    with pytest.raises(
        ModelError, match=r"The converter crashed \(signal 11\) on .*gru\.keras\.\n  Quantize a model of plain convolutional"
    ):
        quantize_file(tmp_path / "gru.keras", images, tmp_path / "out", preprocessing=taken)
    assert [path.name for path in tmp_path.iterdir()] == ["gru.keras"]


def test_a_folder_that_holds_something_else_is_not_replaced(images: Path, tmp_path: Path) -> None:
    load_tensorflow()
    small().save(tmp_path / "foreign.keras")
    with pytest.raises(InputError, match="holds something else than quantized models"):
        quantize_file(tmp_path / "foreign.keras", images, tmp_path, preprocessing=UNSIGNED)
    assert (tmp_path / "foreign.keras").is_file()


@pytest.mark.thorough
def test_explain_names_the_ways_and_the_layers_that_lose_most(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_tensorflow()
    small().save(tmp_path / "foreign.keras")
    UNSIGNED.write(tmp_path / FILE_NAME)
    command = ["quantize", str(tmp_path / "foreign.keras"), "--images", str(images), "--out", str(tmp_path / "out"), "--explain"]
    assert main(command) == 0
    said = capsys.readouterr().out
    for words in ("agrees with float on", "of 12 images of calibration itself", "worst layers", "signal to noise, dB", "CONV_2D"):
        assert words in said
