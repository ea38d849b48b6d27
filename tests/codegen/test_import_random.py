"""Random networks: what is imported computes what LiteRT's reference kernels compute, in every tensor."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparing import all_differ, equal_to_reference
from converted_models import random_converted_model, smooth_images
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret import interpret
from model_file import ModelFile
from numpy.typing import NDArray
from random_models import random_images, random_model
from reference import Reference

from edgeloop.codegen.portable.importer import read_network
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators import KINDS, Convolution, Depthwise, Mean, find_kind
from edgeloop.codegen.portable.shapes import FOLDED
from edgeloop.errors import ModelError
from edgeloop.tflite.graph import read_graph

ELEMENTWISE: dict[str, dict[str, Any]] = {
    "LOGISTIC": {"scale": 1 / 256, "zero_point": -128},
    "TANH": {"scale": 1 / 128, "zero_point": 0},
    "HARD_SWISH": {},
    "LEAKY_RELU": {},
}
"""Operators that are a table, with the outputs that they must have."""
UNUSUAL = ("too small for its activation", "can leave 32 bits", "beyond 16-bit arithmetic", "beside a half")
"""What extreme scales are refused for; the reference kernels refuse them as well, or are not defined."""


def compared(seeds: range, path: Path, *, extreme: bool) -> Iterator[tuple[Network, list[NDArray[Any]]]]:
    """Each random network that is imported, with its outputs for three inputs."""
    for seed in seeds:
        path.write_bytes(random_model(seed, extreme=extreme))
        try:
            taken = read_network(path).input
        except ModelError as error:
            assert extreme and any(reason in str(error) for reason in UNUSUAL), error
            continue
        yield equal_to_reference(path, random_images(taken.shape, taken.dtype, 3, seed))


@pytest.mark.thorough
def test_three_hundred_random_networks_equal_the_reference_kernels(tmp_path: Path) -> None:
    operators: Counter[str] = Counter()
    lively = count = 0
    for network, outputs in compared(range(300), tmp_path / "model.tflite", extreme=False):
        operators.update(layer.operator for layer in network.layers)
        lively += all_differ(outputs)
        count += 1
    assert count == 300
    assert lively > 0.6 * count
    assert set(operators) == {name for kind in KINDS for name in kind.OPERATORS}
    assert min(operators.values()) > 20


@pytest.mark.thorough
def test_extreme_scales_and_zero_points_equal_the_reference_kernels(tmp_path: Path) -> None:
    shifts: list[int] = []
    compared_count = 0
    for network, _ in compared(range(1000, 1300), tmp_path / "model.tflite", extreme=True):
        scaled = [layer for layer in network.layers if isinstance(layer, Convolution | Depthwise)]
        shifts += [scaling.shift for layer in scaled for scaling in layer.scalings]
        compared_count += 1
    assert compared_count > 270
    assert min(shifts) < -15
    assert max(shifts) > 0


@settings(max_examples=50)
@given(seed=st.integers(0, 2**63), extreme=st.booleans())
def test_any_random_network_equals_the_reference_kernels(seed: int, extreme: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("random") / "model.tflite"
    path.write_bytes(random_model(seed, extreme=extreme))
    try:
        taken = read_network(path).input
    except ModelError as error:
        assert extreme and any(reason in str(error) for reason in UNUSUAL)
        return
    equal_to_reference(path, random_images(taken.shape, taken.dtype, 2, seed))


@pytest.mark.thorough
def test_converted_networks_equal_the_reference_kernels(tmp_path: Path) -> None:
    operators: set[str] = set()
    types: set[tuple[str, str]] = set()
    lively = 0
    for seed in range(12):
        path = tmp_path / f"{seed}.tflite"
        path.write_bytes(random_converted_model(seed))
        network, outputs = equal_to_reference(path, converted_inputs(path, seed))
        operators |= {layer.operator for layer in network.layers}
        types.add((network.input.dtype, network.output.dtype))
        lively += all_differ(outputs)
    assert operators >= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "AVERAGE_POOL_2D", "ADD", "PAD", "SOFTMAX", "RESHAPE"}
    assert len(types) == 6
    assert lively >= 10


@pytest.mark.thorough
def test_an_open_batch_is_one_and_its_shape_chain_is_folded_away(tmp_path: Path) -> None:
    path = tmp_path / "open.tflite"
    chains = lively = 0
    for seed in range(6):
        path.write_bytes(random_converted_model(seed, open_batch=True))
        assert read_graph(path).tensors[read_graph(path).inputs[0]].signature[0] == -1
        names = [operator.name for operator in read_graph(path).operators]
        chains += {"SHAPE", "STRIDED_SLICE", "PACK"} <= set(names)
        network, outputs = equal_to_reference(path, converted_inputs(path, seed))
        assert [layer.operator for layer in network.layers] == [name for name in names if find_kind(name) and name not in FOLDED]
        lively += all_differ(outputs)
    assert chains
    assert lively >= 3


def converted_inputs(path: Path, seed: int) -> NDArray[Any]:
    taken = read_network(path).input
    images = smooth_images(np.random.default_rng(seed), 3, taken.height, taken.width)
    return images if taken.dtype == "uint8" else (images ^ np.uint8(0x80)).view(np.int8)


@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "CONV_2D"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_sums_beside_a_half_are_rounded_as_the_reference_kernels_round_them(name: str, per_channel: bool, tmp_path: Path) -> None:
    """Sums that are scaled to a half, give or take the last bit of a multiplier: 2,000 of them at each of 20 scales."""
    rng = np.random.default_rng(7)
    for number in range(20):
        halves = rng.integers(-120, 120, 2000) + 0.5
        # Every other factor is a power of two, whose halves are met exactly.
        factor = 2.0 ** -int(rng.integers(8, 20)) if number % 2 else 10 ** float(rng.uniform(-7, -5))
        output_scale = float(np.float32(0.125 / factor))
        path = tmp_path / "model.tflite"
        path.write_bytes(_biases_only(name, np.round(halves * output_scale / 0.125), output_scale, per_channel))
        _, outputs = equal_to_reference(path, [np.zeros(1, np.int8)])
        assert len(np.unique(outputs[0])) > 100


def _biases_only(name: str, biases: NDArray[Any], output_scale: float, per_channel: bool) -> bytes:
    """A layer whose weights are 0: each output is its bias times 0.125 over the output's scale."""
    file, count = ModelFile(), len(biases)
    ones = (1,) if name == "FULLY_CONNECTED" else (1, 1, 1)
    taken = file.tensor((*ones, 1), scale=0.5)
    scale = np.full(count, 0.25, np.float32) if per_channel else 0.25
    weights = file.tensor((count, *ones), scale=scale, data=np.zeros((count, *ones)))
    bias = file.tensor((count,), "int32", 0.125, data=biases)
    output = file.tensor((*ones, count), scale=output_scale)
    if name == "FULLY_CONNECTED":
        file.operator(name, [taken, weights, bias], [output], "FullyConnectedOptions")
    else:
        steps = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
        file.operator(name, [taken, weights, bias], [output], "Conv2DOptions", **steps)
    return file.content([taken], [output])


