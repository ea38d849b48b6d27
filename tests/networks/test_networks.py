"""The networks as published: their layers, names, sizes and MACs, and the resolutions that they take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.errors import InputError
from edgeloop.networks import NETWORKS, build, multiply_accumulates, network, parameters_folded
from edgeloop.preprocessing import Preprocessing
from edgeloop.quantization.convert import to_float, to_int8
from edgeloop.quiet import load_tensorflow
from edgeloop.tflite.inspect import ModelReport, inspect_model

PUBLISHED = {"fdmobilenet_0.25": (125_477, 128.32), "st_fdmobilenet_v1": (141_573, 144.93)}
"""With 5 classes and batch normalisation folded: parameters, and KiB of int8 weights plus int32 biases."""
STRIDES = [2, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1]


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> None:
    load_tensorflow()


def normalisation_parameters(model: Any) -> int:
    return sum(layer.count_params() for layer in model.layers if layer.name.endswith("_bn"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_models(name: str) -> None:
    assert parameters_folded(network(name), 5) == PUBLISHED[name][0]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("classes", [2, 101])
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


@pytest.mark.thorough
@pytest.mark.parametrize("resolution", [96, 160, 224])
def test_macs_are_those_of_a_converted_network_at_other_resolutions(tmp_path: Path, resolution: int) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(to_float(build(network("fdmobilenet_0.25"), resolution, 3), resolution))
    assert inspect_model(path).macs == multiply_accumulates(network("fdmobilenet_0.25"), resolution, 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_those_of_the_published_models_by_name_and_kind(name: str) -> None:
    model = build(network(name), 96, 3)
    blocks = [f"conv_{kind}_{number}" for number in range(1, 12) for kind in ("dw", "pw")]
    convolutions = [layer for layer in model.layers if layer.name.startswith("conv") and not layer.name.endswith(("_bn", "_relu"))]
    assert [layer.name for layer in convolutions] == ["conv1", *blocks, "conv_preds"]
    normalised = ["conv1", *(block for block in blocks if "_pw_" in block)]
    assert [layer.name for layer in model.layers if layer.name.endswith("_bn")] == [f"{layer}_bn" for layer in normalised]
    assert [layer.name for layer in model.layers if layer.name.endswith("_relu")] == [f"{layer}_relu" for layer in normalised]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_depthwise_convolution_has_a_bias_and_goes_straight_into_the_pointwise_one(name: str) -> None:
    model = build(network(name), 96, 3)
    for number, stride in enumerate(STRIDES, 1):
        depthwise, pointwise = model.get_layer(f"conv_dw_{number}"), model.get_layer(f"conv_pw_{number}")
        assert (depthwise.use_bias, depthwise.activation.__name__, depthwise.strides) == (True, "linear", (stride, stride))
        assert pointwise.input is depthwise.output
        assert (pointwise.use_bias, pointwise.kernel_size) == (False, (1, 1))
        assert model.get_layer(f"conv_pw_{number}_bn").input is pointwise.output


def test_st_v1_has_wider_early_blocks() -> None:
    widths = [network("st_fdmobilenet_v1").stem, *(block.channels for block in network("st_fdmobilenet_v1").blocks)]
    assert widths == [16, 48, 80, 64, 96, 64, 128, 128, 128, 128, 128, 256]
    assert [block.channels for block in network("fdmobilenet_1.0").blocks] == [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 1024]


@pytest.mark.parametrize("resolution", range(96, 257, 32))
def test_every_multiple_of_32_from_96_to_256_gives_probabilities(resolution: int) -> None:
    model = build(network("fdmobilenet_0.25"), resolution, 4)
    scores = model(np.zeros((2, resolution, resolution, 3), np.float32), training=False).numpy()
    assert scores.shape == (2, 4)
    assert np.allclose(scores.sum(axis=1), 1)


@given(st.integers(-32, 600).filter(lambda side: side % 32 or not 96 <= side <= 256))
def test_other_resolutions_are_refused(resolution: int) -> None:
    with pytest.raises(InputError, match=f"{resolution} is not a multiple of 32 from 96 to 256"):
        build(network("fdmobilenet_0.25"), resolution, 4)


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
