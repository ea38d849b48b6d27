"""What can happen to the bytes of a device on their way: seeded damages of recorded streams."""

from collections.abc import Callable
from random import Random

Damage = Callable[[Random, bytearray, bytes], None]
MOST_REPEATS = 400
HOSTILE = (b"\xff" * 10, b"\x80" * 12, b"\xff\xff\xff\xff\x0f", b"\x00" * 5, b"\xaa", b"\x20", b"\x80")
"""Endless and huge numbers, a request for more, headers of a full and of an empty last packet."""


def damaged(chance: Random, stream: bytes, other: bytes, packet: int) -> bytes:
    """The stream after one to four damages; `other` is one that parts may come from, `packet` the length of packets."""
    content = bytearray(stream)
    for _ in range(chance.randint(1, 4)):
        chance.choice(DAMAGES)(chance, content, other) if chance.random() < 0.6 else _packets(chance, content, packet)
    return bytes(content)


def _flip(chance: Random, content: bytearray, _other: bytes) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _overwrite(chance: Random, content: bytearray, _other: bytes) -> None:
    place, hostile = chance.randrange(len(content) + 1), chance.choice(HOSTILE)
    content[place : place + len(hostile)] = hostile


def _insert(chance: Random, content: bytearray, _other: bytes) -> None:
    place = chance.randrange(len(content) + 1)
    content[place:place] = chance.choice(HOSTILE) if chance.random() < 0.5 else chance.randbytes(chance.randint(1, 40))


def _cut(chance: Random, content: bytearray, _other: bytes) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _lose(chance: Random, content: bytearray, _other: bytes) -> None:
    place = chance.randrange(len(content) + 1)
    del content[place : place + chance.randint(1, 40)]


def _splice(chance: Random, content: bytearray, other: bytes) -> None:
    content[chance.randrange(len(content) + 1) :] = other[chance.randrange(len(other) + 1) :]


def _noise(chance: Random, content: bytearray, _other: bytes) -> None:
    content[:] = chance.randbytes(chance.randint(0, 400))


DAMAGES: tuple[Damage, ...] = (_flip, _flip, _flip, _overwrite, _insert, _cut, _lose, _splice, _noise)


def _packets(chance: Random, content: bytearray, packet: int) -> None:
    """Whole packets are lost, swapped, doubled, or repeated very often; or a header changes."""
    places = range(0, max(1, len(content) - packet + 1), packet)
    place, target = chance.choice(places), chance.choice(places)
    one = bytes(content[place : place + packet])
    match chance.randrange(5):
        case 0:
            del content[place : place + packet]
        case 1:
            content[place : place + packet] = content[target : target + packet]
        case 2:
            content[place:place] = one
        case 3:
            content[place:place] = one * chance.randint(2, MOST_REPEATS)
        case _:
            content[place : place + 1] = bytes([chance.choice((0, 0x1F, 0x20, 0x21, 0x7F, 0x80, 0x9F, 0xA0, 0xFF))])
