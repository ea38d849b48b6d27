"""The firmware and its protocol, byte by byte, on the emulated core: no client of ours in between."""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeloop.boards.virtual import wire
from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.parts import PARTS, STM32F405, STM32H747, Part, find_part
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers
from edgeloop.errors import CoreFault, InputError, ToolchainError
from edgeloop.firmware.build import build_firmware
from edgeloop.firmware.sources import STRICT

SYNC, SYSTEM, MODEL, RUN = 0, 1, 10, 11
ERROR = 4


class Host:
    """The host's side, as small as it can be."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.number = 0

    def send(self, message: bytes) -> list[bytes]:
        """A message in packets; the answers' useful bytes. The device asks for every packet but the first."""
        content = wire.to_varint(len(message)) + message
        packets = [content[at : at + 32] for at in range(0, len(content), 32)]
        answer = b""
        for place, useful in enumerate(packets):
            answer = self.machine.feed(bytes([len(useful)]) + useful.ljust(32, b"\xee"))
            if place + 1 < len(packets):
                assert answer == b"\xaa"
        return [wire.body(piece) for piece in wire.pieces(answer)]

    def request(self, command: int, parameter: int = 0, name: str = "") -> list[bytes]:
        """A request, with the next number."""
        self.number += 1
        text = bytes([0x22, len(name)]) + name.encode()
        message = b"\x08" + wire.to_varint(self.number) + b"\x10" + wire.to_varint(command) + b"\x18" + wire.to_varint(parameter) + text
        return self.send(message + b"\x28\x00")

    def data(self, content: bytes) -> list[bytes]:
        """A tensor."""
        size = wire.to_varint(len(content))
        return self.send(b"\x08\x00\x10" + size + b"\x18\x00\x22" + size + content)

    def acknowledge(self) -> list[bytes]:
        """The host's acknowledgement."""
        return self.send(b"\x08\x00\x10\x00")


def number(message: bytes, *path: int) -> int | None:
    """A varint in a message."""
    found = wire.find(message, *path)
    return None if found is None else wire.varint(message, found.start)[0]


def content(message: bytes, *path: int) -> bytes:
    """Bytes in a message."""
    found = wire.find(message, *path)
    assert found is not None
    return message[found.start : found.end]


def boot(elf: Path, part: str = "stm32h747") -> Host:
    machine = Machine(find_part(part), read_program(elf))
    machine.boot()
    return Host(machine)


@pytest.fixture(scope="module")
def host(firmware: Callable[[str], Path]) -> Host:
    """A host with a board that has booted."""
    return boot(firmware("stm32h747"))


def infer(host: Host, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], mode: int = 1) -> list[bytes]:
    """A whole run; the answers behind the last acknowledgement."""
    (ready,) = host.request(RUN, mode, "network")
    assert (number(ready, 2), number(ready, 12, 1), number(ready, 12, 2)) == (1, image.size, 0)
    (taken,) = host.data(image.tobytes())
    assert (number(taken, 2), number(taken, 12, 1)) == (2, image.size)
    return host.acknowledge()


@pytest.mark.thorough
@pytest.mark.parametrize("compiler", arm_compilers(Cpu("cortex-m7")), ids=str)
def test_every_compiler_takes_the_firmware_without_a_warning(tmp_path: Path, compiler: Compiler) -> None:
    assert "-Werror" in STRICT
    built = build_firmware(tiny.FOLDER, STM32H747, tmp_path / "firmware.elf", compiler=compiler)
    (answer,) = boot(built).request(SYNC)
    assert number(answer, 10, 1) == 0x0301


@pytest.mark.parametrize("part", list(PARTS))
def test_the_banner_says_virtual_and_how_time_is_meant(firmware: Callable[[str], Path], part: str) -> None:
    text = Machine(find_part(part), read_program(firmware(part))).boot().decode("ascii")
    assert "VIRTUAL" in text
    assert f"at {find_part(part).clock_hz // 10**6} MHz, assumed 1 instruction per cycle" in text
    assert text.endswith("READY to receive a CMD from the HOST...\r\nProtocol version = 3.1\r\n")


