"""How far int8 is from float: classes that agree, signal to noise by layer, and the mean that bias correction takes back."""

import numpy as np
import pytest
from hardened import PREPROCESSING, classifier, pictures

from edgeloop.quantization.bias import corrected
from edgeloop.quantization.compare import agreement, both_run, layer_errors, layer_name, matched, sqnr_db
from edgeloop.quantization.convert import to_float, to_int8
from edgeloop.records import Conversion, LayerError
from edgeloop.tflite.graph import graph_of

IMAGES = pictures(24)


@pytest.fixture(scope="module")
def models() -> tuple[bytes, bytes]:
    """Float and int8 per tensor."""
    model = classifier()
    return to_float(model, PREPROCESSING.resolution), to_int8(model, IMAGES, PREPROCESSING, per_channel=False)


def test_agreement_is_that_of_the_predicted_class() -> None:
    one, other = np.asarray([[0.1, 0.9], [0.6, 0.4]], np.float32), np.asarray([[0.4, 0.6], [0.2, 0.8]], np.float32)
    assert agreement(one, other).tolist() == [True, False]


def test_signal_to_noise_is_in_decibels() -> None:
    assert sqnr_db(100.0, 1.0) == 20.0
    assert sqnr_db(1.0, 0.0) is None and sqnr_db(0.0, 1.0) is None


def test_every_layer_has_its_signal_to_noise(models: tuple[bytes, bytes]) -> None:
    errors = layer_errors(*models, IMAGES, PREPROCESSING)
    assert [(error.layer, error.operator) for error in errors if error.operator == "DEPTHWISE_CONV_2D"] == [
        (f"dw_{number}", "DEPTHWISE_CONV_2D") for number in (1, 2, 3)
    ]
    assert all(error.sqnr_db is not None and 10 < error.sqnr_db < 80 for error in errors)


def test_the_worst_layers_come_first() -> None:
    layers = [LayerError(layer=name, operator="CONV_2D", sqnr_db=value) for name, value in (("a", 30.0), ("b", None), ("c", 9.0))]
    made = Conversion(applied=(), why="", judged_on="", judged_images=0, trials=[], layers=layers)
    assert [layer.layer for layer in made.worst_layers(5)] == ["c", "a"]


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("network_1/conv1_relu_1/Relu;network_1/conv1_1/convolution", "conv1"),
        ("network_1/conv_dw_1_1/depthwise1", "conv_dw_1"),
        ("network/conv_dw_1/depthwise1", "conv_dw_1"),
        ("Identity", "Identity"),
    ],
)
def test_a_layer_has_the_name_that_keras_gave_it(tensor: str, layer: str) -> None:
    assert layer_name(tensor) == layer


def test_bias_correction_takes_the_shift_of_means_back_and_changes_biases_only(models: tuple[bytes, bytes]) -> None:
    floating, plain = models
    better = corrected(plain, floating, IMAGES, PREPROCESSING)
    assert shift(floating, better) < shift(floating, plain) / 2
    for one, other in zip(graph_of(plain).tensors, graph_of(better).tensors, strict=True):
        assert one.dtype == "INT32" or np.array_equal(one.stored, other.stored)


def shift(floating: bytes, quantized: bytes) -> float:
    """The mean size of the mean error of each channel of the last layer with weights."""
    pairs = matched(graph_of(floating), graph_of(quantized))
    place = max(place for place, (one, _) in enumerate(pairs) if one.name == "FULLY_CONNECTED")
    errors = [
        exact.values(pairs[place][0].outputs[0]) - rounded.values(pairs[place][1].outputs[0])
        for exact, rounded in both_run(floating, quantized, IMAGES, PREPROCESSING)
    ]
    return float(np.abs(np.mean(errors, axis=0)).mean())
