"""Executed instructions, counted at the beginning of every block of them: in C where this machine has a compiler, else here.

Both ways give equal counts; the first one is about ten times faster.
"""

import ctypes
import hashlib
import os
from collections import Counter
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from unicorn import Uc
from unicorn import unicorn_const as uc

from edgeloop.boards.virtual.cycles import Block, Executed
from edgeloop.codegen.toolchain import find_host_compiler
from edgeloop.errors import ToolchainError
from edgeloop.files import atomic_path

_HOOK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)
_ENTRIES = 1 << 16


class BlockCounter(Protocol):
    """Counts; stops the emulator before the first block that begins at or behind the limit."""

    instructions: int
    """Executed, those of the block that is being executed included."""

    def start(self, limit: int) -> None:
        """A run begins, until `instructions` reaches `limit`."""

    def has_reached_limit(self) -> bool:
        """Whether that is why the run ended."""

    def last_block(self) -> tuple[int, int] | None:
        """Address and size in bytes of the block that was executed last in this run."""

    def by_block(self) -> Counter[int]:
        """Executed instructions by the address of the block that they are in, since ever."""

    def executed(self) -> dict[Block, Executed]:
        """How often each block was executed, since ever."""


class PythonCounter:
    """Counts in Python."""

    def __init__(self, emulator: Uc) -> None:
        self.instructions = 0
        self._emulator = emulator
        self._limit = 0
        self._has_reached_limit = False
        self._last: tuple[int, int] | None = None
        self._sizes: dict[tuple[int, int], int] = {}
        self._executed: Counter[tuple[int, int]] = Counter()
        self._jumps: Counter[tuple[int, int]] = Counter()
        self._end = 0
        emulator.hook_add(uc.UC_HOOK_BLOCK, self._begin)

    def start(self, limit: int) -> None:
        """As the protocol says."""
        self._limit, self._has_reached_limit, self._last = limit, False, None

    def has_reached_limit(self) -> bool:
        """As the protocol says."""
        return self._has_reached_limit

    def last_block(self) -> tuple[int, int] | None:
        """As the protocol says."""
        return self._last

    def by_block(self) -> Counter[int]:
        """As the protocol says."""
        counts: Counter[int] = Counter()
        for (address, size), times in self._executed.items():
            counts[address] += times * self._sizes[address, size]
        return counts

    def executed(self) -> dict[Block, Executed]:
        """As the protocol says."""
        return {Block(*block): Executed(times, self._jumps[block]) for block, times in self._executed.items()}

    def _begin(self, emulator: Uc, address: int, size: int, _data: Any) -> None:
        if self.instructions >= self._limit:
            self._has_reached_limit, self._last = True, None
            emulator.emu_stop()
            return
        block = (address, size)
        count = self._sizes.get(block)
        if count is None:
            count = self._sizes[block] = len(instruction_offsets(bytes(emulator.mem_read(address, size))))
        self._executed[block] += 1
        self._jumps[block] += self._end != address
        self._last, self._end = block, address + size
        self.instructions += count


class _Block(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("instructions", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
        ("executed", ctypes.c_uint64),
        ("jumps", ctypes.c_uint64),
    )


class _State(ctypes.Structure):
    """As in block_counter.c."""

    _fields_ = (
        ("instructions", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("has_reached_limit", ctypes.c_uint32),
        ("last_address", ctypes.c_uint32),
        ("last_size", ctypes.c_uint32),
        ("used", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
        ("read_memory", ctypes.c_void_p),
        ("stop", ctypes.c_void_p),
        ("blocks", _Block * _ENTRIES),
    )


class NativeCounter:
    """Counts in C: the emulator calls it without Python in between."""

    def __init__(self, emulator: Uc, library: ctypes.CDLL) -> None:
        core = ctypes.CDLL(str(_emulator_library()))
        self._state = _State()
        self._state.read_memory = ctypes.cast(core.uc_mem_read, ctypes.c_void_p)
        self._state.stop = ctypes.cast(core.uc_emu_stop, ctypes.c_void_p)
        self._hook = ctypes.c_size_t()
        status = core.uc_hook_add(
            emulator._uch,
            ctypes.byref(self._hook),
            ctypes.c_int(uc.UC_HOOK_BLOCK),
            ctypes.cast(library.block_counter_begin, ctypes.c_void_p),
            ctypes.byref(self._state),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status != uc.UC_ERR_OK:
            raise RuntimeError(f"the emulator takes no hook: error {status}")

    @property
    def instructions(self) -> int:
        """As the protocol says."""
        return int(self._state.instructions)

    @instructions.setter
    def instructions(self, value: int) -> None:
        self._state.instructions = value

    def start(self, limit: int) -> None:
        """As the protocol says."""
        self._state.limit, self._state.has_reached_limit, self._state.last_size = limit, 0, 0

    def has_reached_limit(self) -> bool:
        """As the protocol says."""
        return bool(self._state.has_reached_limit)

    def last_block(self) -> tuple[int, int] | None:
        """As the protocol says."""
        return (self._state.last_address, self._state.last_size) if self._state.last_size else None

    def by_block(self) -> Counter[int]:
        """As the protocol says."""
        counts: Counter[int] = Counter()
        for block in self._state.blocks:
            if block.size:
                counts[block.address] += block.executed * block.instructions
        return counts

    def executed(self) -> dict[Block, Executed]:
        """As the protocol says."""
        return {Block(one.address, one.size): Executed(one.executed, one.jumps) for one in self._state.blocks if one.size}


def block_counter(emulator: Uc) -> BlockCounter:
    """The fastest counter that this machine can have."""
    library = _library()
    return PythonCounter(emulator) if library is None else NativeCounter(emulator, library)


def instruction_offsets(code: bytes) -> list[int]:
    """Thumb instructions have 4 bytes where the first halfword begins with 0b11101, 0b11110 or 0b11111, else 2."""
    offsets, place = [], 0
    while place + 1 < len(code):
        offsets.append(place)
        place += 4 if code[place + 1] >> 3 >= 0x1D else 2
    return offsets


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    """The counter in C, compiled once for this machine and this source; None where there is no compiler."""
    source = files(__package__) / "block_counter.c"
    text = source.read_bytes()
    try:
        compiler = find_host_compiler()
        name = hashlib.sha256(text + str(compiler).encode()).hexdigest()[:16]
        cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeloop" / f"block_counter_{name}.so"
        if not cached.is_file():
            with atomic_path(cached) as library:
                compiler.link_shared([Path(str(source))], library, ["-O2", "-std=c99"])
        loaded = ctypes.CDLL(str(cached))
    except (ToolchainError, OSError):
        return None
    loaded.block_counter_bytes.restype = ctypes.c_uint64
    return loaded if loaded.block_counter_bytes() == ctypes.sizeof(_State) else None


@lru_cache(maxsize=1)
def _emulator_library() -> Path:
    """The library that the package unicorn has loaded."""
    from unicorn.unicorn_py3 import unicorn

    return Path(unicorn.uclib._name)