def test_synchronization_as_in_the_specification(host: Host) -> None:
    sent = host.machine.feed(bytes.fromhex("0b0a08011000180022002800") + bytes(21))
    assert len(sent) == 33
    assert sent[0] == 0x80 | len(wire.body(sent))
    message = wire.body(sent)
    assert (number(message, 1), number(message, 2), number(message, 10, 1), number(message, 10, 4)) == (1, 0, 0x0301, 1 | 1 << 24)


@pytest.mark.parametrize("part", [STM32H747, STM32F405], ids=lambda part: part.name)
def test_the_system_is_the_part(firmware: Callable[[str], Path], part: Part) -> None:
    (answer,) = boot(firmware(part.name), part.name).request(SYSTEM)
    assert [number(answer, 11, field) for field in (1, 2, 3, 4)] == [part.device_id, part.clock_hz, part.bus_hz, part.series << 24]


def test_the_model_is_described_and_said_to_be_virtual(host: Host) -> None:
    (answer,) = host.request(MODEL)
    assert content(answer, 22, 1) == b"network"
    assert content(answer, 22, 3) == tiny.SIGNATURE.encode()
    assert content(answer, 22, 20) == b"VIRTUAL stm32h747 at 400 MHz, assumed 1 instruction per cycle"
    assert [number(answer, 22, field) for field in (7, 8, 10, 12, 14, 16)] == [8192, 2, 1, 1, 1, 1]
    assert [number(answer, 22, 11, field) for field in (2, 3, 7)] == [0x00040440, 768, 128]
    assert struct.unpack("<f", content(answer, 22, 11, 6)) == (0.0078125,)
    described = wire.find(answer, 22, 11)
    assert described is not None
    inside = wire.fields(answer, described.start, described.end)
    dims = [wire.varint(answer, field.start)[0] for field in inside if field.number == 5]
    assert dims == [1, 16, 16, 3]


@pytest.mark.parametrize("command", [2, 12, 20, 21, 22, 30, 100, 200])
def test_other_commands_and_models_are_refused(host: Host, command: int) -> None:
    for answers in (host.request(command), host.request(MODEL, 1), host.request(RUN, 1, "other"), host.request(RUN, 1, "networks")):
        (answer,) = answers
        assert [number(answer, 2), number(answer, 12, 1), number(answer, 12, 2)] == [ERROR, 4, 4]
        assert number(answer, 1) is not None


