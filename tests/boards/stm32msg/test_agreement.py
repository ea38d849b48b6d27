"""The extension of the protocol: agreed on, tried, given up on damage, and unknown to everybody else. Firmware on its emulated part."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import serial
import tiny
from device import SIGNATURE, ScriptedDevice
from emulated_ports.protocol_emulated import EmulatedLine, lines
from matrix import first_is_short

from edgeloop.boards.stm32msg.agreement import RATES
from edgeloop.boards.stm32msg.client import BoardClient
from edgeloop.boards.stm32msg.exchange import V31, Exchange
from edgeloop.boards.stm32msg.link import RATE, Link
from edgeloop.boards.stm32msg.results import Line
from edgeloop.boards.stm32msg.run import Mode, Patience
from edgeloop.boards.virtual import wire
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.parts import STM32F405
from edgeloop.errors import BoardRefusal, BoardSilent
from edgeloop.firmware.board import boards, find_board
from edgeloop.firmware.build import build_firmware
from edgeloop.firmware.protocol.messages import Command

H747, F446 = "stm32h747i-disco", "nucleo-f446re"
QUICK = Patience(sync_s=0.4, information_s=0.4, ready_s=0.4, upload_s=0.4, inference_s=1.0, tensor_s=0.4)
LONG = 700
"""Bytes of a packet that holds data."""
BEST = {
    "b-l475e-iot01a": 2_000_000,
    "nucleo-f446re": 1_500_000,
    "nucleo-f767zi": 2_000_000,
    "nucleo-h723zg": 2_000_000,
    "nucleo-h743zi2": 2_000_000,
    "olimex-stm32-h405": 2_000_000,
    "stm32f769i-disco": 2_000_000,
    "stm32h747i-disco": 2_000_000,
}
"""The highest rate that each board's divider makes within 1 % (docs/firmware.md)."""


@pytest.fixture
def line(firmware: Callable[[str], Path]) -> Iterator[EmulatedLine]:
    """The line to an STM32H747I-DISCO, modelled strictly: bytes are garbage where both ends disagree on the rate."""
    yield from emulated(firmware, H747)


def emulated(firmware: Callable[[str], Path], name: str) -> Iterator[EmulatedLine]:
    """A board that has booted, and its line."""
    machine = Machine(find_board(name), read_program(firmware(name)))
    machine.boot()
    lines["line"] = EmulatedLine(machine)
    serial.protocol_handler_packages.append("emulated_ports")
    yield lines["line"]
    serial.protocol_handler_packages.remove("emulated_ports")


def connected(*, agrees: bool = True) -> BoardClient:
    return BoardClient("emulated://line", patience=QUICK, agrees=agrees)


def assert_runs(client: BoardClient) -> None:
    """Its results are right, with input and layers' data of several packets."""
    image = tiny.image(3)
    run = client.run(client.network(tiny.SIGNATURE), [image], Mode.PER_LAYER_WITH_DATA)
    np.testing.assert_array_equal(run.outputs[0].ravel(), tiny.scores(image))
    np.testing.assert_array_equal(run.layers[0].tensors[0].ravel(), tiny.mixed(image).ravel())


def test_the_highest_rate_is_agreed_on_and_given_back_at_the_end(line: EmulatedLine) -> None:
    with connected() as client:
        assert client.line == Line(rate=2_000_000, packet_bytes=1024, has_crc=True)
        assert line.rate == 2_000_000
        assert_runs(client)
        assert (client.disturbances.protocol_errors, client.disturbances.retries) == (0, 0)
    with connected(agrees=False) as client:
        assert client.line == Line(rate=RATE, packet_bytes=32, has_crc=False)
        assert_runs(client)
        assert client.disturbances.protocol_errors == 0


def begins_checked(content: bytes) -> bool:
    return content[0] & 0x60 == 0x40


def noisy_above(rate: int) -> Callable[[bytes, int], bytes]:
    def hand(content: bytes, now: int) -> bytes:
        is_harmed = now > rate and len(content) > 500
        return content[:300] + bytes([content[300] ^ 1]) + content[301:] if is_harmed else content

    return hand


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_rate_at_which_bytes_are_damaged_is_not_taken(line: EmulatedLine, direction: str) -> None:
    setattr(line, direction, noisy_above(1_000_000))
    with connected() as client:
        assert client.line == Line(rate=1_000_000, packet_bytes=1024, has_crc=True)
        assert_runs(client)
        assert client.disturbances.protocol_errors == 0


def test_a_rate_that_the_hosts_adapter_does_not_do_is_not_taken(line: EmulatedLine) -> None:
    line.fastest = 460_800
    with connected() as client:
        assert client.line.rate == 460_800
        assert_runs(client)


def test_a_change_of_rate_may_be_heard_as_a_byte(line: EmulatedLine) -> None:
    line.glitch = b"\0"
    with connected() as client:
        assert client.line.rate == 2_000_000
        assert_runs(client)
        assert client.disturbances.protocol_errors == 0


def test_a_line_that_carries_no_packet_of_the_extension_is_left_as_it_is(line: EmulatedLine) -> None:
    line.up = lambda content, _: b"" if begins_checked(content) else content
    with connected() as client:
        assert client.line == Line(rate=RATE, packet_bytes=32, has_crc=False)
        assert_runs(client)


class Once:
    """Harms the first long packet of the extension."""

    def __init__(self, place: str) -> None:
        self._place, self.has_struck = place, False

    def __call__(self, content: bytes, _: int) -> bytes:
        start = next((at for at, bytes_ in packets(content) if bytes_ > LONG), None)
        if self.has_struck or start is None:
            return content
        self.has_struck = True
        harmed = bytearray(content)
        end = start + wire.packet_bytes(content, start)
        place = {"mark": start, "count": start + 1, "payload": start + 100, "crc": end - 1, "lost": start + 100}[self._place]
        if self._place == "lost":
            del harmed[place]
        else:
            harmed[place] ^= 4
        return bytes(harmed)


