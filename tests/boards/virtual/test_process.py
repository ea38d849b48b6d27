"""A virtual board as a process: its lines, clients that come and go, faults as a client sees them, and its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import serial
import tiny

from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.run import Mode
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.parts import STM32H747
from edgeloop.errors import BoardError

SYNC = bytes([11]) + bytes.fromhex("0a08011000180022002800").ljust(32, b"\0")


def ask(line: "serial.Serial | socket.socket", seconds: float = 5.0) -> bytes:
    """The answer to a SYNC, or what of it comes in time."""
    if isinstance(line, socket.socket):
        line.settimeout(seconds)
        line.sendall(SYNC)
        return line.recv(33)
    line.timeout = seconds
    line.write(SYNC)
    return bytes(line.read(33))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_at_rest(pid: int) -> float:
    """As `cpu_seconds`, once it has not grown for half a second: on a busy machine answering takes long."""
    deadline, before = time.monotonic() + 30, -1.0
    while (now := cpu_seconds(pid)) != before and time.monotonic() < deadline:
        before = now
        time.sleep(0.5)
    return now


def test_a_client_by_pseudo_terminal_and_then_one_by_tcp(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747"), "--tcp", "0") as board:
        assert board.tcp is not None
        for address in (board.pty, f"socket://{board.tcp}", board.pty):
            with BoardClient(address) as client:
                network = client.network(tiny.SIGNATURE)
                for seed in range(3):
                    for mode in (Mode.IO_ONLY, Mode.PER_LAYER, Mode.PER_LAYER_WITH_DATA):
                        run = client.run(network, [tiny.image(seed)], mode)
                        np.testing.assert_array_equal(run.outputs[0].ravel(), tiny.scores(tiny.image(seed)))
                np.testing.assert_array_equal(run.layers[0].tensors[0].reshape(16, 16, 4), tiny.mixed(tiny.image(2)))
                assert client.disturbances.protocol_errors == 0


def test_a_client_that_goes_in_the_middle_leaves_the_board_usable(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747"), "--tcp", "0") as board:
        assert board.tcp is not None
        host, _, port = board.tcp.partition(":")
        for _ in range(3):
            with serial.Serial(board.pty, timeout=5) as line:
                line.write(SYNC[:7])
            time.sleep(0.1)
            with socket.create_connection((host, int(port)), timeout=5) as line:
                line.sendall(SYNC + SYNC[:20])
            time.sleep(0.1)
            with serial.Serial(board.pty, timeout=5) as line:
                assert len(ask(line)) == 33


def test_a_second_client_is_turned_away_at_once(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747"), "--tcp", "0") as board:
        assert board.tcp is not None
        host, _, port = board.tcp.partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as first:
            assert len(ask(first)) == 33
            with socket.create_connection((host, int(port)), timeout=5) as second:
                assert second.recv(1) == b""
            assert len(ask(first)) == 33


def test_an_idle_board_costs_nothing(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747")) as board, serial.Serial(board.pty) as line:
        assert len(ask(line)) == 33
        before = cpu_seconds(board.process.pid)
        time.sleep(1.5)
        assert cpu_seconds(board.process.pid) - before < 0.15
        assert len(ask(line)) == 33


def test_a_client_that_reads_slowly_gets_everything_and_costs_nothing(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747")) as board, serial.Serial(board.pty, timeout=5) as line:
        sound = ask(line)
        line.write(SYNC * 2000)
        before = cpu_at_rest(board.process.pid)
        time.sleep(1.0)
        assert cpu_seconds(board.process.pid) - before < 0.15
        assert line.read(33 * 2000) == sound * 2000


def test_it_ends_when_its_standard_input_is_closed(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747")) as board:
        assert board.process.stdin is not None
        board.process.stdin.close()
        board.process.stdin = None
        assert board.process.wait(timeout=5) == 0


def test_it_ends_when_it_is_told_to(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747")) as board:
        board.process.send_signal(signal.SIGTERM)
        assert board.process.wait(timeout=5) == 0


def test_a_firmware_that_faults_ends_the_board_with_the_reason(tmp_path: Path) -> None:
    from edgeloop.firmware.build import build_firmware

    for source in tiny.FOLDER.iterdir():
        begin = "void network_run(void)\n{\n"
        text = source.read_text().replace(begin, begin + "    *(volatile uint32_t *)0x60000000u = 1;\n")
        (tmp_path / source.name).write_text(text)
    elf = build_firmware(tmp_path, STM32H747, tmp_path / "firmware.elf")
    with tiny.board("stm32h747", elf) as board:
        with pytest.raises(BoardError), BoardClient(board.pty) as client:
            client.run(client.networks()[0], [tiny.image(0)])
        assert board.process.wait(timeout=10) == 1
        assert b"writes to 0x60000000" in board.errors.read()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--part", "stm32h748"], "no virtual part"),
        (["--part", "stm32h747", "--elf", "absent.elf"], "cannot be read"),
        (["--part", "stm32h747", "--fault", "noise"], "no fault"),
        (["--part", "stm32h747", "--tcp", "99999"], "cannot be had"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(firmware: Callable[[str], Path], arguments: list[str], words: str) -> None:
    given = arguments if "--elf" in arguments else [*arguments, "--elf", str(firmware("stm32h747"))]
    command = [sys.executable, "-m", "edgeloop.boards.virtual", *given]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert words in done.stderr


@pytest.mark.parametrize("fault", ["silence", "garbage", "truncated", "duplicated", "wrong-reqid", "reset"])
def test_a_client_sees_a_fault_once_and_then_a_sound_board(firmware: Callable[[str], Path], fault: str) -> None:
    with tiny.board("stm32h747", firmware("stm32h747"), "--fault", f"{fault}:after=1") as board, serial.Serial(board.pty) as line:
        sound = ask(line)
        assert len(sound) == 33
        harmed = ask(line, 0.3) + line.read(66)
        assert harmed != sound
        line.timeout = 0.3
        line.read(1000)
        assert ask(line) == sound


def test_a_slow_answer_comes_whole_and_late(firmware: Callable[[str], Path]) -> None:
    with tiny.board("stm32h747", firmware("stm32h747"), "--fault", "slow:after=1:seconds=0.5") as board, serial.Serial(board.pty) as line:
        sound = ask(line)
        begun = time.monotonic()
        assert ask(line) == sound
        assert time.monotonic() - begun >= 0.5


def test_a_wrong_network_and_a_wrong_output_are_seen(firmware: Callable[[str], Path]) -> None:
    elf = firmware("stm32h747")
    with tiny.board("stm32h747", elf, "--fault", "wrong-network") as board, BoardClient(board.pty) as client:
        networks = client.networks()
        assert [network.signature for network in networks] != [tiny.SIGNATURE]
    with tiny.board("stm32h747", elf, "--fault", "wrong-output:after=1") as board, BoardClient(board.pty) as client:
        network = client.network(tiny.SIGNATURE)
        first, second = (client.run(network, [tiny.image(4)]).outputs[0].ravel() for _ in range(2))
        np.testing.assert_array_equal(first, tiny.scores(tiny.image(4)))
        assert not np.array_equal(second, first)


def test_bytes_are_taken_as_fast_as_promised(firmware: Callable[[str], Path]) -> None:
    machine = Machine(STM32H747, read_program(firmware("stm32h747")))
    machine.boot()
    request = bytes([18]) + bytes.fromhex("11080110 0b1801 22076e6574776f726b 2800".replace(" ", "")).ljust(32, b"\0")
    assert machine.feed(request)
    size = 1 << 17
    message = b"\x08\x00\x10\x00\x18\x00\x22" + b"\x80\x80\x08" + bytes(size)
    content = (b"\x8a\x80\x08" + message).ljust(-(-(3 + len(message)) // 32) * 32, b"\0")
    packets = [b"\x20" + content[at : at + 32] for at in range(0, len(content), 32)]
    begun = time.process_time()
    for packet in packets[:-1]:
        assert machine.feed(packet) == b"\xaa"
    rate = size / (time.process_time() - begun)
    # 300 kB/s and more on an idle machine; a busy one is allowed a third of it.
    assert rate > 100_000
