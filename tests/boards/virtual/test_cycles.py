"""Estimated cycles: each rule of the manual's, on a few instructions that really are executed on the emulated Cortex-M4."""

import struct
from pathlib import Path

import pytest

from edgeloop.boards.virtual.core import Core
from edgeloop.boards.virtual.counting import NativeCounter, PythonCounter
from edgeloop.boards.virtual.cycles import DIVIDE_CYCLES, REFILL_CYCLES, Block, Executed, estimated_cycles
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import STM32F405
from edgeloop.codegen.toolchain import Cpu, find_arm_compiler

RETURN = 1
"""Of `bx lr`; the refill behind it is where it goes to, which is not the program's."""
CALL = REFILL_CYCLES
RAM = STM32F405.memory(STM32F405.data).start


def cycles(folder: Path, text: str, *arguments: int) -> int:
    """What a function of these instructions is estimated at, from its first instruction to its return."""
    source, script = folder / "function.s", folder / "function.ld"
    source.write_text(f".syntax unified\n.thumb\n.text\n.align 2\n.type f, %function\n.global f\nf:\n{text}\nbx lr\n")
    script.write_text(f"ENTRY(f) SECTIONS {{ . = {STM32F405.flash.start:#x}; .text : {{ *(.text*) }} }}")
    program = folder / "function.elf"
    find_arm_compiler(Cpu(STM32F405.core)).link([source], program, [f"-Wl,-T,{script}"])
    core = Core(STM32F405, read_program(program))
    core.write(RAM, struct.pack("<I", RAM))
    core.call("f", *arguments)
    return estimated_cycles(core.executed(), core.read) - CALL - RETURN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("adds r0, #1\nsmlad r0, r1, r2, r0\nsxtb16 r3, r1, ror #8\numaal r0, r1, r2, r3", 4),
        ("ldr r1, [r0]", 2),
        ("ldr r1, [r0]\nldr r2, [r0, #4]\nldrb r3, [r0, r4]", 2 + 1 + 1),
        ("ldr r1, [r0]\nldrsb r2, [r1]", 2 + 2),
        ("ldr r1, [r0]\nadds r1, #1\nldr r2, [r0]", 2 + 1 + 2),
        ("ldr r1, [r0]\nstr r1, [r0, #4]", 2 + 1),
        ("str r1, [r0]\nstr r1, [r0, #4]", 2 + 1),
        ("str r1, [r0]\nldr r1, [r0, #4]", 2 + 2),
        ("push {r4-r7}\npop {r4-r7}", 5 + 5),
        ("ldm r0!, {r1-r3}\nstrd r1, r2, [r0]", 4 + 3),
        ("movs r2, #3\nudiv r1, r1, r2", 1 + DIVIDE_CYCLES),
        ("b 1f\nnop\n1: nop", 1 + REFILL_CYCLES + 1),
        ("cmp r0, r0\nbne 1f\nnop\n1: nop", 1 + 1 + 1 + 1),
        ("movs r1, #5\n1: subs r1, #1\nbne 1b", 1 + 5 * 2 + 4 * REFILL_CYCLES),
        ("b 1f\nnop\n1: add.w r8, r8, #1", 1 + REFILL_CYCLES + 1),
        ("b 1f\nnop\nnop\n1: add.w r8, r8, #1", 1 + REFILL_CYCLES + 1 + 1),
        ("cmp r0, r0\nit eq\naddeq r0, #1", 3),
    ],
)
@pytest.mark.parametrize("counter", [NativeCounter, PythonCounter])
def test_instructions_take_what_the_manual_says(
    text: str, expected: int, counter: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if counter is PythonCounter:
        monkeypatch.setattr("edgeloop.boards.virtual.core.block_counter", PythonCounter)
    assert cycles(tmp_path, text, RAM) == expected


@pytest.mark.parametrize(("code", "why"), [("ffffffff", "not all instructions"), ("20ee200a", "in the FPU")])
def test_what_the_table_does_not_have_is_no_estimate(code: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        estimated_cycles({Block(0x100, 4): Executed(1)}, lambda *_: bytes.fromhex(code))