@pytest.mark.parametrize("name", [*ELEMENTWISE, "QUANTIZE", "RELU", "RELU6", "DEQUANTIZE", "AVERAGE_POOL_2D"])
def test_every_value_of_an_elementwise_operator_equals_the_reference_kernels(name: str, tmp_path: Path) -> None:
    """All 256 values at 60 pairs of scales, powers of two (whose halves are met exactly) among them."""
    rng, path = np.random.default_rng(8), tmp_path / "model.tflite"
    for number in range(60):
        ratio = 2.0 ** int(rng.integers(-6, 4)) if number % 3 == 0 else 10 ** float(rng.uniform(-1.5, 1))
        scale, zero_points = float(10 ** rng.uniform(-3, -1)), rng.integers(-128, 128, 2)
        file = ModelFile()
        taken = file.tensor((1, 16, 16, 1), scale=scale, zero_point=int(zero_points[0]))
        match name:
            case "DEQUANTIZE":
                output = file.tensor((1, 16, 16, 1), "float32")
                file.operator(name, [taken], [output])
            case "AVERAGE_POOL_2D":
                output = file.tensor((1, 15, 14, 1), scale=scale, zero_point=int(zero_points[0]))
                file.operator(name, [taken], [output], "Pool2DOptions", filterHeight=2, filterWidth=3, strideH=1, strideW=1, padding=1)
            case _:
                output = file.tensor(
                    (1, 16, 16, 1), **(ELEMENTWISE.get(name) or {"scale": scale / ratio, "zero_point": int(zero_points[1])})
                )
                leaky: dict[str, Any] = {"table": "LeakyReluOptions", "alpha": ratio / 9} if name == "LEAKY_RELU" else {}
                file.operator(name, [taken], [output], **leaky)
                if name == "LOGISTIC":  # As the last operator it would say that several classes are active.
                    sigmoid, output = output, file.tensor((1, 16, 16, 1), scale=1 / 256, zero_point=-128)
                    file.operator("RELU", [sigmoid], [output])
        path.write_bytes(file.content([taken], [output]))
        values = np.arange(-128, 128).astype(np.int8)
        equal_to_reference(path, [values, rng.permutation(values)])


