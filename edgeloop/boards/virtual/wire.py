"""What a device sends, taken apart and put together: synchronization bytes, packets, messages, fields.

Packets are of 33 bytes or, with the extension of docs/firmware.md, as long as what is in them; their first bytes tell them
apart. Only what changing a message on its way needs (faults.py); whoever talks to a board uses edgeloop.boards.stm32msg.
"""

from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from edgeloop.errors import BoardError

PAYLOAD_BYTES = 32
PACKET_BYTES = PAYLOAD_BYTES + 1
ASK = 0xAA
_END = 0x80
_CHECKED, _HEADER_BYTES, _CRC_BYTES = 0x40, 2, 4
_LARGEST = 1024
_TENSOR, _AGREEMENT = 17, 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """A field of a protobuf message: where its content lies, without tag and length."""

    number: int
    start: int
    end: int


def pieces(sent: bytes) -> Iterator[bytes]:
    """Synchronization bytes (one byte each) and messages (all of their packets), in order.

    Raises:
        BoardError: it is neither; the firmware is not one of ours.
    """
    place = 0
    while place < len(sent):
        start, is_last = place, False
        if sent[place] == ASK:
            place += 1
        else:
            while place < len(sent) and not is_last:
                is_last = bool(sent[place] & _END)
                place += packet_bytes(sent, place)
            place += 0 if is_last else 1
        if place > len(sent):
            raise BoardError("The firmware sent something that is no packet.", "Only a firmware from build_firmware can be served.")
        yield sent[start:place]


def packet_bytes(sent: bytes | bytearray, place: int = 0) -> int:
    """How long the packet is that begins there; 1 where too little has come to say."""
    if not sent[place] & _CHECKED:
        return PACKET_BYTES
    if place + 1 == len(sent):
        return _HEADER_BYTES
    return _HEADER_BYTES + _count(sent, place) + _CRC_BYTES


def _count(sent: bytes | bytearray, place: int) -> int:
    return (sent[place] & ~(_END | _CHECKED)) << 8 | sent[place + 1]


def end_of_tensors(sent: bytes | bytearray) -> int:
    """Where the last whole tensor ends in what a device has sent so far; 0 where there is none."""
    end = place = 0
    while place < len(sent):
        start, is_last = place, False
        while place < len(sent) and sent[place] != ASK and not is_last:
            is_last = bool(sent[place] & _END)
            place += packet_bytes(sent, place)
        if place == start:
            place += 1
        elif not is_last or place > len(sent):
            break
        elif find(body(bytes(sent[start:place])), _TENSOR) is not None:
            end = place
    return end


def body(packets: bytes) -> bytes:
    """The useful bytes of a message."""
    useful, place = bytearray(), 0
    while place < len(packets):
        if packets[place] & _CHECKED:
            begin, count = place + _HEADER_BYTES, _count(packets, place)
        else:
            begin, count = place + 1, packets[place] & ~_END
        useful += packets[begin : begin + count]
        place += packet_bytes(packets, place)
    return bytes(useful)


def packets(message: bytes, like: bytes = b"") -> bytes:
    """A message in packets, the last one (which may be empty) with the end flag; of the same kind as those of `like`."""
    is_checked = bool(like) and bool(like[0] & _CHECKED)
    size = PAYLOAD_BYTES
    if is_checked:
        size = _LARGEST if like[0] & _END else _count(like, 0)
    full = len(message) // size
    cut = [message[at * size : (at + 1) * size] for at in range(full + 1)]
    return b"".join((_checked if is_checked else _small)(part, number == full) for number, part in enumerate(cut))


def _small(part: bytes, is_last: bool) -> bytes:
    return bytes([_END | len(part) if is_last else PAYLOAD_BYTES]) + part.ljust(PAYLOAD_BYTES, b"\0")


def _checked(part: bytes, is_last: bool) -> bytes:
    content = bytes([(_END if is_last else 0) | _CHECKED | len(part) >> 8, len(part) & 0xFF]) + part
    return content + crc32(content).to_bytes(_CRC_BYTES, "big")


def is_agreement(message: bytes) -> bool:
    """Whether it is about the line itself: no answer to what a user does."""
    return find(message, _AGREEMENT) is not None


def fields(message: bytes | bytearray, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of a message, or of one that lies inside it."""
    place, end = start, len(message) if end is None else end
    while place < end:
        tag, place = varint(message, place)
        kind, begin = tag & 7, place
        if kind == _VARINT:
            _, place = varint(message, place)
        elif kind == _BYTES:
            length, begin = varint(message, place)
            place = begin + length
        else:
            place += {_FIXED64: 8, _FIXED32: 4}[kind]
        yield Field(tag >> 3, begin, place)


def find(message: bytes | bytearray, *path: int) -> Field | None:
    """The first field that a path of field numbers leads to."""
    inside: Field | None = Field(0, 0, len(message))
    for number in path:
        if inside is None:
            return None
        inside = next((field for field in fields(message, inside.start, inside.end) if field.number == number), None)
    return inside


def varint(message: bytes | bytearray, place: int) -> tuple[int, int]:
    """A base-128 number, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, place


def to_varint(value: int) -> bytes:
    """The base-128 form of a number from 0."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
