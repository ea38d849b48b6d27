"""What kernels are told about a layer: folded biases, the order of weights, and when fast rounding is equal to the exact one."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from kernel_cases import Drawer
from numpy.typing import NDArray

from edgeloop.codegen.portable.kernels import HEADER, kernel_sources, write_kernels
from edgeloop.codegen.portable.operators import KINDS, Convolution, Depthwise
from edgeloop.codegen.portable.operators.scaled import ROUND_EXACT, ROUND_FAST, ROUND_POSITIVE
from edgeloop.codegen.portable.operators.separable import separable_scratch_bytes
from edgeloop.codegen.portable.parameters import Structure, initializer
from edgeloop.codegen.portable.values import Limits, Scaling, Value, Window
from edgeloop.errors import ModelError

FINE = Scaling(1 << 30, -6)


def bias_of(layer: Convolution) -> NDArray[np.int32]:
    """The bias that the kernel starts from."""
    bias = layer.parameters()["bias"]
    assert isinstance(bias, np.ndarray) and bias.dtype == np.int32
    return cast("NDArray[np.int32]", bias)


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
    np.testing.assert_array_equal(bias_of(layer), 100 + 7 * sums)


def test_a_folded_bias_wraps_as_the_kernels_sums_do() -> None:
    layer = replace(convolution(zero_point=127, bias=(1 << 31) - 1), weights=np.full((8, 3, 3, 3), -127, np.int8))
    folded = (1 << 31) - 1 + 127 * 27 * 127
    assert bias_of(layer)[0] == folded - (1 << 32)


@pytest.mark.parametrize(
    ("layer", "rounding"),
    [
        (convolution(), ROUND_POSITIVE),
        (convolution(output_zero_point=-127), ROUND_FAST),
        (convolution(scaling=Scaling(1 << 30, -1)), ROUND_POSITIVE),
        (convolution(scaling=Scaling(1 << 30, 0)), ROUND_EXACT),
        (convolution(scaling=Scaling(1 << 30, -22)), ROUND_POSITIVE),
        (convolution(scaling=Scaling(1 << 30, -23), bias=1 << 22), ROUND_EXACT),
        (convolution(scaling=Scaling(1 << 30, -23)), ROUND_POSITIVE),  # all results are 0
        (convolution(scaling=Scaling(0, 0)), ROUND_POSITIVE),
        (convolution(low=-100), ROUND_EXACT),
        (convolution(bias=(1 << 30) - (1 << 20)), ROUND_POSITIVE),
        (convolution(bias=-(1 << 30)), ROUND_EXACT),
    ],
)
def test_fast_rounding_only_where_it_is_exact(layer: Convolution, rounding: int) -> None:
    assert layer.parameters()["rounding"] == rounding


def test_pixels_are_read_as_they_are() -> None:
    layer = convolution(zero_point=-128)
    pixels = Value(2, "pixels", 224, 224, 3, "uint8", 0.5, 0)
    values = layer.parameters_of_pixels(pixels)
    assert (values["input_is_unsigned"], values["input_zero_point"]) == (1, 0)
    np.testing.assert_array_equal(values["bias"], layer.bias)


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
        convolution(zero_point=-128).parameters_of_pixels(pixels)


@pytest.mark.parametrize(
    ("scaling", "told"),
    [(Scaling(0, 5), (0, -1)), (Scaling(1 << 30, -31), (0, -1)), (Scaling(1 << 30, -19), (1 << 30, -19)), (FINE, (1 << 30, -6))],
)
def test_a_channel_whose_results_are_all_zero_does_not_slow_the_others_down(scaling: Scaling, told: tuple[int, int]) -> None:
    layer = convolution()
    values = replace(layer, scalings=(scaling, *layer.scalings[1:])).parameters()
    multiplier, shift = cast("NDArray[np.int32]", values["multiplier"]), cast("NDArray[np.int8]", values["shift"])
    assert (multiplier[0], shift[0]) == told
    assert values["rounding"] == ROUND_POSITIVE


def test_convolution_weights_are_words_of_two_channels_in_turns() -> None:
    """Nine inputs of three channels each, the usual first layer: of each row the first eight, then all ninths."""
    inputs = np.arange(27)
    weights = np.stack([inputs, inputs + 100, inputs - 100]).astype(np.int8).reshape(3, 3, 3, 3)
    layer = convolution()
    output = replace(layer.output, channels=3)
    made = replace(layer, weights=weights, output=output, bias=layer.bias[:3], scalings=layer.scalings[:3]).parameters()["weights"]
    stored = np.frombuffer(cast("NDArray[np.int32]", made).astype("<i4").tobytes(), np.int8).reshape(2, 7, 2, 4)
    order = [*range(8), *range(9, 17), *range(18, 26), 8, 17, 26]
    np.testing.assert_array_equal(stored[0, :, 0].reshape(-1), [*order, 0])
    np.testing.assert_array_equal(stored[0, :, 1].reshape(-1)[:27], np.array(order) + 100)
    np.testing.assert_array_equal(stored[1, :, 0].reshape(-1)[:27], np.array(order) - 100)
    assert not stored[1, :, 1].any()


def test_scratch_memory_stays_small() -> None:
    """The first layer of FdMobileNet 0.25 at 224 computes over its input; what it needs besides counts."""
    assert convolution().batches()[-1].scratch_bytes <= 1560
    depthwise = Drawer(1).depthwise().layers[0]
    assert isinstance(depthwise, Depthwise)
    one, three = (separable_scratch_bytes(depthwise, rows, 1) for rows in (1, 3))
    assert one < three <= 3 * one


def test_the_kernels_are_complete(tmp_path: Path) -> None:
    """Every header that one of them includes is there, and one header includes those of all operators."""
    write_kernels(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {HEADER, *kernel_sources()} <= names
    assert all(name.startswith("edgeloop_") for name in names)
    included = {name for path in tmp_path.iterdir() for name in re.findall(r'#include "(.*)"', path.read_text(encoding="utf-8"))}
    assert included <= names
    assert {f"{kind.KERNEL}.h" for kind in KINDS if kind.KERNEL} <= set(
        re.findall('"(.*)"', (tmp_path / HEADER).read_text(encoding="utf-8"))
    )


HEADER_TEXT = """\
/* Two of them. */
typedef struct {
    const int8_t *weights; /* [output
                              channel] */
    uint32_t count;
    int32_t zero_point[2];
    double scale;
} edgeloop_other;
typedef struct {
    int32_t wrong;
} edgeloop_another;
"""


VALUES: dict[str, Any] = {"scale": 0.5, "zero_point": (-1, 2), "count": 3, "weights": np.zeros(2, np.int8)}


@pytest.fixture
def header(tmp_path: Path) -> Path:
    path = tmp_path / "edgeloop_other.h"
    path.write_text(HEADER_TEXT, encoding="utf-8")
    return path


def test_the_header_alone_states_the_order_and_the_types_of_fields(header: Path) -> None:
    fields = list(Structure("edgeloop_other", header, VALUES).fields())
    assert [field.name for field, _ in fields] == ["weights", "count", "zero_point", "scale"]
    assert [initializer(field, value) for field, value in fields[1:]] == ["3u", "{-1, 2}", "0.5"]  # type: ignore[arg-type]


def test_a_pointer_may_point_to_nothing(header: Path) -> None:
    (field, value), *_ = Structure("edgeloop_other", header, VALUES | {"weights": None}).fields()
    assert (field.name, value) == ("weights", None)
    assert initializer(field, None) == "NULL"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"more": 1}, "not"),
        ({"count": 0.5}, "count is uint32_t"),
        ({"scale": 1}, "scale is double"),
        ({"zero_point": 1}, "zero_point is int32_t"),
        ({"zero_point": (1, 2, 3)}, "zero_point is int32_t"),
        ({"weights": np.zeros(2, np.int32)}, r"weights is int8_t \*"),
        ({"weights": 1}, r"weights is int8_t \*"),
        ({"count": None}, "count is uint32_t"),
    ],
)
def test_values_that_the_header_has_no_field_for_are_refused(header: Path, change: dict[str, Any], words: str) -> None:
    values = VALUES | change
    with pytest.raises(ValueError, match=words):
        list(Structure("edgeloop_other", header, values).fields())


def test_a_structure_that_no_header_declares_is_refused(header: Path) -> None:
    with pytest.raises(ValueError, match="does not declare edgeloop_none"):
        list(Structure("edgeloop_none", header, {}).fields())
