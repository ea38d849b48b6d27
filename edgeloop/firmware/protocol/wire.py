"""Protobuf (proto2) messages as frozen dataclasses: an exact codec for the few wire types that the protocol uses.

What a device sends is not trusted, and no field of it may be made up by a damaged packet: a field that is unknown, there
twice, out of its range or missing ends in a ProtocolError, where a lenient decoder would skip it.
Encoding: https://protobuf.dev/programming-guides/encoding/.
"""

import struct
from collections.abc import Iterator
from dataclasses import Field, dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_type_hints

from edgeloop.errors import ProtocolError

Kind = Literal["uint32", "uint64", "int32", "float", "string", "bytes", "message"]
VARINT, FIXED32, LENGTH = 0, 5, 2
WIRE_TYPES: dict[Kind, int] = {
    "uint32": VARINT,
    "uint64": VARINT,
    "int32": VARINT,
    "float": FIXED32,
    "string": LENGTH,
    "bytes": LENGTH,
    "message": LENGTH,
}
MOST_VARINT_BYTES = 10
MOST_REPEATED = 4096
"""The most elements of one repeated field; the longest in use are the dimensions and the counters."""
WORD = 1 << 64


class DataclassLike(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Message = TypeVar("Message", bound=DataclassLike)


@dataclass(frozen=True)
class Slot:
    """How one attribute lies on the wire."""

    number: int
    kind: Kind
    presence: Literal["required", "optional", "repeated"]
    message: type[DataclassLike] | None = None


def required(number: int, kind: Kind, message: type[DataclassLike] | None = None) -> Slot:
    """Annotates a field that is always sent."""
    return Slot(number, kind, "required", message)


def optional(number: int, message: type[DataclassLike]) -> Slot:
    """Annotates a member of a oneof: None where another one was sent."""
    return Slot(number, "message", "optional", message)


def repeated(number: int, kind: Kind, message: type[DataclassLike] | None = None) -> Slot:
    """Annotates a tuple: one tag for each element (not packed)."""
    return Slot(number, kind, "repeated", message)


def encode(message: DataclassLike) -> bytes:
    """The bytes of a message, fields in the order of their numbers, required ones with value 0 included."""
    encoded = bytearray()
    for name, slot in _slots(type(message)).values():
        value = getattr(message, name)
        for element in value if slot.presence == "repeated" else () if value is None else (value,):
            encoded += varint(slot.number << 3 | WIRE_TYPES[slot.kind]) + _encoded(slot, element)
    return bytes(encoded)


def decode(kind: type[Message], content: bytes | memoryview) -> Message:
    """The message that the bytes are.

    Raises:
        ProtocolError: they are no such message.
    """
    slots, found = _slots(kind), dict[str, Any]()
    for number, wire_type, stored in _elements(memoryview(content), kind.__name__):
        if number not in slots:
            raise _damaged(kind.__name__, f"has a field {number} that does not exist")
        name, slot = slots[number]
        if wire_type != WIRE_TYPES[slot.kind]:
            raise _damaged(kind.__name__, f"has the field {name} in the wire type {wire_type}")
        value = _decoded(slot, stored, f"{kind.__name__}.{name}")
        if slot.presence == "repeated":
            if len(elements := found.setdefault(name, [])) == MOST_REPEATED:
                raise _damaged(kind.__name__, f"has more than {MOST_REPEATED} elements in the field {name}")
            elements.append(value)
        elif name in found:
            raise _damaged(kind.__name__, f"has the field {name} twice")
        else:
            found[name] = value
    missing = [name for name, slot in slots.values() if slot.presence == "required" and name not in found]
    if missing:
        raise _damaged(kind.__name__, f"lacks {', '.join(missing)}")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})


def numbers(kind: type[DataclassLike]) -> dict[str, int]:
    """The field number of each attribute of a message."""
    return {name: number for number, (name, _) in _slots(kind).items()}


def varint(value: int) -> bytes:
    """Base-128, least significant group first; negative numbers as 64 bits."""
    rest, groups = value % WORD, bytearray()
    while rest >= 0x80:
        groups.append(rest & 0x7F | 0x80)
        rest >>= 7
    groups.append(rest)
    return bytes(groups)


def delimited(content: bytes) -> bytes:
    """A message behind its length."""
    return varint(len(content)) + content


@cache
def _slots(kind: type[DataclassLike]) -> dict[int, tuple[str, Slot]]:
    declared: dict[str, Slot] = {name: hint.__metadata__[0] for name, hint in get_type_hints(kind, include_extras=True).items()}
    return {slot.number: (name, slot) for name, slot in sorted(declared.items(), key=lambda pair: pair[1].number)}


def _encoded(slot: Slot, value: Any) -> bytes:
    if slot.kind == "message":
        return delimited(encode(value))
    if slot.kind == "float":
        return struct.pack("<f", value)
    if slot.kind in ("string", "bytes"):
        return delimited(value.encode() if slot.kind == "string" else bytes(value))
    return varint(value)


def _elements(content: memoryview, name: str) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and what is stored, of each element in turn."""
    place = 0
    while place < len(content):
        tag, place = _read_varint(content, place, name)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, place = _read_varint(content, place, name)
            yield number, wire_type, value
            continue
        if wire_type not in (FIXED32, LENGTH):
            raise _damaged(name, f"has a field {number} of the wire type {wire_type}")
        size, place = (4, place) if wire_type == FIXED32 else _read_varint(content, place, name)
        if size > len(content) - place:
            raise _damaged(name, f"ends within its field {number}")
        yield number, wire_type, content[place : place + size]
        place += size


def _read_varint(content: memoryview, place: int, name: str) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(content[place : place + MOST_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, place + count + 1
    raise _damaged(name, "has a number without an end")


def _decoded(slot: Slot, stored: int | memoryview, name: str) -> Any:
    if isinstance(stored, int):
        return _integer(slot.kind, stored, name)
    if slot.message is not None:
        return decode(slot.message, stored)
    if slot.kind == "float":
        return struct.unpack("<f", stored)[0]
    if slot.kind == "bytes":
        return bytes(stored)
    try:
        return bytes(stored).decode()
    except UnicodeDecodeError:
        raise _damaged(name, "is no text") from None


def _integer(kind: Kind, stored: int, name: str) -> int:
    if kind == "int32" and WORD - (1 << 31) <= stored < WORD:
        return stored - WORD
    limit = {"uint32": 1 << 32, "uint64": WORD, "int32": 1 << 31}[kind]
    if stored >= limit:
        raise _damaged(name, f"is {stored}, which is no {kind}")
    return stored


def _damaged(name: str, what: str) -> ProtocolError:
    return ProtocolError(
        f"The board sent a damaged message: {name} {what}.", "Check the cable and the port's rate, and that one program uses it."
    )
