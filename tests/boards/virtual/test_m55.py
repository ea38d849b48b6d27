"""The Cortex-M55 in QEMU: what a program returns, reads and writes, how its instructions are counted, and what a fault says."""

import shutil
from pathlib import Path

import pytest
from matrix import first_is_short

from edgeloop.boards.virtual import m55
from edgeloop.codegen.toolchain import Compiler, arm_compilers
from edgeloop.errors import BoardError, CoreFault

pytestmark = pytest.mark.skipif(not m55.is_here(), reason=f"{m55.QEMU} is not installed (Debian package qemu-system-arm)")
PRELUDE = """\
#include <stdint.h>
int32_t host_open(const char *name, uint32_t to_write);
void host_read(int32_t file, void *to, uint32_t bytes);
void host_write(int32_t file, const void *from, uint32_t bytes);
uint32_t ticks_since(uint32_t before);
uint32_t start(void);
"""
ROUNDS, OF_A_ROUND = 1_000_000, 5
COUNTED = f"""\
uint32_t start(void)
{{
    uint32_t before = ticks_since(0);
    __asm__ volatile(
        "movw r0, #{ROUNDS & 0xFFFF}\\n\\tmovt r0, #{ROUNDS >> 16}\\n"
        "1:\\n\\tvadd.i32 q0, q0, q0\\n\\tvmladava.s8 r2, q0, q0\\n\\tnop\\n\\tsubs r0, #1\\n\\tbne 1b"
        : : : "r0", "r2", "q0", "cc");
    before = ticks_since(before);
    host_write(host_open("ticks", 1), &before, 4);
    return 0;
}}
"""


@pytest.fixture(params=first_is_short(arm_compilers(m55.CPU)), ids=str)
def compiler(request: pytest.FixtureRequest) -> Compiler:
    found: Compiler = request.param
    return found


def run(text: str, folder: Path, compiler: Compiler, deadline_s: float = 20.0) -> int:
    """Compile and run a program of one file."""
    source, script, elf = folder / "program.c", folder / "memory.ld", folder / "program.elf"
    source.write_text(PRELUDE + text)
    script.write_text(f"ENTRY(reset) SECTIONS {{ . = {m55.FLASH.start}; .text : {{ KEEP(*(.text*)) *(.rodata*) }} }}")
    compiler.link([source, m55.START], elf, ["-std=c99", "-O2", f"-Wl,-T,{script}"])
    return m55.run_program(elf, folder, deadline_s)


def test_a_program_returns_its_status(tmp_path: Path, compiler: Compiler) -> None:
    assert run("uint32_t start(void) { return 253; }", tmp_path, compiler) == 253


def test_a_program_reads_and_writes_files(tmp_path: Path, compiler: Compiler) -> None:
    (tmp_path / "taken").write_bytes(b"abcd")
    text = (
        'uint32_t start(void) { char c[4]; host_read(host_open("taken", 0), c, 4); host_write(host_open("given", 1), c + 1, 3); return 0; }'
    )
    assert run(text, tmp_path, compiler) == 0
    assert (tmp_path / "given").read_bytes() == b"bcd"


def test_instructions_of_a_loop_of_known_length_are_counted(tmp_path: Path, compiler: Compiler) -> None:
    """Vector instructions count as one each."""
    assert run(COUNTED, tmp_path, compiler) == 0
    counted = int.from_bytes((tmp_path / "ticks").read_bytes(), "little") * m55.INSTRUCTIONS_PER_TICK
    assert counted == pytest.approx(ROUNDS * OF_A_ROUND, abs=3 * m55.INSTRUCTIONS_PER_TICK)


def test_a_file_that_is_not_there_is_said(tmp_path: Path, compiler: Compiler) -> None:
    with pytest.raises(BoardError, match="could not go on"):
        run('uint32_t start(void) { return (uint32_t)host_open("nothing", 0); }', tmp_path, compiler)


def test_a_fault_names_the_function(tmp_path: Path, compiler: Compiler) -> None:
    with pytest.raises(CoreFault, match="faulted in QEMU at start"):
        run('uint32_t start(void) { __asm__ volatile("udf #1"); return 0; }', tmp_path, compiler)


def test_a_program_without_end_is_ended(tmp_path: Path, compiler: Compiler) -> None:
    with pytest.raises(BoardError, match=r"not done in QEMU after 1 s"):
        run('uint32_t start(void) { for (;;) __asm__ volatile(""); }', tmp_path, compiler, deadline_s=1.0)


def test_without_qemu_it_says_what_to_install(tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m55, "QEMU", str(shutil.which("sh")) + "-not-here")
    with pytest.raises(BoardError, match="qemu-system-arm"):
        run("uint32_t start(void) { return 0; }", tmp_path, compiler)
