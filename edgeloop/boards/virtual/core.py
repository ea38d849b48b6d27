"""An emulated Cortex-M with the memories of a real part: runs a program from its reset vector, or one function of it.

Every executed instruction is counted, exactly (docs/virtual-board.md says what counts as one); the emulator is unicorn.
"""

import struct
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from unicorn import Uc, UcError
from unicorn import arm_const as arm
from unicorn import unicorn_const as uc

from edgeloop.boards.virtual.counting import block_counter, instruction_offsets
from edgeloop.boards.virtual.cycles import Block, Executed
from edgeloop.boards.virtual.elf import Program, Symbol
from edgeloop.boards.virtual.parts import Part, Region
from edgeloop.deadline import Deadline
from edgeloop.errors import BoardError, CoreFault

SLICE_INSTRUCTIONS = 1_000_000
"""How many are executed before the deadline is looked at: a second's worth at the very most (blocks of one instruction)."""
DEADLINE_S = 60.0
CALL_LIMIT = 2_000_000_000

_MODELS = {"cortex-m4": arm.UC_CPU_ARM_CORTEX_M4, "cortex-m7": arm.UC_CPU_ARM_CORTEX_M7}
_ARGUMENTS = (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3)
_RETURN = Region("RETURN", 0x9000_0000, 0x1000, writable=False)
"""Where a called function returns to: memory that no part has."""
_NEVER = 0xFFFF_FFFE
_ACCESSES = {
    uc.UC_MEM_READ_UNMAPPED: "reads from",
    uc.UC_MEM_WRITE_UNMAPPED: "writes to",
    uc.UC_MEM_FETCH_UNMAPPED: "jumps to",
    uc.UC_MEM_READ_PROT: "reads from",
    uc.UC_MEM_WRITE_PROT: "writes to",
    uc.UC_MEM_FETCH_PROT: "jumps to",
}


class Stop(Enum):
    """Why a run came back."""

    RETURNED = auto()
    """The called function is done."""
    ASKED = auto()
    """A peripheral asked for it, e.g. a serial port that is polled and has nothing."""
    LIMIT = auto()
    """As many instructions as were allowed have been executed."""


