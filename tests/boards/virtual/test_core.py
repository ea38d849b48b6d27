"""The emulated core: functions run, every instruction is counted, and what faults on the part is a typed error."""

import struct
from pathlib import Path

import pytest

from edgeloop.boards.virtual.core import Core, Stop
from edgeloop.boards.virtual.counting import NativeCounter, PythonCounter
from edgeloop.boards.virtual.elf import read_program
from edgeloop.boards.virtual.parts import STM32F405, STM32H747, Part
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers, find_arm_compiler
from edgeloop.errors import BoardError, CoreFault

SOURCE = """
__asm__(".syntax unified\\n.thumb\\n.globl loop\\n.type loop, %function\\nloop:\\n movs r1, #0\\n"
        "1: adds r1, r1, #3\\n subs r0, r0, #1\\n bne 1b\\n mov r0, r1\\n bx lr\\n.size loop, . - loop\\n");
unsigned loop(unsigned count);
unsigned weigh(unsigned a, unsigned b, unsigned c, unsigned d, unsigned e, unsigned f) { return a + 2*b + 3*c + 4*d + 5*e + 6*f; }
unsigned peek(const volatile unsigned *place) { return *place; }
void poke(volatile unsigned *place, unsigned value) { *place = value; }
void spin(void) { for (;;) { __asm__ volatile(""); } }
void leave(unsigned place) { ((void (*)(void))place)(); }
void trap(void) { __asm__ volatile("udf #0"); }
unsigned twice(unsigned count) { return loop(count) + loop(count); }
"""