@pytest.mark.parametrize("name", ["ADD", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("SUB", "MUL", "PRELU"))])
def test_every_pair_of_values_is_computed_as_the_reference_kernel_computes_it(name: str, tmp_path: Path) -> None:
    """All 65,536 pairs at 20 triples of scales: the second operand is a rescaled column of the first."""
    rng, path = np.random.default_rng(9), tmp_path / "model.tflite"
    for number in range(20):
        scales = 2.0 ** rng.integers(-7, -3, 3) if number % 2 else 10 ** rng.uniform(-2.5, -1, 3)
        zero_points = [int(point) for point in rng.integers(-128, 128, 3)]
        file = ModelFile()
        first = file.tensor((1, 256, 512, 1), scale=scales[0], zero_point=zero_points[0])
        # Rows hold every value beside every other: a pool over pairs of columns picks the left, a slice of them, the right.
        left = file.tensor((1, 256, 256, 1), scale=scales[0], zero_point=zero_points[0])
        right = file.tensor((1, 256, 256, 1), scale=scales[0], zero_point=zero_points[0])
        shifted = file.tensor((1, 256, 256, 1), scale=scales[1], zero_point=zero_points[1])
        given = scales[2] * 2 if name in ("ADD", "SUB") else 128 * scales[0] * scales[1]
        output = file.tensor((1, 256, 256, 1), scale=given, zero_point=zero_points[2])
        picked = {"strideH": 1, "strideW": 2, "padding": 1, "filterHeight": 1}
        file.operator("AVERAGE_POOL_2D", [first], [left], "Pool2DOptions", filterWidth=1, **picked)
        file.operator("AVERAGE_POOL_2D", [first], [right], "Pool2DOptions", filterWidth=2, **picked)
        file.operator("QUANTIZE", [right], [shifted])
        file.operator(name, [left, shifted], [output], "" if name == "PRELU" else f"{name.title()}Options")
        path.write_bytes(file.content([first], [output]))
        values = np.arange(-128, 128)
        pairs = np.stack(np.broadcast_arrays(values[:, None], values), axis=-1).reshape(256, 512)
        equal_to_reference(path, [pairs.astype(np.int8)])


