"""What kernels are told about a layer: folded biases, the order of weights, and when fast rounding is equal to the exact one."""

from dataclasses import replace

import numpy as np
import pytest
from kernel_cases import Drawer

from edgeloop.codegen.portable.kernels import FOLDER, kernel_files
from edgeloop.codegen.portable.kernels.parameters import (
    ROUND_EXACT,
    ROUND_FAST,
    ROUND_POSITIVE,
    convolution_of_pixels,
    parameters,
)
from edgeloop.codegen.portable.kernels.scratch import convolution_scratch_bytes, separable_scratch_bytes
from edgeloop.codegen.portable.network import Convolution, Depthwise, Limits, Reshape, Scaling, Value, Window
from edgeloop.errors import ModelError

FINE = Scaling(1 << 30, -6)


def convolution(
    zero_point: int = 3, output_zero_point: int = -128, *, bias: int = 100, scaling: Scaling = FINE, low: int = -128
) -> Convolution:
    """3x3, stride 2, 224x224 pixels of three channels to eight: the first layer of FdMobileNet 0.25."""
    source = Value(0, "image", 224, 224, 3, "int8", 0.5, zero_point)
    output = Value(1, "features", 112, 112, 8, "int8", 0.25, output_zero_point)
    weights = np.arange(8 * 27, dtype=np.int64).reshape(8, 3, 3, 3) % 251 - 125
    return Convolution(
        position=1,
        operator="CONV_2D",
        inputs=(source,),
        output=output,
        weights=weights.astype(np.int8),
        bias=np.full(8, bias, np.int32),
        scalings=(scaling,) * 8,
        window=Window(3, 3, 2, 2, 0, 0),
        limits=Limits(low, 127),
    )


def test_the_zero_point_is_folded_into_the_bias() -> None:
    layer = convolution(zero_point=-7)
    sums = layer.weights.reshape(8, -1).astype(int).sum(axis=1)
    np.testing.assert_array_equal(parameters(layer).arrays["bias"], 100 + 7 * sums)


def test_a_folded_bias_wraps_as_the_kernels_sums_do() -> None:
    layer = replace(convolution(zero_point=127, bias=(1 << 31) - 1), weights=np.full((8, 3, 3, 3), -127, np.int8))
    folded = (1 << 31) - 1 + 127 * 27 * 127
    assert parameters(layer).arrays["bias"][0] == folded - (1 << 32)


@pytest.mark.parametrize(
    ("layer", "rounding"),
    [
        (convolution(), ROUND_POSITIVE),
        (convolution(output_zero_point=-127), ROUND_FAST),
        (convolution(scaling=Scaling(1 << 30, -1)), ROUND_POSITIVE),
        (convolution(scaling=Scaling(1 << 30, 0)), ROUND_EXACT),
        (convolution(scaling=Scaling(1 << 30, -22)), ROUND_POSITIVE),
        (convolution(scaling=Scaling(1 << 30, -23)), ROUND_EXACT),
        (convolution(scaling=Scaling(0, 0)), ROUND_EXACT),
        (convolution(low=-100), ROUND_EXACT),
        (convolution(bias=(1 << 30) - (1 << 20)), ROUND_POSITIVE),
        (convolution(bias=-(1 << 30)), ROUND_EXACT),
    ],
)
def test_fast_rounding_only_where_it_is_exact(layer: Convolution, rounding: int) -> None:
    assert parameters(layer).numbers["rounding"] == rounding


def test_pixels_are_read_as_they_are() -> None:
    layer = convolution(zero_point=-128)
    pixels = Value(2, "pixels", 224, 224, 3, "uint8", 0.5, 0)
    structure = convolution_of_pixels(layer, pixels)
    assert (structure.numbers["input_is_unsigned"], structure.numbers["input_zero_point"]) == (1, 0)
    np.testing.assert_array_equal(structure.arrays["bias"], layer.bias)


@pytest.mark.parametrize(
    "pixels",
    [
        Value(2, "pixels", 224, 224, 3, "uint8", 0.4, 0),
        Value(2, "pixels", 224, 224, 3, "uint8", 0.5, 1),
        Value(2, "pixels", 224, 224, 3, "int8", 0.5, 0),
    ],
    ids=["scale", "zero point", "type"],
)
def test_pixels_that_differ_by_more_than_128_are_refused(pixels: Value) -> None:
    with pytest.raises(ModelError, match="pixels"):
        convolution_of_pixels(convolution(zero_point=-128), pixels)


def test_depthwise_weights_of_3x3_are_stored_as_pairs() -> None:
    layer = Drawer(0).depthwise().layers[0]
    assert isinstance(layer, Depthwise)
    places = np.arange(9, dtype=np.int8).reshape(3, 3, 1)
    ordered = replace(
        layer,
        weights=np.repeat(places, 2, axis=2),
        bias=np.zeros(2, np.int32),
        scalings=(FINE,) * 2,
        inputs=(replace(layer.inputs[0], channels=2),),
    )
    assert parameters(ordered).arrays["weights"].tolist() == [0, 1, 3, 4, 2, 6, 5, 7, 8] * 2


def test_a_layer_without_a_kernel_is_refused() -> None:
    source = Value(0, "a", 1, 1, 1, "int8", 1.0, 0)
    with pytest.raises(ModelError, match=r"Operator 7 \(RESHAPE\) has no kernel"):
        parameters(Reshape(position=7, operator="RESHAPE", inputs=(source,), output=source))


def test_scratch_memory_stays_small() -> None:
    """The first layer of FdMobileNet 0.25 at 224 computes over its input; what it needs besides counts."""
    assert convolution_scratch_bytes(convolution()) <= 2048
    depthwise = Drawer(1).depthwise().layers[0]
    assert isinstance(depthwise, Depthwise)
    one, three = (separable_scratch_bytes(depthwise, rows) for rows in (1, 3))
    assert one < three <= 3 * one


def test_kernel_files_are_headers_and_sources() -> None:
    names = [path.name for path in kernel_files()]
    assert "edgeloop_kernels.h" in names
    assert names == sorted(names)
    assert all(name.startswith("edgeloop_") and (FOLDER / name).is_file() for name in names)
