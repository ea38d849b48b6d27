"""Cycles that a Cortex-M4 would take for what the emulator has executed: an estimate, by the timings of its manual; nothing is measured.

Source: Arm DDI 0439, Cortex-M4 Technical Reference Manual, 3.3 "Instruction set summary" (its cycle counts) and 3.3.3 "Load/store
timings". The core is single-issue, so a block of instructions costs the same each time, but for the branch at its end. Assumed:
memories without wait states, aligned accesses, an empty write buffer. docs/virtual-board.md says how far off it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from capstone import CS_ARCH_ARM, CS_MODE_MCLASS, CS_MODE_THUMB, Cs, CsInsn
from capstone.arm import ARM_OP_MEM, ARM_REG_PC, ArmOpMem

METHOD = "Arm DDI 0439, table of instruction timings; no wait states, refill of the pipeline 2 cycles"
REFILL_CYCLES = 2
"""The manual's P: "the number of cycles required for a pipeline refill", 1 to 3; 3 where the target straddles two words."""
DIVIDE_CYCLES = 7
"""The manual: 2 to 12, by the operands."""

_LOADS = {"ldr", "ldrb", "ldrh", "ldrsb", "ldrsh", "ldrt", "ldrbt", "ldrht", "ldrsbt", "ldrsht"}
_STORES = {"str", "strb", "strh", "strt", "strbt", "strht"}
_MULTIPLE = {"ldm", "ldmdb", "stm", "stmdb", "push", "pop"}
_LONG = {"ldrd": 3, "strd": 3, "tbb": 3, "tbh": 3, "sdiv": DIVIDE_CYCLES, "udiv": DIVIDE_CYCLES}
"""What takes more than the one cycle of all others, apart from the refill that a jump costs."""


@dataclass(frozen=True)
class Block:
    """A run of instructions that is entered at its first one only."""

    address: int
    size: int
    """In bytes."""


@dataclass(frozen=True)
class Executed:
    """How often a block was executed, and how many of those times by a jump: not from the block before it in memory."""

    times: int = 0
    jumps: int = 0


def since(earlier: Mapping[Block, Executed], later: Mapping[Block, Executed]) -> dict[Block, Executed]:
    """What was executed between two readings."""
    before = {block: earlier.get(block, Executed()) for block in later}
    return {block: Executed(how.times - before[block].times, how.jumps - before[block].jumps) for block, how in later.items()}


def estimated_cycles(executed: Mapping[Block, Executed], read: Callable[[int, int], bytes]) -> int:
    """Cycles of a Cortex-M4 for these blocks, whose instructions `read(address, size)` gives."""
    return sum(_cost(block, read(block.address, block.size)).cycles(how) for block, how in executed.items() if how.times)


@dataclass(frozen=True)
class _Cost:
    """Cycles of one block: each time, and in addition where it is jumped to."""

    base: int
    jump: int

    def cycles(self, executed: Executed) -> int:
        return self.base * executed.times + self.jump * executed.jumps


@cache
def _cost(block: Block, code: bytes) -> _Cost:
    instructions = list(_decoder().disasm(code, block.address))
    if sum(one.size for one in instructions) != block.size:
        raise ValueError(f"{block.size} bytes at {block.address:#010x} are not all instructions of a Cortex-M4: {code.hex()}")
    if any(one.insn_name().startswith("v") for one in instructions):
        raise ValueError(f"The code at {block.address:#010x} computes in the FPU, whose timings are not in the table.")
    base = sum(map(_alone, instructions)) - sum(_overlap(*pair) for pair in pairwise(instructions))
    return _Cost(base, _refill(instructions[0]))


@cache
def _decoder() -> Cs:
    decoder = Cs(CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS)
    decoder.detail = True
    return decoder


def _alone(instruction: CsInsn) -> int:
    """Cycles of an instruction that nothing overlaps with."""
    name = instruction.insn_name()
    if name in _MULTIPLE:
        return 1 + _transferred(instruction)
    return 2 if name in _LOADS | _STORES else _LONG.get(name, 1)


def _overlap(first: CsInsn, second: CsInsn) -> int:
    """The cycle that is saved where "neighboring load and store single instructions can pipeline their address and data phases".

    A load is followed by another access whose address does not need its result, a store with an immediate offset by another
    store. The manual's text has such a store take one cycle always; by its table it takes two when alone, and so it does in the
    code that benchmarks/cycles.py compares with (1.7 % less, else).
    """
    loads, name = first.insn_name() in _LOADS, second.insn_name()
    if loads and name in _LOADS | _STORES:
        memory = _memory(second)
        return int(first.operands[0].reg not in (memory.base, memory.index, ARM_REG_PC))
    return int(first.insn_name() in _STORES and not _memory(first).index and name in _STORES)


def _transferred(instruction: CsInsn) -> int:
    """Registers that a load or store of many moves; the others name the base first."""
    registers = len(instruction.operands)
    return registers if instruction.insn_name() in {"push", "pop"} else registers - 1


def _refill(target: CsInsn) -> int:
    """Cycles until the pipeline is full again: one more fetch where the first instruction lies in two words."""
    return REFILL_CYCLES + int(target.size == 4 and target.address % 4 != 0)


def _memory(instruction: CsInsn) -> ArmOpMem:
    return next(one.mem for one in instruction.operands if one.type == ARM_OP_MEM)