@pytest.mark.parametrize("kind", ["NearestNeighbor", "Bilinear"])
def test_maps_of_any_size_are_resized_as_the_reference_kernel_does(kind: str, tmp_path: Path) -> None:
    """Both ways to lay one grid over another, and the plain one, for sizes up to those of a camera."""
    rng, path = np.random.default_rng(12), tmp_path / "model.tflite"
    for grid in ({"alignCorners": True}, {"halfPixelCenters": True}, {}):
        for _ in range(20):
            size, (height, width) = rng.integers(1, 160, 2), (int(length) for length in rng.integers(1, 130, 2))
            file = ModelFile()
            taken, output = (file.tensor((1, *sizes, 1), scale=0.1) for sizes in (size, (height, width)))
            name = "RESIZE_BILINEAR" if kind == "Bilinear" else "RESIZE_NEAREST_NEIGHBOR"
            file.operator(name, [taken, file.numbers([height, width])], [output], f"Resize{kind}Options", **grid)
            path.write_bytes(file.content([taken], [output]))
            equal_to_reference(path, [rng.integers(-128, 128, (*size, 1)).astype(np.int8)])


def test_the_average_of_large_maps_equals_the_reference_kernel(tmp_path: Path) -> None:
    """Sizes at and beside powers of two, where the division and the shift of the multiplier meet."""
    rng, path = np.random.default_rng(10), tmp_path / "model.tflite"
    for height, width in [(1, 1), (1, 2), (3, 3), (4, 4), (7, 7), (8, 16), (127, 1), (64, 64), (65, 63), (112, 112)]:
        for ratio in (2.0**-20, 0.013, 0.5, 1.0, 1.7, 64.0):
            file = ModelFile()
            taken = file.tensor((1, height, width, 16), scale=0.02, zero_point=int(rng.integers(-128, 128)))
            output = file.tensor((1, 16), scale=0.02 / ratio, zero_point=int(rng.integers(-128, 128)))
            file.operator("MEAN", [taken, file.numbers([1, 2])], [output], "ReducerOptions", keepDims=False)
            path.write_bytes(file.content([taken], [output]))
            low = np.linspace(-128, 100, 16).astype(int)
            network, _ = equal_to_reference(path, [rng.integers(low, low + 28, (height, width, 16)).astype(np.int8)])
            (layer,) = network.layers
            assert isinstance(layer, Mean)
            assert math.isclose(layer.scaling.multiplier * 2.0 ** (layer.scaling.shift - 31), ratio / height / width, rel_tol=1e-6)


@pytest.mark.thorough
def test_every_difference_in_a_softmax_equals_the_reference_kernel(tmp_path: Path) -> None:
    """256 values below a maximum, at scales from where all outputs are alike to where only the maximum counts."""
    path = tmp_path / "model.tflite"
    for exponent in np.linspace(-6, 2, 17):
        file = ModelFile()
        taken = file.tensor((1, 16, 16, 8), scale=float(2**exponent), zero_point=5)
        output = file.tensor((1, 16, 16, 8), scale=1 / 256, zero_point=-128)
        file.operator("SOFTMAX", [taken], [output], "SoftmaxOptions", beta=1.0)
        path.write_bytes(file.content([taken], [output]))
        logits = np.random.default_rng(11).integers(-128, 128, (256, 8))
        logits[:, 0], logits[:, 1] = 127, np.arange(-128, 128)
        equal_to_reference(path, [logits.astype(np.int8)])


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    """One weight changed by one is seen in some tensor of a network: the models are not dull."""
    seen = 0
    for seed in range(40):
        path = tmp_path / "model.tflite"
        path.write_bytes(random_model(seed))
        network = read_network(path)
        layers = [layer for layer in network.layers if isinstance(layer, Convolution | Depthwise)]
        if not layers:
            continue
        (image,) = random_images(network.input.shape, network.input.dtype, 1, seed)
        reference = Reference(path)
        reference.run(image)
        layer = layers[0]
        object.__setattr__(layer, "bias", layer.bias + 1 + np.abs(layer.bias))
        values = interpret(network, image)
        seen += not np.array_equal(values[layer.output.tensor].reshape(-1), reference.tensor(layer.output.tensor).reshape(-1))
    assert seen > 15
