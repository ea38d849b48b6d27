"""`edgeloop inspect`: what a model file holds, read from the file alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from miniature import damaged

from edgeloop.errors import EdgeloopError, InputError, ModelError
from edgeloop.tflite.graph import Graph, Operator, Tensor, read_graph
from edgeloop.tflite.inspect import ModelReport, inspect_model, multiply_accumulates, quantization, render

PLANT = "pretrained/plant-village_fdmobilenet_0.25_128_int8.tflite"


def test_quantization_is_told_apart(miniatures: Path) -> None:
    kinds = {name: inspect_model(miniatures / f"{name}.tflite").quantization for name in ("float", "per_channel", "per_tensor", "int8")}
    assert kinds == {
        "float": "float",
        "per_channel": "int8 per-channel",
        "per_tensor": "int8 per-tensor",
        "int8": "int8 per-channel",
    }


def test_inputs_and_outputs_carry_their_scales(miniatures: Path) -> None:
    report = inspect_model(miniatures / "per_channel.tflite")
    (taken,), (given,) = report.inputs, report.outputs
    assert (taken.shape, taken.dtype) == ([1, 96, 96, 3], "uint8")
    assert taken.scale == pytest.approx(2 / 255)
    assert taken.zero_point == 127
    assert (given.shape, given.dtype, given.scale, given.zero_point) == ([1, 3], "float32", None, None)


def test_macs_parameters_and_weight_bytes_are_those_of_the_layers(miniatures: Path) -> None:
    convolution, depthwise, classes = 48 * 48 * 4 * 27, 24 * 24 * 4 * 9, 3 * 4
    report = inspect_model(miniatures / "per_channel.tflite")
    assert [operator.macs for operator in report.operators if operator.macs] == [convolution, depthwise, classes]
    assert report.macs == convolution + depthwise + classes
    assert report.parameters == (3 * 3 * 3 * 4 + 4) + (3 * 3 * 4 + 4) + (4 * 3 + 3)
    assert report.weight_bytes == (3 * 3 * 3 * 4 + 3 * 3 * 4 + 4 * 3) + 4 * (4 + 4 + 3)
    assert inspect_model(miniatures / "float.tflite").weight_bytes == 4 * report.parameters


def test_shapes_for_a_reshape_are_no_parameters(miniatures: Path) -> None:
    reshape = next(operator for operator in inspect_model(miniatures / "per_channel.tflite").operators if operator.name == "RESHAPE")
    assert (reshape.parameters, reshape.macs) == (0, 0)


def test_the_text_shows_every_operator_with_its_shape_and_macs(miniatures: Path) -> None:
    text = render(inspect_model(miniatures / "per_channel.tflite"))
    assert "quantization  int8 per-channel" in text
    assert "1x96x96x3 uint8, scale 0.00784313772, zero point 127" in text
    assert [line.split()[1] for line in text.splitlines() if line[:1].isdigit()] == [
        "QUANTIZE", "CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "CONV_2D", "RESHAPE", "SOFTMAX", "DEQUANTIZE",
    ]  # fmt: skip
    assert "248,832" in text


def test_the_json_reads_back_as_the_same_report(miniatures: Path) -> None:
    report = inspect_model(miniatures / "per_channel.tflite")
    assert ModelReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.shared
def test_the_published_model_has_the_published_weights(shared: Callable[[str], Path]) -> None:
    """128.32 KiB, 125,477 parameters and 3,848,448 MACs are published for 5 classes; this model has 39."""
    report = inspect_model(shared(PLANT))
    more = 39 - 5
    assert report.parameters == 125_477 + more * (256 + 1)
    assert round((report.weight_bytes - more * (256 + 4)) / 1024, 2) == 128.32
    assert report.macs == 3_848_448 + more * 256
    assert report.quantization == "int8 per-channel"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0 bytes"),
        (b"TFL3", "4 bytes"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x00" * 100, "TFL3"),
    ],
)
def test_what_is_no_model_is_called_by_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "model.tflite").write_bytes(content)
    with pytest.raises(ModelError, match=said):
        inspect_model(tmp_path / "model.tflite")


def test_an_absent_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.tflite", tmp_path):
        with pytest.raises(InputError, match="not a file"):
            inspect_model(path)


def test_an_empty_flatbuffer_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x08\x00\x00\x00TFL3" + bytes(64))
    with pytest.raises(ModelError, match=r"model\.tflite is damaged"):
        inspect_model(tmp_path / "model.tflite")


@pytest.mark.thorough
def test_two_thousand_damaged_files_are_reported_or_refused(miniatures: Path, tmp_path: Path) -> None:
    """Nothing but a report or a ModelError comes out, and no report claims more than the file can hold."""
    content, rng, file = (miniatures / "open_batch.tflite").read_bytes(), np.random.default_rng(1), tmp_path / "model.tflite"
    refused = 0
    for _ in range(2_000):
        file.write_bytes(damaged(content, rng))
        try:
            report = inspect_model(file)
        except ModelError:
            refused += 1
        else:
            assert report.weight_bytes <= report.bytes * len(report.operators)
    assert 200 < refused < 1_990


def test_tables_that_all_point_to_one_do_not_multiply_the_work(miniatures: Path, tmp_path: Path) -> None:
    """Every count of the file is set to a huge number in turn: each ends at once."""
    content, file = (miniatures / "per_channel.tflite").read_bytes(), tmp_path / "model.tflite"
    for place in range(8, len(content) - 4, 4):
        if 0 < int.from_bytes(content[place : place + 4], "little") < 64:
            file.write_bytes(content[:place] + (400_000_000).to_bytes(4, "little") + content[place + 4 :])
            try:
                read_graph(file)
            except EdgeloopError as error:
                assert isinstance(error, ModelError)


def tensor(*shape: int, dtype: str = "FLOAT32", scales: int = 0) -> Tensor:
    return Tensor("", shape, dtype, np.ones(scales, np.float32), np.zeros(scales, np.int64), 0, 0, sparse=False)


def graph(name: str, inputs: list[Tensor], output: Tensor) -> tuple[Graph, Operator]:
    """A graph of one operator."""
    operator = Operator(name, tuple(range(len(inputs))), (len(inputs),))
    return Graph([*inputs, output], [operator], (0,), (len(inputs),), 1), operator


@pytest.mark.parametrize(
    ("name", "inputs", "output", "macs"),
    [
        ("CONV_2D", [(1, 8, 8, 6), (5, 3, 3, 6)], (1, 4, 4, 5), 4 * 4 * 5 * 9 * 6),
        ("CONV_2D", [(1, 8, 8, 6), (4, 3, 3, 3)], (1, 8, 8, 4), 8 * 8 * 4 * 9 * 3),  # two groups
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 6), (1, 3, 3, 12)], (1, 4, 4, 12), 4 * 4 * 12 * 9),
        ("FULLY_CONNECTED", [(1, 64), (10, 64)], (1, 10), 640),
        ("TRANSPOSE_CONV", [(4,), (5, 2, 2, 6), (1, 8, 8, 6)], (1, 16, 16, 5), 8 * 8 * 6 * 2 * 2 * 5),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 7)], (1, 4, 4, 4, 7), 64 * 7 * 27 * 2),
        ("BATCH_MATMUL", [(2, 3, 5), (2, 5, 7)], (2, 3, 7), 2 * 3 * 5 * 7),
        ("ADD", [(1, 8), (1, 8)], (1, 8), 0),
        ("CUSTOM Fancy", [(1, 8)], (1, 8), None),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", [(1, 8)], (1, 8), None),
    ],
)
def test_macs_follow_the_shapes(name: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], macs: int | None) -> None:
    assert multiply_accumulates(*graph(name, [tensor(*shape) for shape in inputs], tensor(*output))) == macs


@pytest.mark.parametrize(
    ("weights", "values", "kind"),
    [
        (tensor(4, 3), tensor(1, 4), "float"),
        (tensor(4, 3, dtype="INT8", scales=1), tensor(1, 4, dtype="INT8", scales=1), "int8 per-tensor"),
        (tensor(4, 3, dtype="INT8", scales=4), tensor(1, 4, dtype="INT8", scales=1), "int8 per-channel"),
        (tensor(4, 3, dtype="INT8", scales=4), tensor(1, 4), "int8 weights only"),
        (tensor(4, 3, dtype="INT8", scales=4), tensor(1, 4, dtype="INT16", scales=1), "mixed"),
        (tensor(4, 3, dtype="INT4", scales=4), tensor(1, 4, dtype="INT8", scales=1), "mixed"),
    ],
)
def test_the_kind_of_quantization_is_that_of_weights_and_values(weights: Tensor, values: Tensor, kind: str) -> None:
    assert quantization(graph("FULLY_CONNECTED", [tensor(1, 3), weights], values)[0]) == kind
