"""The networks as published: their layers, names, sizes and MACs, and the resolutions that they take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matrix import first_is_short

from edgeloop.errors import InputError
from edgeloop.framework import load_tensorflow
from edgeloop.networks import NETWORKS, build, multiply_accumulates, network, parameters_folded
from edgeloop.networks.weights import load_layer, read_weights
from edgeloop.preprocessing import Preprocessing
from edgeloop.quantization.convert import to_float, to_int8
from edgeloop.resolution import CHANNELS, Color, Size
from edgeloop.tflite.inspect import ModelReport, inspect_model

PUBLISHED = {"fdmobilenet_0.25": (125_477, 128.32), "st_fdmobilenet_v1": (141_573, 144.93)}
"""With 5 classes and batch normalisation folded: parameters, and KiB of int8 weights plus int32 biases."""
STRIDES = [2, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1]
FAST = [name for name in NETWORKS if "fdmobilenet" in name]
OF_KERAS = {"mobilenet_v1_0.25": ("MobileNet", 0.25), "mobilenet_v2_0.35": ("MobileNetV2", 0.35), "mobilenet_v2_1.0": ("MobileNetV2", 1.0)}
"""Networks that Keras builds, too: its function and the width."""


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> None:
    load_tensorflow()


def normalisation_parameters(model: Any) -> int:
    return sum(layer.count_params() for layer in model.layers if type(layer).__name__ == "BatchNormalization")


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_models(name: str) -> None:
    assert parameters_folded(network(name), 5) == PUBLISHED[name][0]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("classes", first_is_short([2, 101]))
def test_folding_turns_the_four_vectors_of_a_normalisation_into_one_bias(name: str, classes: int) -> None:
    model = build(network(name), 96, classes)
    normalisation = normalisation_parameters(model)
    assert parameters_folded(network(name), classes) == model.count_params() - normalisation + normalisation // 4


@pytest.fixture(scope="module", params=sorted(PUBLISHED))
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ModelReport]:
    """A network with 5 classes at 128, its biases not zero (equal ones would be stored once), converted to int8."""
    name, rng = str(request.param), np.random.default_rng(1)
    model = build(network(name), 128, 5)
    model.set_weights([array + rng.normal(0, 0.05, array.shape) * (array.ndim == 1) for array in model.get_weights()])
    path: Path = tmp_path_factory.mktemp("networks") / "model.tflite"
    calibration = rng.integers(0, 256, (2, 128, 128, 3), np.uint8)
    path.write_bytes(to_int8(model, calibration, Preprocessing(resolution=128, resize="area", input_range=(0, 1)), per_channel=True))
    return name, inspect_model(path)


@pytest.mark.thorough
def test_a_converted_network_holds_as_much_as_the_published_one(converted: tuple[str, ModelReport]) -> None:
    name, report = converted
    parameters, kibibytes = PUBLISHED[name]
    assert report.parameters == parameters
    assert report.weight_bytes / 1024 == pytest.approx(kibibytes, abs=0.005)


@pytest.mark.thorough
def test_macs_are_those_of_the_converted_network(converted: tuple[str, ModelReport]) -> None:
    name, report = converted
    assert report.macs == multiply_accumulates(network(name), 128, 5)


@pytest.mark.parametrize(
    ("name", "resolution", "color"),
    first_is_short([
        ("mobilenet_v2_0.35", "75x50", "grey"),
        ("fdmobilenet_0.25", 96, "rgb"),
        ("fdmobilenet_0.25", 224, "rgb"),
        ("mobilenet_v1_0.25", "160x120", "grey"),
    ]),
)  # fmt: skip
def test_macs_and_parameters_are_those_of_a_converted_network(tmp_path: Path, name: str, resolution: int | str, color: Color) -> None:
    path, rng = tmp_path / "model.tflite", np.random.default_rng(2)
    model = build(network(name), resolution, 3, color=color)
    model.set_weights([array + rng.normal(0, 0.05, array.shape) * (array.ndim == 1) for array in model.get_weights()])
    path.write_bytes(to_float(model, resolution, color))
    report = inspect_model(path)
    assert report.macs == multiply_accumulates(network(name), resolution, 3, color)
    assert report.parameters == parameters_folded(network(name), 3, color)


@pytest.mark.parametrize("name", first_is_short(OF_KERAS))
def test_a_network_that_keras_has_is_the_same_function_and_takes_its_weights_by_name(name: str) -> None:
    import keras

    kind, alpha = OF_KERAS[name]
    theirs = getattr(keras.applications, kind)((96, 96, 3), alpha=alpha, include_top=False, weights=None, pooling="avg")
    rng = np.random.default_rng(4)
    theirs.set_weights([rng.uniform(0.5, 1.5, one.shape) if one.ndim == 1 else one for one in theirs.get_weights()])
    ours, weights = build(network(name), 96, 3), read_weights(theirs)
    assert {layer.name for layer in ours.layers if layer.weights and not load_layer(layer, weights)} == {"conv_preds"}
    features = keras.Model(ours.input, keras.layers.Flatten()(ours.get_layer("features").output))
    images = rng.uniform(-1, 1, (2, 96, 96, 3)).astype(np.float32)
    np.testing.assert_allclose(features(images, training=False), theirs(images, training=False), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAST)
def test_layers_are_those_of_the_published_models_by_name_and_kind(name: str) -> None:
    model = build(network(name), 96, 3)
    blocks = [f"conv_{kind}_{number}" for number in range(1, 12) for kind in ("dw", "pw")]
    convolutions = [layer for layer in model.layers if layer.name.startswith("conv") and not layer.name.endswith(("_bn", "_relu"))]
    assert [layer.name for layer in convolutions] == ["conv1", *blocks, "conv_preds"]
    normalised = ["conv1", *(block for block in blocks if "_pw_" in block)]
    assert [layer.name for layer in model.layers if layer.name.endswith("_bn")] == [f"{layer}_bn" for layer in normalised]
    assert [layer.name for layer in model.layers if layer.name.endswith("_relu")] == [f"{layer}_relu" for layer in normalised]


@pytest.mark.parametrize("name", FAST)
def test_a_depthwise_convolution_has_a_bias_and_goes_straight_into_the_pointwise_one(name: str) -> None:
    model = build(network(name), 96, 3)
    for number, stride in enumerate(STRIDES, 1):
        depthwise, pointwise = model.get_layer(f"conv_dw_{number}"), model.get_layer(f"conv_pw_{number}")
        assert (depthwise.use_bias, depthwise.activation.__name__, depthwise.strides) == (True, "linear", (stride, stride))
        assert pointwise.input is depthwise.output
        assert (pointwise.use_bias, pointwise.kernel_size) == (False, (1, 1))
        assert model.get_layer(f"conv_pw_{number}_bn").input is pointwise.output


def test_st_v1_has_wider_early_blocks() -> None:
    assert widths("st_fdmobilenet_v1") == [16, 48, 80, 64, 96, 64, 128, 128, 128, 128, 128, 256]
    assert widths("fdmobilenet_1.0")[1:] == [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 1024]


def widths(name: str) -> list[int]:
    """Channels of the first convolution and of each block."""
    model = build(network(name), 96, 3)
    return [model.get_layer(layer).filters for layer in ("conv1", *(f"conv_pw_{number}" for number in range(1, 12)))]


@pytest.mark.parametrize(
    ("resolution", "color"), [(96, "rgb"), (256, "rgb"), (16, "grey"), (28, "grey"), ("160x120", "grey"), ("17x90", "rgb")]
)
def test_any_size_and_colour_gives_probabilities(resolution: int | str, color: Color) -> None:
    model = build(network("fdmobilenet_0.25"), resolution, 4, color=color)
    size = Size.of(resolution)
    assert model.input.shape == (None, size.height, size.width, CHANNELS[color])
    scores = model(np.zeros((2, *model.input.shape[1:]), np.float32), training=False).numpy()
    assert scores.shape == (2, 4)
    assert np.allclose(scores.sum(axis=1), 1)


def test_one_class_is_none() -> None:
    with pytest.raises(InputError, match="at least two classes"):
        build(network("fdmobilenet_0.25"), 96, 1)


def test_a_mistyped_network_is_answered_with_the_near_match() -> None:
    with pytest.raises(InputError, match=r"did you mean 'fdmobilenet_0\.25'"):
        network("fdmobilnet_0.25")


def test_the_momentum_and_the_dropout_are_as_asked_for() -> None:
    model = build(network("fdmobilenet_0.25"), 96, 3, dropout=0.3, batch_norm_momentum=0.95)
    assert {layer.momentum for layer in model.layers if layer.name.endswith("_bn")} == {0.95}
    assert model.get_layer("dropout").rate == 0.3
