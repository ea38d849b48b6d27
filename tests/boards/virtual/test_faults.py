"""Faults on the wire: what each does to the bytes, and when."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.boards.stm32msg.framing import CheckedFraming
from edgeloop.boards.virtual import wire
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.faults import Fault, FaultKind, FaultyWire, parse_fault
from edgeloop.boards.virtual.machine import Machine
from edgeloop.boards.virtual.parts import STM32H747
from edgeloop.errors import InputError

SYNC = bytes([11]) + bytes.fromhex("0a08011000180022002800").ljust(32, b"\0")
MODEL = bytes([11]) + bytes.fromhex("0a0801100a180022002800").ljust(32, b"\0")


@pytest.fixture(scope="module")
def machine(firmware: Callable[[str], Path]) -> Machine:
    booted = Machine(STM32H747, read_program(firmware("stm32h747")))
    booted.boot()
    return booted


def carried(machine: Machine, sent: bytes, *faults: str) -> bytes:
    """The bytes that come through."""
    deliveries = FaultyWire([parse_fault(text) for text in faults], machine.boot).carry(sent)
    return b"".join(delivery.content for delivery in deliveries)


@pytest.fixture(scope="module")
def answer(machine: Machine) -> bytes:
    """The answer to a SYNC."""
    return machine.feed(SYNC)


def test_without_faults_everything_comes_through(machine: Machine, answer: bytes) -> None:
    assert carried(machine, answer) == answer
    assert carried(machine, b"\xaa" + answer, "silence:after=1") == b"\xaa" + answer


def test_silence(machine: Machine, answer: bytes) -> None:
    assert carried(machine, answer + answer, "silence") == answer
    assert carried(machine, answer + b"\xaa" + answer, "silence:times=0") == b""


def test_garbage_has_the_same_length_and_is_none_of_it(machine: Machine, answer: bytes) -> None:
    garbage = carried(machine, answer, "garbage")
    assert len(garbage) == len(answer)
    assert garbage != answer


def test_truncated_and_duplicated(machine: Machine, answer: bytes) -> None:
    assert carried(machine, answer, "truncated") == answer[:13]
    assert carried(machine, answer, "duplicated") == answer + answer


def test_another_request_number(machine: Machine, answer: bytes) -> None:
    changed = wire.body(carried(machine, answer, "wrong-reqid"))
    assert wire.varint(changed, 1)[0] == 1001
    assert changed[3:] == wire.body(answer)[2:]


def test_slow(machine: Machine, answer: bytes) -> None:
    (delivery,) = FaultyWire([parse_fault("slow:seconds=0.25")], machine.boot).carry(answer)
    assert delivery == (answer, 0.25)


def test_reset_boots_anew_and_the_rest_is_lost(machine: Machine, answer: bytes) -> None:
    heard = carried(machine, answer * 3, "reset:after=1")
    assert heard.startswith(answer + b"\r\nedgeloop validation firmware")
    assert heard.endswith(b"Protocol version = 3.1\r\n")
    assert machine.feed(SYNC) == answer


def test_another_network(machine: Machine) -> None:
    sent = machine.feed(MODEL)
    changed = carried(machine, sent, "wrong-network")
    assert len(changed) == len(sent)
    field = wire.find(wire.body(sent), 22, 3)
    assert field is not None
    signature, other = (wire.body(each)[field.start : field.end].decode() for each in (sent, changed))
    assert signature == tiny.SIGNATURE
    assert other != signature and int(other, 16) >= 0
    assert carried(machine, machine.feed(SYNC), "wrong-network") == machine.feed(SYNC)


def tensor(flags: int, content: bytes) -> bytes:
    """A tensor's packets, as the firmware sends them."""
    described = b"\x48" + wire.to_varint(flags)
    data = b"\x22" + wire.to_varint(len(content)) + content
    inside = b"\x0a" + wire.to_varint(len(described)) + described + b"\x12" + wire.to_varint(len(data)) + data
    return wire.packets(b"\x08\x01\x10\x03\x8a\x01" + wire.to_varint(len(inside)) + inside)


@given(content=st.binary(min_size=1, max_size=100))
def test_another_output_differs_always_and_other_tensors_never(machine: Machine, content: bytes) -> None:
    output, internal = tensor(0x102, content), tensor(0x104, content)
    changed = carried(machine, output, "wrong-output")
    assert changed != output
    assert len(changed) == len(output)
    assert carried(machine, internal, "wrong-output") == internal


@given(message=st.binary(max_size=200))
def test_packets_of_a_message_give_it_back(message: bytes) -> None:
    packets = wire.packets(message)
    assert wire.body(packets) == message
    assert list(wire.pieces(b"\xaa" + packets + packets)) == [b"\xaa", packets, packets]


@given(message=st.binary(max_size=3000), size=st.sampled_from([64, 1024]))
def test_packets_of_the_extension_give_their_message_back(message: bytes, size: int) -> None:
    kind = wire.packets(b"", (0x4000 | size).to_bytes(2, "big"))
    packets = wire.packets(message, (0x4000 | size).to_bytes(2, "big"))
    assert wire.body(packets) == message
    assert list(wire.pieces(b"\xaa" + packets + kind + b"\xaa")) == [b"\xaa", packets, kind, b"\xaa"]
    framing, place, useful = CheckedFraming(packet_size=size), 0, b""
    while place < len(packets):
        end = place + 2 + framing.wire_bytes_behind(packets[place : place + 2])
        useful += framing.useful(packets[place:end])[0]
        place = end
    assert useful == message


def test_the_end_of_the_last_whole_tensor(answer: bytes) -> None:
    sent = b"\xaa" + answer + tensor(0x104, bytes(100)) + answer + tensor(4, b"\1" * 64)
    ends = [len(b"\xaa" + answer + tensor(0x104, bytes(100))), len(sent)]
    for size in range(len(sent) + 1):
        assert wire.end_of_tensors(sent[:size]) == max((end for end in ends if end <= size), default=0)


def test_when_a_fault_strikes() -> None:
    struck = {
        "silence": [1],
        "silence:after=2": [3],
        "silence:times=2": [1, 2],
        "silence:every=3:times=2": [1, 4],
        "silence:after=1:every=2:times=0": [2, 4, 6],
        "wrong-output": [1, 2, 3, 4, 5, 6],
    }
    for text, numbers in struck.items():
        fault = parse_fault(text)
        assert [number for number in range(1, 7) if fault.strikes(number)] == numbers


def test_faults_are_said_exactly() -> None:
    assert parse_fault("slow:after=3:seconds=0.5") == Fault(FaultKind.SLOW, after=3, seconds=0.5)
    for text in ["silense", "", "slow:seconds=-1", "slow:after=x", "slow:often=3", "garbage:every=0", "reset:times=-1", "slow:seconds=nan"]:
        with pytest.raises(InputError):
            parse_fault(text)
