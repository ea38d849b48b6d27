"""Per-layer runs with data, for a client as impatient as ST's, on a machine whose cores are all busy: messages of a layer follow
each other within 50 ms, and every tensor equals LiteRT's reference kernels.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from converted_models import smooth_images
from impatient import PER_LAYER, PER_LAYER_WITH_DATA, RUN, ImpatientClient, Layer
from numpy.typing import NDArray
from reference import Reference
from test_firmware import ERROR, Host, content, infer, number

from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.parts import KIB, STM32H747, Part, Region
from edgeloop.codegen.generate import Options, generate_file, plan_model
from edgeloop.firmware.build import build_firmware
from edgeloop.firmware.headers import STACK_BYTES
from edgeloop.networks.table import NETWORKS

SMALL = ("fdmobilenet_0.25", 96)
TOO_LARGE = ("mobilenet_v1_1.0", "mobilenet_v2_1.0")
"""For the flash of an STM32H747 (2 MiB): their weights alone are 3.2 and 2.2 MB."""
BETWEEN_MESSAGES_S = 0.05
DTYPES = {0x00840440: np.int8, 0x00040440: np.uint8, 0x00821040: np.float32}


@contextmanager
def busy_cores() -> Iterator[None]:
    """As many processes as there are cores, each of which never rests."""
    loads = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for load in loads:
            load.kill()
            load.wait(10)


def generated(model: Path, folder: Path, *, stream_input: bool = False) -> Path:
    generate_file(model, folder, Options(target="stm32h7", backend="portable", stream_input=stream_input))
    return folder


def check_layers(model: Path, image: NDArray[np.uint8], told: list[tuple[int, int, bytes]]) -> None:
    """Position, format and bytes of each layer's output, beside the reference's tensors."""
    reference = Reference(model)
    reference.run(image)
    layers = plan_model(model)[0].computing
    assert [position for position, _, _ in told] == [layer.position for layer in layers]
    for layer, (_, form, stored) in zip(layers, told, strict=True):
        wanted = reference.tensor(layer.output.tensor)
        assert DTYPES[form] == wanted.dtype
        assert stored == wanted.tobytes(), f"operator {layer.position} ({layer.operator})"


def facts(layer: Layer) -> tuple[int, int, bytes]:
    return layer.node.id, layer.tensor.desc.format, layer.tensor.data.datas


@pytest.mark.parametrize(
    ("name", "resolution"),
    [
        pytest.param(*SMALL, marks=pytest.mark.thorough),
        *(pytest.param(name, 224, marks=pytest.mark.long) for name in NETWORKS if name not in TOO_LARGE),
    ],
)
def test_an_impatient_client_gets_every_layer_on_a_busy_machine(
    name: str, resolution: int, network_file: Callable[..., Path], tmp_path: Path
) -> None:
    model = network_file(name, resolution)
    elf = build_firmware(generated(model, tmp_path / "generated"), STM32H747, tmp_path / "firmware.elf")
    (image,) = smooth_images(np.random.default_rng(5), 1, resolution)
    with tiny.board("stm32h747", elf) as board, ImpatientClient(board.pty, board.process.pid) as client, busy_cores():
        network = client.connect()
        layers, total, output = client.layers(image.tobytes())
    assert len(layers) == network.n_nodes
    check_layers(model, image, [facts(layer) for layer in layers])
    assert output.data.datas == layers[-1].tensor.data.datas
    assert sum(layer.node.counters[0] for layer in layers) <= total.counters[0]
    assert max(client.waited_s["tensor"], client.computed_s["tensor"]) < BETWEEN_MESSAGES_S


def part_with(spare_kib: int) -> Part:
    """An STM32H747 all of whose memory is taken, but for so much."""
    stack = Region("DTCM", 0x2000_0000, spare_kib * KIB + STACK_BYTES)
    return replace(STM32H747, memories=(stack, STM32H747.memory(STM32H747.data)), spares=(stack.name,))


def host_of(model_or_folder: Path, part: Part, folder: Path) -> Host:
    machine = Machine(part, read_program(build_firmware(model_or_folder, part, folder / "firmware.elf")))
    machine.boot()
    return Host(machine)


def spent(host: Host, image: NDArray[np.uint8], mode: int) -> tuple[list[bytes], int]:
    """The answers of one inference, and the instructions that were executed from its request on."""
    before = host.machine.core.instructions
    answers = infer(host, image, mode)
    return answers, host.machine.core.instructions - before


@pytest.fixture(scope="module", params=["resident", "streamed"])
def code(request: pytest.FixtureRequest, network_file: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code") / "generated"
    return generated(network_file(*SMALL), folder, stream_input=request.param == "streamed")


@pytest.mark.thorough
@pytest.mark.parametrize(("spare_kib", "runs"), [(128, 1), (64, 3), (36, 10)])
def test_layers_are_kept_in_as_few_runs_as_there_is_memory_for(
    spare_kib: int, runs: int, code: Path, network_file: Callable[..., Path], tmp_path: Path
) -> None:
    host = host_of(code, part_with(spare_kib), tmp_path)
    (image,) = smooth_images(np.random.default_rng(6), 1, SMALL[1])
    told, without = spent(host, image, PER_LAYER)
    answers, with_data = spent(host, image, PER_LAYER_WITH_DATA)
    nodes, tensors = answers[:-2:2], answers[1:-2:2]
    check_layers(
        network_file(*SMALL),
        image,
        [(number(n, 16, 3) or 0, number(t, 17, 1, 2) or 0, content(t, 17, 2, 4)) for n, t in zip(nodes, tensors, strict=True)],
    )
    assert content(answers[-1], 17, 2, 4) == content(tensors[-1], 17, 2, 4)
    # Neither keeping nor sending is counted as a layer's.
    assert [number(node, 16, 6) for node in nodes] == [number(node, 16, 6) for node in told[:-2:2]]
    one_run = number(told[-2], 16, 6) or 0
    assert number(answers[-2], 16, 6) == pytest.approx(one_run, rel=0.001)
    assert 1 + (with_data - without) // one_run == runs


def test_a_part_without_any_memory_left_says_so(tmp_path: Path) -> None:
    host = host_of(tiny.FOLDER, part_with(0), tmp_path)
    (answer,) = host.request(RUN, PER_LAYER_WITH_DATA, "network")
    assert [number(answer, 2), number(answer, 12, 1), number(answer, 12, 2)] == [ERROR, tiny.image(0).size, 8]
    assert content(infer(host, tiny.image(0))[-1], 17, 2, 4) == tiny.scores(tiny.image(0)).tobytes()
