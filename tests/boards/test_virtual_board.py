"""The driver of a virtual board: real generated code on the emulated core, spoken to through its terminal, with faults."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from in_hand import virtual
from miniature import CLASSES, coloured

from edgeloop.boards.compare import reference_scores
from edgeloop.boards.driver import Observe
from edgeloop.boards.signature import signature, signature_of
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.run import Mode, Patience
from edgeloop.boards.virtual.driver import VirtualBoard
from edgeloop.boards.virtual.process import BoardProcess
from edgeloop.codegen.generate import Options, generate_file
from edgeloop.errors import BoardError, InputError, ModelError
from edgeloop.firmware.build import build_firmware
from edgeloop.preprocessing import Pixels
from edgeloop.services.processes import identify, is_alive

QUICK = Patience(sync_s=1.0, information_s=1.0, ready_s=1.0, upload_s=1.0, inference_s=3.0, tensor_s=2.0)
CONNECTION = 3
"""Answers before the first run: SYNC, the model's information, and that there is no second one."""


@pytest.fixture(scope="module")
def pictures() -> Pixels:
    return np.stack([coloured(label, 1) for label in CLASSES])


@pytest.fixture(scope="module")
def model(miniatures: Path) -> Path:
    return miniatures / "per_channel.tflite"


@pytest.fixture(scope="module")
def generated(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code") / "generated"
    generate_file(model, folder, Options(backend="portable"))
    return folder


@pytest.fixture(scope="module")
def board(generated: Path) -> Iterator[VirtualBoard]:
    board = virtual("virtual-h7")
    board.load(generated)
    yield board
    board.close()


def test_it_says_that_it_is_virtual_and_what_it_counts(board: VirtualBoard) -> None:
    identity = board.identify()
    assert identity.device.startswith("VIRTUAL STM32H747")
    assert "VIRTUAL" in board.running.network.runtime_description
    assert "instructions" in identity.clock


def test_its_outputs_equal_the_hosts_reference_kernels(board: VirtualBoard, model: Path, pictures: Pixels) -> None:
    run = board.run(pictures, Observe.OUTPUTS)
    np.testing.assert_array_equal(run.outputs.view(np.uint32), reference_scores(model, pictures).view(np.uint32))
    assert run.outputs.argmax(axis=1).tolist() == [0, 1, 2]
    assert min(run.instructions) > board.running.network.macs
    assert board.running.client.disturbances.protocol_errors == 0


def test_equal_inputs_take_equally_many_instructions(board: VirtualBoard, pictures: Pixels) -> None:
    assert len(set(board.run(np.stack([pictures[0]] * 3), Observe.OUTPUTS).instructions)) == 1


def test_layers_are_counted_one_by_one(board: VirtualBoard, pictures: Pixels) -> None:
    run = board.run_one(pictures[0], Mode.PER_LAYER_WITH_DATA)
    assert len(run.layers) == board.running.network.nodes
    assert 0 < sum(layer.counters[0] for layer in run.layers) <= run.total.counters[0]
    assert all(len(layer.tensors) == 1 for layer in run.layers)
    assert run.layers[-1].tensors[0].tobytes() == run.outputs[0].tobytes()


def test_the_firmware_fits_its_part_and_holds_the_model(board: VirtualBoard, model: Path) -> None:
    assert board.running.network.weight_bytes < board.running.footprint.flash_bytes < board.part.flash.size
    assert board.running.network.activation_bytes < board.running.footprint.ram_bytes < board.part.memory(board.part.data).size
    assert board.running.network.signature == signature(model)


def test_an_input_of_another_size_is_refused(board: VirtualBoard, pictures: Pixels) -> None:
    with pytest.raises(InputError, match="takes uint8"):
        board.run(pictures[:, :90], Observe.OUTPUTS)


@pytest.mark.thorough
def test_a_fault_while_connecting_is_counted(generated: Path, model: Path, pictures: Pixels) -> None:
    board = virtual("virtual-h7", faults=["garbage"], patience=QUICK)
    try:
        board.load(generated)
        np.testing.assert_array_equal(board.run(pictures[:1], Observe.OUTPUTS).outputs, reference_scores(model, pictures[:1]))
        assert board.running.client.disturbances.protocol_errors >= 1
    finally:
        board.close()


@pytest.mark.thorough
def test_its_process_is_gone_after_it_was_closed(generated: Path) -> None:
    board = virtual("virtual-f4")
    board.load(generated)
    process = identify(board.running.process._process.pid)
    assert process is not None
    board.close()
    board.close()
    assert not is_alive(process)
    with pytest.raises(InputError, match="No model is on"):
        board.run(np.zeros((1, 96, 96, 3), np.uint8), Observe.OUTPUTS)


@pytest.mark.thorough
def test_a_board_whose_process_was_killed_says_so(generated: Path, pictures: Pixels) -> None:
    board = virtual("virtual-h7", patience=QUICK)
    try:
        board.load(generated)
        board.running.process._process.kill()
        board.running.process._process.wait(10)
        with pytest.raises(BoardError, match="has ended"):
            board.run(pictures[:1], Observe.OUTPUTS)
    finally:
        board.close()


def test_firmware_that_does_not_start_is_explained(tmp_path: Path) -> None:
    board = virtual("virtual-h7")
    try:
        (tmp_path / "firmware.elf").write_bytes(b"\x7fELF" + bytes(100))
        with pytest.raises(BoardError, match="did not start"):
            BoardProcess(tmp_path / "firmware.elf", board.part)
    finally:
        board.close()


def test_a_folder_without_generated_code_is_refused(tmp_path: Path) -> None:
    board = virtual("virtual-h7")
    try:
        with pytest.raises(InputError):
            board.load(tmp_path)
    finally:
        board.close()


@pytest.mark.thorough
def test_a_model_that_does_not_fit_the_part_is_refused(generated: Path, tmp_path: Path) -> None:
    folder = tmp_path / "generated"
    shutil.copytree(generated, folder)
    header = (folder / "network.h").read_text()
    grown = re.sub(r"(NETWORK_ACTIVATION_BYTES) \d+", rf"\1 {200 * 1024}", header)
    assert grown != header
    (folder / "network.h").write_text(grown)
    board = virtual("virtual-f4")
    try:
        with pytest.raises(ModelError, match="does not fit into the memories of STM32F405"):
            board.load(folder)
    finally:
        board.close()


def test_the_signature_is_that_of_the_models_file(generated: Path, model: Path, tmp_path: Path) -> None:
    assert signature_of(generated) == signature(model)
    (tmp_path / "network.h").write_text("/* nothing */\n")
    with pytest.raises(InputError, match="names no signature"):
        signature_of(tmp_path)


@pytest.mark.thorough
def test_the_same_board_answers_over_tcp(board: VirtualBoard, generated: Path, tmp_path: Path) -> None:
    firmware = build_firmware(generated, board.part, tmp_path / "firmware.elf")
    command = [sys.executable, "-m", "edgeloop.boards.virtual", "--part", board.part.name, "--elf", str(firmware), "--tcp", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            announced = json.loads(process.stdout.readline())
            with BoardClient(f"socket://{announced['tcp']}", patience=QUICK) as client:
                network = client.network(signature_of(generated))
                picture = coloured("green", 1)
                assert client.run(network, [picture]).outputs[0].argmax() == CLASSES.index("green")
                assert client.system().device_id == board.part.device_id
        finally:
            process.stdin.close()
            process.wait(20)