class Core:
    """One emulated core with its memories and a program in them.

    `instructions` counts all that were executed since the last `reset`; a reading inside a peripheral's function includes
    the whole block of instructions that the access belongs to.
    """

    def __init__(self, part: Part, program: Program) -> None:
        """Load `program`.

        Raises:
            BoardError: it does not fit into the part's memories, or the part's core is unknown to the emulator.
        """
        if part.core not in _MODELS:
            raise BoardError(f"The emulator has no {part.core}.", f"Known cores: {', '.join(_MODELS)}.")
        self.part = part
        self.program = program
        self._taken_back: Counter[int] = Counter()
        self._fault: tuple[int, int, int] | None = None
        self._stop: Stop | None = None
        self._broken: str | None = None
        self._hidden: set[tuple[int, int]] = set()
        self._at = 0
        self._uc = Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(_MODELS[part.core])
        for region in (*part.regions, _RETURN):
            self._uc.mem_map(region.start, region.size, _permissions(region))
        self._counter = block_counter(self._uc)
        self._uc.hook_add(uc.UC_HOOK_MEM_UNMAPPED | uc.UC_HOOK_MEM_PROT, self._on_fault)
        self._load()

    @property
    def instructions(self) -> int:
        """Executed since the last `reset`."""
        return self._counter.instructions

    def reset(self) -> None:
        """Start over as after power-up: variables' memory is cleared, the stack pointer and the entry come from the vector table.

        Raises:
            BoardError: the program has no vector table at the beginning of the flash memory.
        """
        for region in self.part.memories:
            self._uc.mem_write(region.start, bytes(region.size))
        self._load()
        self._counter.instructions = 0
        stack, entry = struct.unpack("<II", self.read(self.part.flash.start, 8))
        if not entry & 1 or not self.part.flash.start <= entry < self.part.flash.end:
            raise BoardError(
                f"The program has no vector table for {self.part.title}: its reset vector is {entry:#010x}.",
                f"Link it for flash memory at {self.part.flash.start:#010x}.",
            )
        self._uc.reg_write(arm.UC_ARM_REG_SP, stack)
        self._at = entry & ~1

    def run(self, limit: int, deadline_s: float = DEADLINE_S) -> Stop:
        """Go on from where the core is, until `limit` more instructions are executed (and the block that they end in).

        Raises:
            CoreFault: the program did what faults on the real part.
            BoardError: it was not done by the deadline.
        """
        return self._run(_NEVER, self.instructions + limit, Deadline.after(deadline_s))

    def call(self, function: str, *arguments: int, limit: int = CALL_LIMIT, deadline_s: float = DEADLINE_S) -> int:
        """Call one function by the C calling convention (integers and pointers only), and give what it returns in r0.

        Its stack is the part's stack memory as a whole. Variables have the values that the file loads; nothing clears or
        copies them.

        Raises:
            BoardError: there is no such function, or it is not done within `limit` instructions and `deadline_s`.
            CoreFault: it did what faults on the real part.
        """
        symbol = self._function(function)
        stack = self.part.memory(self.part.stack).end
        for register, value in zip(_ARGUMENTS, arguments, strict=False):
            self._uc.reg_write(register, value & 0xFFFF_FFFF)
        rest = [value & 0xFFFF_FFFF for value in arguments[len(_ARGUMENTS) :]]
        stack -= (4 * len(rest) + 7) // 8 * 8
        self.write(stack, struct.pack(f"<{len(rest)}I", *rest))
        self._uc.reg_write(arm.UC_ARM_REG_SP, stack)
        self._uc.reg_write(arm.UC_ARM_REG_LR, _RETURN.start | 1)
        self._at = symbol.address
        stop = self._run(_RETURN.start, self.instructions + limit, Deadline.after(deadline_s))
        if stop is not Stop.RETURNED:
            raise BoardError(f"{function} was not done after {limit} instructions.", "It may hang; else allow more instructions.")
        return int(self._uc.reg_read(arm.UC_ARM_REG_R0))

    def stop(self) -> None:
        """From a peripheral's function: leave the run. The access that was under way is repeated when it goes on."""
        self._stop = Stop.ASKED
        self._uc.emu_stop()

    def fail(self, what: str) -> None:
        """From a peripheral's function: the program has done what the part does not take. The run ends as a CoreFault."""
        self._broken = self._broken or what
        self._uc.emu_stop()

    def show(self, start: int, size: int, is_there: bool) -> None:
        """Memory that answers only while it has a clock: whole pages of one of the part's memories."""
        if is_there == ((start, size) in self._hidden):
            (self._hidden.discard if is_there else self._hidden.add)((start, size))
            self._uc.mem_protect(start, size, uc.UC_PROT_ALL if is_there else uc.UC_PROT_NONE)

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the part's memory.

        Raises:
            BoardError: not all of them are in it.
        """
        try:
            return bytes(self._uc.mem_read(address, size))
        except UcError as error:
            raise BoardError(f"{self.part.title} has no memory at {address:#010x}, {size} bytes.", _memories(self.part)) from error

    def write(self, address: int, content: bytes) -> None:
        """Put bytes into the part's memory, flash memory included.

        Raises:
            BoardError: not all of them fit.
        """
        try:
            self._uc.mem_write(address, content)
        except UcError as error:
            raise BoardError(f"{self.part.title} has no memory at {address:#010x}, {len(content)} bytes.", _memories(self.part)) from error

    def add_peripheral(self, start: int, size: int, read: Callable[[int, int], int], write: Callable[[int, int, int], None]) -> None:
        """Map registers: `read(offset, size)` gives a value, `write(offset, size, value)` takes one."""

        def on_read(_uc: Uc, offset: int, width: int, _data: Any) -> int:
            return read(offset, width)

        def on_write(_uc: Uc, offset: int, width: int, value: int, _data: Any) -> None:
            write(offset, width, value)

        self._uc.mmio_map(start, size, on_read, None, on_write, None)

    def executed(self) -> dict[Block, Executed]:
        """How often each block of instructions was executed, since the core was made: what `estimated_cycles` takes."""
        return self._counter.executed()

    def profile(self) -> dict[str, int]:
        """Executed instructions by function, most first, since the core was made."""
        functions: Counter[str] = Counter()
        blocks = self._counter.by_block()
        blocks.subtract(self._taken_back)
        for address, count in blocks.items():
            symbol = self.program.function_at(address)
            functions[symbol.name if symbol else ""] += count
        return dict(functions.most_common())

    def _load(self) -> None:
        for segment in self.program.segments:
            inside = [r for r in self.part.regions if r.start <= segment.address and segment.address + len(segment.content) <= r.end]
            if not inside:
                what = f"{len(segment.content)} bytes at {segment.address:#010x} do not fit into {self.part.title}."
                raise BoardError(what, _memories(self.part))
            self._uc.mem_write(segment.address, segment.content)

    def _function(self, name: str) -> Symbol:
        symbol = self.program.symbols.get(name)
        if symbol is None or not symbol.is_function:
            raise BoardError(f"The program has no function {name}.", "Give the name as the linker sees it.")
        return symbol

    def _run(self, until: int, limit: int, deadline: Deadline) -> Stop:
        while True:
            self._counter.start(min(limit, self.instructions + SLICE_INSTRUCTIONS))
            stop = self._slice(until)
            if stop is not Stop.LIMIT or self.instructions >= limit:
                return stop
            if deadline.is_over:
                where = self.program.nearest(self._at)
                what = f"The emulated {self.part.title} was still in {where or hex(self._at)} at its deadline."
                raise BoardError(what, "It may hang; else allow more time.")

    def _slice(self, until: int) -> Stop:
        self._stop, self._fault, self._broken = None, None, None
        try:
            self._uc.emu_start(self._at | 1, until)
        except UcError as error:
            raise self._typed(error) from error
        self._at = int(self._uc.reg_read(arm.UC_ARM_REG_PC))
        if self._broken is not None:
            raise self._rule_broken(self._broken)
        if self._counter.has_reached_limit():
            return Stop.LIMIT
        if self._stop is None:
            return Stop.RETURNED
        self._take_back()
        return self._stop

    def _take_back(self) -> None:
        """A stop inside a block leaves its rest for later, but all of it was counted when it began."""
        block = self._counter.last_block()
        if block is not None and block[0] <= self._at < sum(block):
            rest = len(instruction_offsets(self.read(self._at, sum(block) - self._at)))
            self._counter.instructions -= rest
            self._taken_back[block[0]] += rest

    def _on_fault(self, _uc: Uc, access: int, address: int, size: int, _value: int, _data: Any) -> bool:
        self._fault = (access, address, size)
        return False

    def _rule_broken(self, what: str) -> CoreFault:
        where = f"{self._at:#010x} ({self.program.nearest(self._at) or 'no function'})"
        return CoreFault(f"{self.part.title}: {what}.", f"The program was at {where}.", self._at)

    def _typed(self, error: UcError) -> CoreFault:
        counter = int(self._uc.reg_read(arm.UC_ARM_REG_PC))
        where = f"{counter:#010x} ({self.program.nearest(counter) or 'no function'})"
        if self._fault is None:
            what = f"The program on the emulated {self.part.title} faults at {where}: {error}."
            return CoreFault(what, "An undefined instruction, a breakpoint or an exception without a handler.", counter)
        access, address, size = self._fault
        memory = next((r.name for r in self.part.regions if r.start <= address < r.end), None)
        is_hidden = any(start <= address < start + size for start, size in self._hidden)
        state = "which has no clock" if is_hidden else "where there is no memory"
        state = f"which is in {memory} and cannot be written" if memory and not is_hidden else state
        what = f"The program on the emulated {self.part.title} {_ACCESSES.get(access, 'accesses')} {address:#010x}, {size} bytes, {state}."
        return CoreFault(what, f"It was at {where}. {_memories(self.part)}", counter, address)


def _permissions(region: Region) -> int:
    return int(uc.UC_PROT_ALL if region.writable else uc.UC_PROT_READ | uc.UC_PROT_EXEC)


def _memories(part: Part) -> str:
    shown = ", ".join(f"{r.name} {r.start:#010x}, {r.size >> 10} KiB" for r in part.regions)
    return f"Memories of {part.title}: {shown}."