def packets(content: bytes) -> Iterator[tuple[int, int]]:
    """Where each packet of the extension begins, and how long it is; synchronisation bytes stand between them."""
    place = 0
    while place < len(content):
        size = wire.packet_bytes(content, place) if begins_checked(content[place:]) else 1
        yield place, size
        place += size


@pytest.mark.parametrize(
    ("direction", "place"),
    first_is_short([(way, place) for way in ("up", "down") for place in ("payload", "mark", "count", "crc", "lost")]),
)
def test_damage_is_seen_and_the_run_repeated_a_rate_lower(line: EmulatedLine, direction: str, place: str) -> None:
    with connected() as client:
        hand = Once(place)
        setattr(line, direction, hand)
        assert_runs(client)
        assert hand.has_struck
        assert client.disturbances.retries == 1
        assert client.line == Line(rate=1_500_000, packet_bytes=1024, has_crc=True)


SYNC = bytes([11]) + bytes.fromhex("0a08011000180022002800").ljust(32, b"\0")


def test_after_a_host_that_was_killed_another_one_needs_one_more_synchronisation_at_most(line: EmulatedLine) -> None:
    connected()  # and never closed
    line.machine.hears_at(RATE)
    assert line.machine.feed(SYNC) == b""
    time.sleep(0.05)
    assert len(line.machine.feed(SYNC)) == 33


def test_a_board_that_hears_nothing_at_the_new_rate_goes_back_by_itself(line: EmulatedLine) -> None:
    with closing(Link("emulated://line")) as link:
        exchange = Exchange(link, V31)
        exchange.request(Command.AGREE, param=2_000_000, opt=1024)
        assert exchange.answer(1.0).agreement is not None
        time.sleep(0.6)
        exchange.request(Command.SYNC)
        assert exchange.answer(1.0).sync is not None


@pytest.mark.parametrize("name", first_is_short([F446, *sorted(set(boards()) - {F446})]))
def test_a_board_takes_the_rates_that_its_divider_makes_and_no_others(firmware: Callable[[str], Path], name: str) -> None:
    for line in emulated(firmware, name):
        strict, taken = line.machine.strict, []
        assert strict is not None
        clock = strict.tree.uart_hz(find_board(name).uart_name)
        for rate in RATES:
            divider = round(clock / rate)
            can = divider >= 16 and abs(clock / divider / rate - 1) <= 0.01
            assert agreed(rate) == can, f"{rate} of {clock} Hz"
            taken += [rate] if can else []
        assert max(taken) == BEST[name]


def agreed(rate: int) -> bool:
    """Whether the board takes the rate, is heard at it, and comes back from it."""
    with closing(Link("emulated://line")) as link:
        exchange = Exchange(link, V31)
        try:
            exchange.request(Command.AGREE, param=rate, opt=256)
            exchange.answer(1.0)
        except BoardRefusal:
            return False
        link.change(rate)
        exchange.use_checked_packets(256)
        exchange.request(Command.SYNC)
        assert exchange.answer(1.0).sync is not None
        exchange.request(Command.AGREE)
        answer = exchange.answer(1.0).agreement
        assert answer is not None and (answer.rate, answer.size) == (RATE, 32)
        return True


def test_at_another_rate_a_board_neither_hears_nor_is_heard(firmware: Callable[[str], Path]) -> None:
    """The rate is that which the host sets on the board's own pseudo-terminal."""
    with tiny.board(H747, firmware(H747)) as board:
        with pytest.raises(BoardSilent):
            BoardClient(board.pty, rate=230_400, patience=QUICK)
        with BoardClient(board.pty) as client:
            assert client.line == Line(rate=2_000_000, packet_bytes=1024, has_crc=True)
            assert_runs(client)


@pytest.mark.thorough
def test_where_memory_is_short_packets_are_smaller_and_not_the_network(firmware: Callable[[str], Path], tmp_path: Path) -> None:
    places = read_program(firmware("stm32f405")).symbols
    free = places["firmware_spare_0_end"].address - places["firmware_spare_0_begin"].address
    for source in tiny.FOLDER.iterdir():
        text = source.read_text().replace("float scores[SCORES + 3];", f"float scores[SCORES + 3 + {(free + 400) // 4}];")
        (tmp_path / source.name).write_text(text)
    elf = build_firmware(tmp_path, STM32F405, tmp_path / "firmware.elf")
    with tiny.board("stm32f405", elf) as board, BoardClient(board.pty) as client:
        assert client.line == Line(rate=2_000_000, packet_bytes=64, has_crc=True)
        assert_runs(client)
        assert client.disturbances.protocol_errors == 0


class ListeningDevice(ScriptedDevice):
    """Keeps what it is sent."""

    def __enter__(self) -> "ListeningDevice":
        self.heard = b""
        super().__enter__()
        return self

    def _read(self, count: int) -> bytes:
        read = super()._read(count)
        self.heard += read
        return read


def test_a_device_without_the_extension_is_sent_not_one_byte_of_it() -> None:
    heard = []
    for agrees in (True, False):
        with ListeningDevice() as device:
            with BoardClient(device.address, agrees=agrees) as client:
                client.run(client.network(SIGNATURE), [np.zeros((4, 4, 3), np.uint8)])
                assert client.line == Line(rate=RATE, packet_bytes=32, has_crc=False)
            heard.append(device.heard)
    assert heard[0] == heard[1]
