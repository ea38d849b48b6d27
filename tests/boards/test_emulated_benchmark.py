"""The step `benchmark` on a virtual board: what its record says, and what makes it refuse."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from miniature import CLASSES, coloured, prepare

from edgeloop.boards.benchmark import benchmark, benchmark_model
from edgeloop.boards.compare import compare
from edgeloop.boards.virtual import driver
from edgeloop.boards.virtual.driver import VirtualBoard
from edgeloop.codegen.generate import Options, generate
from edgeloop.config import Params, load_params
from edgeloop.errors import BoardError, InputError, WrongOutputs
from edgeloop.files import sha256_file
from edgeloop.records import CodegenBackend, CodegenRecord, EmulatedBenchmark, read_benchmark
from edgeloop.workspace import VariantPaths, Workspace

VARIANT = "sample-fdmobilenet_0.25-96"


@pytest.fixture
def params(workspace: Workspace) -> Params:
    return load_params(workspace)


@pytest.fixture
def variant(workspace: Workspace, params: Params, miniatures: Path) -> Iterator[VariantPaths]:
    prepare(workspace, "sample", [(label, "test", coloured(label, number)) for label in CLASSES for number in range(2)])
    paths = workspace.variant("sample", "fdmobilenet_0.25", 96)
    shutil.copytree(miniatures, paths.quantized)
    generate(workspace, params, VARIANT, Options(backend="portable"))
    yield paths


def test_the_record_says_what_was_counted_on_what_and_that_the_outputs_are_right(
    workspace: Workspace, params: Params, variant: VariantPaths
) -> None:
    record = benchmark(workspace, params, VARIANT, "virtual-h7", images=3)
    assert isinstance(record, EmulatedBenchmark)
    assert read_benchmark(variant.benchmark_record("virtual-h7")) == record
    assert (record.kind, record.board, record.dataset, record.resolution) == ("benchmark-emulated", "virtual-h7", "sample", 96)
    assert record.part.startswith("STM32H747")
    assert (record.images, record.equal_outputs, record.max_difference, record.output_type) == (3, 3, 0.0, "float32")
    assert 0 < record.instructions.min <= record.instructions.median <= record.instructions.max
    counts = [layer.instructions for layer in record.layers]
    # Only the QUANTIZE that is done with the first convolution has no count of its own.
    assert counts[0] is None and None not in counts[1:]
    assert 0.97 < sum(count or 0 for count in counts) / record.instructions.median < 1.01
    assert sum(layer.macs or 0 for layer in record.layers) == record.macs == 269_580
    assert record.model_sha256 == sha256_file(variant.quantized / "per_channel.tflite")
    assert record.assumption.endswith("ms at 400 MHz, assumed 1 instruction per cycle")
    assert (record.protocol, record.protocol_errors, record.retries) == ("3.1", 0, 0)
    assert record.firmware_ram_bytes > record.activation_ram_bytes
    assert record.firmware_flash_bytes > record.weight_bytes
    assert record.emulator.startswith("unicorn ")
    # Of a Cortex-M7 nobody publishes what an estimate would need.
    assert record.estimated is None


def test_no_field_of_the_record_takes_a_time_for_a_measurement() -> None:
    fields = EmulatedBenchmark.model_fields.keys() | {"instructions"}
    assert not [name for name in fields if name.endswith(("_ms", "_s", "_us", "_ns")) or "latency" in name]


@pytest.mark.thorough
def test_a_foreign_model_is_run_on_random_pixels_which_the_result_says(miniatures: Path) -> None:
    result = benchmark_model(miniatures / "int8.tflite", "virtual-f4", images=2)
    assert isinstance(result, EmulatedBenchmark)
    assert (result.dataset, result.network, result.images, result.equal_outputs) == (None, None, 2, 2)
    assert "random" in result.pixels
    assert result.output_type == "int8"
    assert result.part.startswith("STM32F405")
    # A single-issue core takes at least a cycle for each instruction, and ours less than two.
    assert result.estimated is not None
    assert result.instructions.median < result.estimated.cycles < 2 * result.instructions.median
    assert "estimated, not measured" in result.in_words()


@pytest.mark.thorough
def test_one_wrong_output_is_enough_for_no_figure(miniatures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "VirtualBoard", partial(VirtualBoard, faults=["wrong-output:times=1"]))
    with pytest.raises(WrongOutputs, match=r"other outputs than LiteRT's reference kernels on 1 of 2 images, by 0\.\d+ at most"):
        benchmark_model(miniatures / "per_channel.tflite", "virtual-h7", images=2)


@pytest.mark.thorough
def test_what_went_wrong_on_the_wire_is_counted_in_the_record(miniatures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "VirtualBoard", partial(VirtualBoard, faults=["garbage:after=5"]))
    result = benchmark_model(miniatures / "per_channel.tflite", "virtual-h7", images=2)
    assert isinstance(result, EmulatedBenchmark)
    assert (result.equal_outputs, result.retries) == (2, 1)
    assert result.protocol_errors >= 1


def test_code_of_another_generator_is_refused(workspace: Workspace, params: Params, variant: VariantPaths) -> None:
    record = CodegenRecord.read(variant.generate_record)
    record.model_copy(update={"backend": CodegenBackend(name="stedgeai", version="4.0.0")}).write(variant.generate_record)
    with pytest.raises(InputError, match="holds code of stedgeai"):
        benchmark(workspace, params, VARIANT, "virtual-h7")


def test_outputs_are_compared_bit_by_bit() -> None:
    host = np.asarray([[0.0, 1.0], [0.25, 0.75]], np.float32)
    assert compare(host.copy(), host).equal_outputs == 2
    negative_zero = host * np.asarray([[-1.0, 1.0], [1.0, 1.0]], np.float32)
    assert (compare(negative_zero, host).equal_outputs, compare(negative_zero, host).max_difference) == (1, 0.0)
    with pytest.raises(BoardError, match="another model"):
        compare(host[:, :1], host)