@pytest.mark.parametrize("part", list(PARTS))
def test_a_run_gives_exact_outputs_and_counts(firmware: Callable[[str], Path], part: str) -> None:
    board = boot(firmware(part), part)
    for seed in range(3):
        node, output = infer(board, tiny.image(seed))
        cycles = number(node, 16, 6)
        assert cycles is not None and cycles > 8192
        duration = np.float32(cycles) / np.float32(find_part(part).clock_hz // 1000)
        assert content(node, 16, 4) == struct.pack("<f", duration)
        assert number(output, 2) == 3
        assert number(output, 17, 1, 9) == 0x102
        assert content(output, 17, 2, 4) == tiny.scores(tiny.image(seed)).tobytes()


def test_counts_are_exact_and_the_same_each_time(host: Host) -> None:
    first, second = (number(infer(host, tiny.image(1))[0], 16, 6) for _ in range(2))
    alone = Core(STM32H747, host.machine.core.program)
    alone.write(alone.call("network_input"), tiny.image(1).tobytes())
    before = alone.instructions
    alone.call("network_run")
    assert first == second
    # Around network_run: the call, and the way from one reading of the counter to the next.
    assert first is not None
    assert 0 < first - (alone.instructions - before) < 20


def test_layers_are_told_with_and_without_their_data(host: Host) -> None:
    image = tiny.image(5)
    for mode, has_data in ((3, False), (5, True)):
        mix, mixed, score, scored, total, output = infer(host, image, mode)
        assert [content(op, 16, 1) for op in (mix, score, total)] == [b"mix", b"scores", b"network"]
        assert [number(op, 16, 2) for op in (mix, score, total)] == [1 << 24 | 0x103, 3 << 24 | 0x104, 0]
        assert [number(op, 16, 3) for op in (mix, score)] == [1, 4]
        layers = [number(op, 16, 6) or 0 for op in (mix, score)]
        assert 0 < sum(layers) <= (number(total, 16, 6) or 0)
        if has_data:
            assert content(mixed, 17, 2, 4) == tiny.mixed(image).tobytes()
            assert content(scored, 17, 2, 4) == tiny.scores(image).tobytes()
        else:
            assert [number(tensor, 17, 1, 9) for tensor in (mixed, scored)] == [0x304, 0x304]
            assert wire.find(mixed, 17, 2, 4) is not None and content(mixed, 17, 2, 4) == b""
        assert content(output, 17, 2, 4) == tiny.scores(image).tobytes()


def test_a_long_answer_comes_in_parts_of_whole_layers(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeloop.boards.virtual.machine.PART_INSTRUCTIONS", 2_000)
    host.request(RUN, 5, "network")
    host.data(tiny.image(6).tobytes())
    host.machine.take(b"\x05\x04\x08\x00\x10\x00".ljust(33, b"\0"))
    parts = []
    while host.machine.is_computing:
        parts.append(host.machine.go_on())
    parts = [part for part in parts if part]
    assert len(parts) > 1
    for part in parts:
        assert wire.find(wire.body(list(wire.pieces(part))[-1]), 17) is not None
    assert content(wire.body(list(wire.pieces(parts[-1]))[-1]), 17, 2, 4) == tiny.scores(tiny.image(6)).tobytes()


def test_performance_mode_takes_one_element_and_sends_no_output(host: Host) -> None:
    host.request(RUN, 0x209, "network")
    host.data(b"\x81")
    node, output = host.acknowledge()
    assert number(node, 16, 6)
    assert number(output, 17, 1, 9) == 0x302
    assert content(output, 17, 2, 4) == b""


def test_a_constant_input_is_filled_with_its_element(host: Host) -> None:
    host.request(RUN, 0x201, "network")
    host.data(b"\x90")
    _, output = host.acknowledge()
    assert content(output, 17, 2, 4) == tiny.scores(np.full(tiny.SHAPE, 0x90, np.uint8)).tobytes()


def test_logs_wait_for_their_acknowledgement(host: Host) -> None:
    (log,) = host.request(RUN, 0x101, "network")
    assert number(log, 2) == 1
    assert b"assumed 1 instruction per cycle" in content(log, 13, 2)
    (ready,) = host.acknowledge()
    assert number(ready, 12, 1) == 768


@pytest.mark.parametrize("size", [1, 64, 65, 767, 769, 2000])
def test_an_input_of_another_size_is_refused(host: Host, size: int) -> None:
    host.request(RUN, 1, "network")
    (answer,) = host.data(bytes(size))
    assert [number(answer, 2), number(answer, 12, 1), number(answer, 12, 2)] == [ERROR, size, 1]
    assert infer(host, tiny.image(2))


def test_a_new_request_ends_an_unfinished_run(host: Host) -> None:
    host.request(RUN, 1, "network")
    (answer,) = host.request(SYNC)
    assert number(answer, 10, 1) == 0x0301
    host.request(RUN, 1, "network")
    host.data(tiny.image(0).tobytes())
    (answer,) = host.request(SYNC)
    assert (number(answer, 1), number(answer, 10, 1)) == (host.number, 0x0301)


def test_a_message_that_stops_in_the_middle_is_given_up_when_the_host_hangs_up(host: Host) -> None:
    for part in (b"\x20", b"\x20\x80\x08" + bytes(10), b"\x20\x80\x08" + bytes(30), b"\x20\x80\x08" + bytes(31)):
        host.machine.feed(part)
        host.machine.hang_up()
        (answer,) = host.request(SYNC)
        assert number(answer, 10, 1) == 0x0301


@settings(max_examples=60)
@given(garbage=st.binary(min_size=1, max_size=300))
def test_garbage_does_no_harm(host: Host, garbage: bytes) -> None:
    host.machine.feed(garbage)
    host.machine.hang_up()
    (answer,) = host.request(SYNC)
    assert number(answer, 10, 1) == 0x0301


def test_damaged_messages_in_sound_packets_do_no_harm(host: Host) -> None:
    noise = random.Random(4)
    for _ in range(300):
        useful = noise.randint(1, 32)
        host.machine.feed(bytes([useful]) + noise.randbytes(32))
        host.machine.hang_up()
    assert content(infer(host, tiny.image(3))[1], 17, 2, 4) == tiny.scores(tiny.image(3)).tobytes()


def test_a_message_of_a_multiple_of_32_bytes_ends_with_an_empty_packet(firmware: Callable[[str], Path]) -> None:
    board = boot(firmware("stm32h747"))
    lengths = set()
    for number_of_request in (1, 200, 20_000, 3_000_000, 400_000_000):
        board.number = number_of_request
        for command, parameter in ((SYNC, 0), (SYSTEM, 0), (MODEL, 0), (MODEL, 1)):
            text = b"\x08" + wire.to_varint(number_of_request) + b"\x10" + wire.to_varint(command) + b"\x18" + bytes([parameter])
            useful = wire.to_varint(len(text) + 4) + text + b"\x22\x00\x28\x00"
            sent = board.machine.feed(bytes([len(useful)]) + useful.ljust(32, b"\0"))
            assert sent == wire.packets(wire.body(sent)) or wire.body(sent) == wire.body(wire.packets(wire.body(sent)))
            lengths.add(len(wire.body(sent)) % 32)
            if len(wire.body(sent)) % 32 == 0:
                assert sent[-33] == 0x80
    assert len(lengths) > 4


def test_a_network_that_streams_its_input_runs_while_it_comes(streaming: Path) -> None:
    board = boot(streaming)
    for seed in range(2):
        node, output = infer(board, tiny.image(seed))
        assert content(output, 17, 2, 4) == tiny.scores(tiny.image(seed)).tobytes()
        # Waiting for the host is no part of it.
        assert 8192 < (number(node, 16, 6) or 0) < 200_000
    for mode in (3, 5):
        answers = infer(board, tiny.image(7), mode)
        assert content(answers[-1], 17, 2, 4) == tiny.scores(tiny.image(7)).tobytes()
    assert content(infer(board, tiny.image(8), 5)[1], 17, 2, 4) == tiny.mixed(tiny.image(8)).tobytes()


@pytest.mark.thorough
def test_firmware_that_does_not_fit_is_not_linked(tmp_path: Path) -> None:
    for source in tiny.FOLDER.iterdir():
        (tmp_path / source.name).write_text(source.read_text().replace("float scores[SCORES + 3];", "float scores[40000];"))
    with pytest.raises(ToolchainError, match="SRAM"):
        build_firmware(tmp_path, STM32F405, tmp_path / "firmware.elf")
    assert not (tmp_path / "firmware.elf").exists()
    build_firmware(tmp_path, STM32H747, tmp_path / "firmware.elf")


def test_a_stack_that_overflows_is_a_fault(tmp_path: Path) -> None:
    for source in tiny.FOLDER.iterdir():
        deep = source.read_text().replace("    finish();\n}\n#else", "    finish();\n}\n#else", 1)
        deep = deep.replace(
            "void network_run(void)\n{\n",
            'void network_run(void)\n{\n    uint8_t deep[9000];\n    deep[0] = 1;\n    __asm__ volatile("" : : "r"(deep) : "memory");\n',
        )
        (tmp_path / source.name).write_text(deep)
    board = boot(build_firmware(tmp_path, STM32H747, tmp_path / "firmware.elf"))
    with pytest.raises(CoreFault, match="where there is no memory"):
        infer(board, tiny.image(0))


def test_a_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no generated network"):
        build_firmware(tmp_path, STM32H747, tmp_path / "firmware.elf")
