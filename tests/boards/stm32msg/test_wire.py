"""Messages, packets and tensor descriptions on the wire, against Google's protobuf library and the specification's figures."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stm32msg_schema import schema

from edgeloop.boards.stm32msg.exchange import V31, V32
from edgeloop.boards.stm32msg.formats import tensor_form
from edgeloop.boards.stm32msg.framing import CheckedFraming, Framing
from edgeloop.errors import ProtocolError
from edgeloop.firmware.protocol.messages import Acknowledgement, Data, Operator, Request, Response, Response32, Tensor, TensorDescription
from edgeloop.firmware.protocol.wire import decode, delimited, encode

UINT32 = st.integers(0, 2**32 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
FLOAT = st.floats(width=32, allow_nan=False)
DESCRIPTIONS = st.builds(
    TensorDescription,
    name=st.text(max_size=20),
    format=UINT32,
    size=UINT32,
    n_dims=UINT32,
    dims=st.lists(UINT32, max_size=5).map(tuple),
    scale=FLOAT,
    zeropoint=INT32,
    addr=UINT32,
    flags=UINT32,
)
DATAS = st.builds(Data, type=UINT32, size=UINT32, addr=UINT32, datas=st.binary(max_size=100))
OPERATORS = st.builds(
    Operator,
    name=st.text(max_size=20),
    type=UINT32,
    id=UINT32,
    duration=FLOAT,
    counter_type=UINT32,
    counters=st.lists(UINT32, max_size=6).map(tuple),
    stack_used=INT32,
    heap_used=INT32,
)
RESPONSES = st.one_of(
    st.builds(Response, reqid=UINT32, state=UINT32, op=OPERATORS),
    st.builds(Response, reqid=UINT32, state=UINT32, tensor=st.builds(Tensor, desc=DESCRIPTIONS, data=DATAS)),
    st.builds(Response, reqid=UINT32, state=UINT32, ack=st.builds(Acknowledgement, param=UINT32, error=UINT32)),
)


def test_a_request_is_the_specifications_example() -> None:
    stored = delimited(encode(Request(reqid=1, cmd=0, param=0, name="", opt=0)))
    (packet,) = V31.framing.packets(stored)
    assert packet == bytes.fromhex("0b 0a 08 01 10 00 18 00 22 00 28 00") + bytes(21)


@given(RESPONSES)
def test_messages_are_the_same_to_googles_library_both_ways(response: Response) -> None:
    stored = encode(response)
    parsed = schema("3.1")["respMsg"].FromString(stored)
    assert parsed.SerializeToString() == stored
    assert decode(Response, stored) == response


@given(st.binary(max_size=300), st.sampled_from([Response, Response32]))
def test_any_bytes_are_a_message_or_a_protocol_error(stored: bytes, kind: type[Response]) -> None:
    try:
        decode(kind, stored)
    except ProtocolError:
        return


@given(RESPONSES, st.data())
def test_a_damaged_message_never_counts_as_more_than_googles_library_takes(response: Response, data: st.DataObject) -> None:
    stored = bytearray(encode(response))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(Response, bytes(stored))
    except ProtocolError:
        return
    schema("3.1")["respMsg"].FromString(bytes(stored))
    assert decode(Response, encode(found)) == found


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ("08 01", "lacks state"),
        ("08 01 10 00 08 01", "has the field reqid twice"),
        ("08 01 10 00 18 01", "has a field 3 that does not exist"),
        ("0d 01 00 00 00 10 00", "in the wire type 5"),
        ("08 80 80 80 80 10 10 00", "is 4294967296, which is no uint32"),
        ("08 01 10 ff", "has a number without an end"),
        ("08 01 10 00 62 7f 08", "ends within its field 12"),
        ("0b", "wire type 3"),
    ],
)
def test_a_damaged_message_says_what_is_wrong_with_it(stored: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        decode(Response, bytes.fromhex(stored))


@given(st.binary(max_size=200), st.sampled_from([Framing(1), Framing(2), Framing(2, 100)]))
def test_packets_to_the_device_hold_the_message(message: bytes, framing: Framing) -> None:
    packets = list(framing.packets(message))
    assert all(len(packet) == framing.wire_bytes for packet in packets)
    useful = [packet[framing.header_bytes :][: int.from_bytes(packet[: framing.header_bytes], "big")] for packet in packets]
    assert b"".join(useful) == message


@pytest.mark.parametrize(("framing", "size"), [(V31.framing, 33), (V32.framing, 34)])
def test_an_empty_last_packet_is_one(framing: Framing, size: int) -> None:
    last = framing.end_flag.to_bytes(framing.header_bytes, "big")
    assert framing.wire_bytes == size
    assert framing.useful(last.ljust(size, b"x")) == (b"", True)


@pytest.mark.parametrize("header", [0x00, 0x1F, 0x21, 0x7F, 0xA0, 0xAA, 0xFF])
def test_a_header_that_no_device_sends_is_refused(header: int) -> None:
    with pytest.raises(ProtocolError, match=f"0x{header:02x}"):
        V31.framing.useful(bytes([header]) + bytes(32))


def described(**changes: Any) -> TensorDescription:
    known: dict[str, Any] = {
        "name": "x", "format": 0x00840440, "size": 12, "n_dims": 4, "dims": (1, 2, 2, 3), "scale": 0.5, "zeropoint": -3,
        "addr": 0, "flags": 1,
    }  # fmt: skip
    return TensorDescription(**known | changes)


@pytest.mark.parametrize(
    ("word", "dtype"),
    [
        (0x00821040, "float32"), (0x01821040, "float32"), (0x00840440, "int8"), (0x00040440, "uint8"), (0x00840840, "int16"),
        (0x00040840, "uint16"), (0x00841040, "int32"), (0x00041040, "uint32"), (0x00842040, "int64"), (0x00060440, "bool"),
        (0x28840440, "int8"),
    ],
)  # fmt: skip
def test_formats_are_the_specifications(word: int, dtype: str) -> None:
    form = tensor_form(described(format=word))
    assert (form.dtype, form.stored_bytes) == (dtype, 12 * np.dtype(dtype).itemsize)


@pytest.mark.parametrize(
    ("n_dims", "dims", "shape"),
    [
        (4, (1, 2, 2, 3), (1, 2, 2, 3)),
        (5 << 24 | 1, (12,), (12,)),
        (4 << 24 | 0x60 << 24 | 4, (1, 2, 2, 3), (1, 2, 2, 3)),
        (4 << 24 | 0x20 << 24 | 3, (2, 2, 3), (1, 2, 2, 3)),
        (1 << 24 | 4, (1, 3, 2, 2), (1, 2, 2, 3)),
        (1 << 24 | 1, (12,), (1, 1, 1, 12)),
        (3 << 24 | 4, (1, 2, 2, 3), (1, 3, 2, 2)),
    ],
)
def test_shapes_are_read_as_the_specification_says(n_dims: int, dims: tuple[int, ...], shape: tuple[int, ...]) -> None:
    assert tensor_form(described(n_dims=n_dims, dims=dims)).shape == shape


@pytest.mark.parametrize(
    "change", [{"format": 0x40}, {"format": 0x00840447}, {"size": 16}, {"n_dims": 3}, {"scale": float("nan")}, {"scale": -1.0}]
)
def test_a_description_that_contradicts_itself_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="describes a tensor 'x'"):
        tensor_form(described(**change))


def test_an_array_takes_its_very_number_of_bytes() -> None:
    form = tensor_form(described(format=0x00840840))
    np.testing.assert_array_equal(form.array(bytes([1, 0] * 12)), np.ones((1, 2, 2, 3), np.int16))
    with pytest.raises(ProtocolError, match="sent 23 bytes"):
        form.array(bytes(23))


def test_a_packet_of_the_extension_is_what_its_page_says() -> None:
    framing = CheckedFraming(packet_size=64)
    (packet,) = framing.packets(b"123456789")
    assert packet[:2] == bytes.fromhex("40 09")
    assert int.from_bytes(packet[-4:], "big") == slow_crc32(packet[:-4])
    assert framing.wire_bytes_behind(from_device(b"123456789")[:2]) == 9 + 4
    assert framing.useful(from_device(b"123456789")) == (b"123456789", True)


def from_device(useful: bytes) -> bytes:
    """The last packet of a message."""
    content = (0xC000 | len(useful)).to_bytes(2, "big") + useful
    return content + slow_crc32(content).to_bytes(4, "big")


def slow_crc32(content: bytes) -> int:
    """By its definition, a bit at a time: polynomial 0x04c11db7, reflected."""
    crc = 0xFFFF_FFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB8_8320 if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


def test_no_single_bit_of_a_packet_of_the_extension_can_turn_over_unseen() -> None:
    framing = CheckedFraming(packet_size=64)
    sealed = from_device(b"123456789")
    for place in range(8 * len(sealed)):
        damaged = bytearray(sealed)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(ProtocolError):
            framing.wire_bytes_behind(bytes(damaged[:2]))
            framing.useful(bytes(damaged))
