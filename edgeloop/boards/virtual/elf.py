"""Programs for a 32-bit Arm core: what an ELF file says is loaded where, and its symbols.

Source: Tool Interface Standard, Executable and Linking Format 1.2; ELF for the Arm Architecture.
"""

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from edgeloop.errors import BoardError

MAX_FILE_BYTES = 64 << 20
MAX_SYMBOLS = 1 << 20
_ARM = 40
_LOAD, _SYMBOL_TABLE = 1, 2
_FUNCTION, _OBJECT, _UNTYPED = 2, 1, 0
_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SEGMENT = struct.Struct("<8I")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<IIIBBH")
_REMEDY = "Give the program that build_firmware wrote, or one that was linked for this part."


class Segment(NamedTuple):
    """Bytes that lie in a memory before the first instruction runs."""

    address: int
    content: bytes


class Symbol(NamedTuple):
    """A name and where it is; functions have their address without the Thumb bit."""

    name: str
    address: int
    size: int
    is_function: bool


@dataclass(frozen=True)
class Program:
    """A linked program."""

    segments: tuple[Segment, ...]
    symbols: dict[str, Symbol]
    _addresses: list[int] = field(default_factory=list, repr=False)
    _ordered: list[Symbol] = field(default_factory=list, repr=False)

    def nearest(self, address: int) -> str:
        """The symbol that an address lies in or behind, as `name` or `name+0x10`; empty where there is none."""
        symbol = self.function_at(address)
        if symbol is None:
            return ""
        offset = address - symbol.address
        return f"{symbol.name}+{offset:#x}" if offset else symbol.name

    def function_at(self, address: int) -> Symbol | None:
        """The last function (or, where sizes are unknown, label) that begins at or before the address."""
        place = bisect_right(self._addresses, address)
        return self._ordered[place - 1] if place else None


def read_program(path: Path) -> Program:
    """Read a linked program.

    Raises:
        BoardError: it is no ELF file of a 32-bit Arm, is damaged, or loads nothing.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BoardError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB.", _REMEDY)
        data = path.read_bytes()
    except OSError as error:
        raise BoardError(f"{path} cannot be read: {error.strerror}.", _REMEDY) from error
    try:
        return _parse(data)
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise BoardError(f"{path} is no usable program: {error}.", _REMEDY) from error


def _parse(data: bytes) -> Program:
    magic, _, machine, _, _, segments_at, sections_at, _, _, _, segments, section_size, sections, _ = _HEADER.unpack_from(data)
    if magic[:6] != b"\x7fELF\x01\x01" or machine != _ARM:
        raise ValueError("not a little-endian 32-bit ELF file for Arm")
    loaded = tuple(_segments(data, segments_at, segments))
    if not loaded:
        raise ValueError("nothing in it is loaded")
    if sections and section_size != _SECTION.size:
        raise ValueError("its section table has entries of an unknown size")
    symbols = _symbols(data, sections_at, sections)
    places = sorted({s.address: s for s in symbols if s.is_function}.values(), key=lambda symbol: symbol.address)
    return Program(loaded, {s.name: s for s in symbols}, [s.address for s in places], places)


def _segments(data: bytes, start: int, count: int) -> list[Segment]:
    loaded = []
    for number in range(count):
        kind, offset, _, address, size, *_ = _SEGMENT.unpack_from(data, start + number * _SEGMENT.size)
        if kind == _LOAD and size:
            loaded.append(Segment(address, _slice(data, offset, size)))
    return loaded


def _symbols(data: bytes, start: int, count: int) -> list[Symbol]:
    headers = [_SECTION.unpack_from(data, start + number * _SECTION.size) for number in range(count)]
    for _, kind, _, _, offset, size, link, *_ in headers:
        if kind == _SYMBOL_TABLE:
            if link >= count or size // _SYMBOL.size > MAX_SYMBOLS:
                raise ValueError("its symbol table has no names, or too many")
            names = _slice(data, headers[link][4], headers[link][5])
            return list(_named(_slice(data, offset, size // _SYMBOL.size * _SYMBOL.size), names))
    return []


def _named(table: bytes, names: bytes) -> list[Symbol]:
    found = []
    for name_at, value, size, info, _, section in _SYMBOL.iter_unpack(table):
        kind = info & 15
        if not section or kind not in (_FUNCTION, _OBJECT, _UNTYPED) or name_at >= len(names):
            continue
        name = names[name_at : names.find(b"\0", name_at)].decode()
        # $t, $d and the like mark code and data inside sections.
        if name and not name.startswith("$"):
            is_function = kind == _FUNCTION
            found.append(Symbol(name, value & ~1 if is_function else value, size, is_function))
    return found


def _slice(data: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        raise ValueError("it ends early")
    return data[offset : offset + size]