def link(folder: Path, part: Part, source: str = SOURCE, compiler: Compiler | None = None) -> Path:
    """The source as a program at the beginning of the part's flash memory, behind a place for a vector table."""
    text, program = folder / "functions.c", folder / "functions.elf"
    text.write_text(source)
    script = folder / "functions.ld"
    vectors = f".vectors : {{ LONG({part.memory(part.stack).end:#x}) LONG(spin | 1) }}"
    # Sections that are not named, linkers put wherever they like.
    others = ".rodata : { *(.rodata*) } .ARM.exidx : { *(.ARM.exidx*) }"
    sections = f". = {part.flash.start:#x}; {vectors} .text : {{ *(.text*) }} {others}"
    script.write_text(f"ENTRY(spin) SECTIONS {{ {sections} }}")
    (compiler or find_arm_compiler(Cpu(part.core))).link([text], program, ["-O1", f"-Wl,-T,{script}"])
    return program


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source above, linked for the STM32H747."""
    return link(tmp_path_factory.mktemp("core"), STM32H747)


@pytest.fixture
def core(functions: Path) -> Core:
    """A core that has it loaded."""
    return Core(STM32H747, read_program(functions))


def test_a_function_gets_its_arguments_and_gives_its_result(core: Core) -> None:
    assert core.call("weigh", 1, 2, 3, 4, 5, 6) == 1 + 4 + 9 + 16 + 25 + 36


@pytest.mark.parametrize("count", [1, 2, 7, 1000, 100_003])
def test_every_instruction_is_counted(core: Core, count: int) -> None:
    assert core.call("loop", count) == 3 * count
    assert core.instructions == 1 + 3 * count + 2


def test_counts_do_not_depend_on_how_often_the_run_is_interrupted(functions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, sliced = (Core(STM32H747, read_program(functions)) for _ in range(2))
    whole.call("twice", 50)
    monkeypatch.setattr("edgeloop.boards.virtual.core.SLICE_INSTRUCTIONS", 7)
    assert sliced.call("twice", 50) == 300
    assert sliced.instructions == whole.instructions


def test_counting_in_python_and_in_c_is_the_same(functions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native = Core(STM32H747, read_program(functions))
    monkeypatch.setattr("edgeloop.boards.virtual.core.block_counter", PythonCounter)
    python = Core(STM32H747, read_program(functions))
    assert isinstance(native._counter, NativeCounter)
    for core in (native, python):
        core.call("twice", 12345)
        with pytest.raises(BoardError):
            core.call("twice", 99, limit=50)
    assert native.instructions == python.instructions
    assert native.profile() == python.profile()


def test_the_profile_names_functions(core: Core) -> None:
    core.call("twice", 1000)
    profile = core.profile()
    assert profile["loop"] == 2 * (1 + 3000 + 2)
    assert sum(profile.values()) == core.instructions
    assert set(profile) == {"loop", "twice"}


def test_an_endless_loop_ends_at_the_limit_and_at_the_deadline(core: Core) -> None:
    with pytest.raises(BoardError, match="spin was not done after 1000 instructions"):
        core.call("spin", limit=1000)
    with pytest.raises(BoardError, match="was still in spin at its deadline"):
        core.call("spin", deadline_s=0.01)


def test_reading_where_there_is_no_memory_is_a_fault_with_address_and_function(core: Core) -> None:
    with pytest.raises(CoreFault, match=r"reads from 0x60000000, 4 bytes, where there is no memory") as caught:
        core.call("peek", 0x6000_0000)
    assert caught.value.address == 0x6000_0000
    assert core.program.nearest(caught.value.program_counter) == "peek"


def test_writing_to_flash_memory_is_a_fault(core: Core) -> None:
    with pytest.raises(CoreFault, match="which is in FLASH and cannot be written"):
        core.call("poke", STM32H747.flash.start, 1)


@pytest.mark.parametrize("part", [STM32H747, STM32F405], ids=lambda part: part.name)
def test_memory_ends_where_the_part_says(tmp_path: Path, part: Part) -> None:
    core = Core(part, read_program(link(tmp_path, part)))
    for region in part.memories:
        core.call("poke", region.end - 4, 0x1234)
        assert core.call("peek", region.end - 4) == 0x1234
        with pytest.raises(CoreFault):
            core.call("poke", region.end, 1)


def test_jumping_out_and_undefined_instructions_are_faults(core: Core) -> None:
    with pytest.raises(CoreFault, match="jumps to 0x70000000"):
        core.call("leave", 0x7000_0001)
    with pytest.raises(CoreFault, match=r"faults at .*trap"):
        core.call("trap")


def test_a_program_for_another_memory_map_is_refused(functions: Path, tmp_path: Path) -> None:
    large = 'const char fill[1 << 20] __attribute__((section(".text.fill"))) = {1}; void spin(void) { __asm__ volatile("" :: "r"(fill)); }'
    other = link(tmp_path, STM32F405, large)
    with pytest.raises(BoardError, match="do not fit into STM32F405"):
        Core(STM32F405, read_program(other))
    Core(STM32H747, read_program(functions)).reset()


def test_a_program_without_vector_table_does_not_start(functions: Path) -> None:
    core = Core(STM32H747, read_program(functions))
    core.write(STM32H747.flash.start, bytes(8))
    core.program = type(core.program)((), {})
    with pytest.raises(BoardError, match="no vector table"):
        core.reset()


def test_reset_clears_memory_and_counts(core: Core) -> None:
    core.call("poke", 0x2400_0000, 77)
    core.reset()
    assert core.instructions == 0
    assert core.read(0x2400_0000, 4) == bytes(4)
    assert core.run(1000) is Stop.LIMIT
    assert 1000 <= core.instructions < 1010


@pytest.mark.parametrize("compiler", arm_compilers(Cpu("cortex-m7")), ids=str)
def test_programs_of_every_compiler_are_read(tmp_path: Path, compiler: Compiler) -> None:
    program = read_program(link(tmp_path, STM32H747, compiler=compiler))
    assert program.symbols["loop"].is_function
    assert program.nearest(program.symbols["loop"].address + 2) == "loop+0x2"


def test_damaged_programs_are_refused(functions: Path, tmp_path: Path) -> None:
    whole = functions.read_bytes()
    damaged = tmp_path / "damaged.elf"
    for size in [0, 3, 20, 51, 60, 100, len(whole) // 2]:
        damaged.write_bytes(whole[:size])
        with pytest.raises(BoardError):
            read_program(damaged)
    for place in range(52):
        damaged.write_bytes(whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :])
        try:
            read_program(damaged)
        except BoardError:
            continue
    damaged.write_bytes(struct.pack("<16sHH", b"\x7fELF\x02\x01", 2, 62) + whole[20:])
    with pytest.raises(BoardError, match="32-bit"):
        read_program(damaged)
    with pytest.raises(BoardError, match="cannot be read"):
        read_program(tmp_path / "absent.elf")
