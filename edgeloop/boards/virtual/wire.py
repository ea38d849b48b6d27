"""What a device sends, taken apart and put together: synchronization bytes, packets of 33 bytes, messages, fields.

Only what changing a message on its way needs (faults.py); whoever talks to a board uses edgeloop.boards.stm32msg.
"""

from collections.abc import Iterator
from typing import NamedTuple

from edgeloop.errors import BoardError

PAYLOAD_BYTES = 32
PACKET_BYTES = PAYLOAD_BYTES + 1
ASK = 0xAA
_END = 0x80
_TENSOR = 17
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
        start = place
        if sent[place] == ASK:
            place += 1
        else:
            while place < len(sent) and not sent[place] & _END:
                place += PACKET_BYTES
            place += PACKET_BYTES
        if place > len(sent):
            raise BoardError("The firmware sent something that is no packet.", "Only a firmware from build_firmware can be served.")
        yield sent[start:place]


def end_of_tensors(sent: bytes | bytearray) -> int:
    """Where the last whole tensor ends in what a device has sent so far; 0 where there is none."""
    end = place = 0
    while place < len(sent):
        start = place
        while place < len(sent) and sent[place] != ASK and not sent[place] & _END:
            place += PACKET_BYTES
        if place >= len(sent):
            break
        place += 1 if sent[place] == ASK else PACKET_BYTES
        if place - start >= PACKET_BYTES and place <= len(sent) and find(body(bytes(sent[start:place])), _TENSOR) is not None:
            end = place
    return end


def body(packets: bytes) -> bytes:
    """The useful bytes of a message."""
    headers = range(0, len(packets), PACKET_BYTES)
    return b"".join(packets[at + 1 : at + 1 + (packets[at] & ~_END)] for at in headers)


def packets(message: bytes) -> bytes:
    """A message in packets, the last one (which may be empty) with the end flag."""
    cut = [message[at : at + PAYLOAD_BYTES] for at in range(0, len(message) // PAYLOAD_BYTES * PAYLOAD_BYTES, PAYLOAD_BYTES)]
    rest = message[len(cut) * PAYLOAD_BYTES :]
    return b"".join(bytes([PAYLOAD_BYTES]) + part for part in cut) + bytes([_END | len(rest)]) + rest.ljust(PAYLOAD_BYTES, b"\0")


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
