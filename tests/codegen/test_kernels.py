"""The C kernels, portable and with the DSP extension: exact results for any parameters, and no access outside the buffers."""

import os
from pathlib import Path

import pytest
from kernel_cases import KINDS, Case, drawn_cases, narrow_cases, reference_cases
from kernel_program import run_on_core, run_on_host, run_on_m55
from matrix import first_is_short

from edgeloop.boards.virtual import m55
from edgeloop.codegen.portable.operators.scaled import ROUND_EXACT, ROUND_FAST, ROUND_POSITIVE
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers, find_arm_compiler, find_host_compiler, host_compilers

SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
EMULATED = "-DEDGELOOP_EMULATE_DSP"
VECTORS_IN_C = ("-DEDGELOOP_EMULATE_MVE", f"-isystem{Path(__file__).parent / 'vectors_in_c'}")
M7 = Cpu("cortex-m7")
SEED = int(os.environ.get("EDGELOOP_KERNEL_SEED", "0"))
"""Another number draws other cases."""


WINDOWS = ("convolution pixels rgb_convolution", "depthwise separable")
LATER = ("any_convolution average_pool max_pool dense mean softmax", *WINDOWS)
GROUPS = (" ".join(kind for kind in KINDS if kind not in " ".join(LATER).split()), *LATER)
CASES = 120
"""Of a group of kinds, in one program."""


def group(kinds: str) -> list[Case]:
    return [case for kind in kinds.split() for case in drawn_cases(kind, CASES // len(kinds.split()), seed=SEED)]


def shown(cases: list[Case], number: int) -> str:
    return f"case {number - 1}: {cases[number - 1]}" if number else "all equal"


def check_on_host(cases: list[Case], folder: Path, *flags: str) -> None:
    number = run_on_host(cases, folder, find_host_compiler(), [*SANITIZE, *flags])
    assert number == 0, shown(cases, number)


@pytest.mark.parametrize("kinds", first_is_short(GROUPS), ids=str)
def test_portable_kernels(kinds: str, tmp_path: Path) -> None:
    check_on_host(group(kinds), tmp_path)


@pytest.mark.parametrize("kinds", first_is_short(GROUPS), ids=str)
def test_dsp_kernels_with_their_instructions_in_c(kinds: str, tmp_path: Path) -> None:
    check_on_host(group(kinds), tmp_path, EMULATED)


@pytest.mark.thorough
@pytest.mark.parametrize("kinds", (*WINDOWS, *GROUPS[:-2]), ids=str)
def test_vector_kernels_with_their_instructions_in_c(kinds: str, tmp_path: Path) -> None:
    """Nothing outside the buffers is read, which no emulated core would tell."""
    check_on_host(group(kinds), tmp_path, *VECTORS_IN_C)


@pytest.mark.parametrize("compiler", arm_compilers(M7), ids=str)
@pytest.mark.parametrize("kinds", first_is_short(WINDOWS))
def test_dsp_kernels_on_a_cortex_m7(kinds: str, compiler: Compiler, tmp_path: Path) -> None:
    cases = group(kinds)
    number = run_on_core(cases, tmp_path, compiler, ["-O2"])
    assert number == 0, shown(cases, number)


M55 = pytest.mark.skipif(not m55.is_here(), reason=f"{m55.QEMU} is not installed (Debian package qemu-system-arm)")
"""With vector instructions, which no other emulator here has."""


@M55
@pytest.mark.parametrize("compiler", first_is_short(arm_compilers(m55.CPU)), ids=str)
@pytest.mark.parametrize("kinds", first_is_short((*WINDOWS, *GROUPS[:-2])), ids=str)
def test_vector_kernels_on_a_cortex_m55(kinds: str, compiler: Compiler, tmp_path: Path) -> None:
    cases = group(kinds)
    number = run_on_m55(cases, tmp_path, compiler, ["-O2"])
    assert number == 0, shown(cases, number)


@M55
@pytest.mark.thorough
@pytest.mark.parametrize("compiler", arm_compilers(m55.CPU), ids=str)
def test_every_width_up_to_thirteen_columns_with_vectors(compiler: Compiler, tmp_path: Path) -> None:
    cases = narrow_cases(seed=SEED)
    number = run_on_m55(cases, tmp_path, compiler, ["-O2"])
    assert number == 0, shown(cases, number)


@pytest.mark.thorough
def test_every_width_up_to_thirteen_columns(tmp_path: Path) -> None:
    """However a row is cut into groups, wherever its padding is."""
    check_on_host(narrow_cases(seed=SEED), tmp_path, EMULATED)


@pytest.mark.thorough
def test_every_width_up_to_thirteen_columns_with_vectors_in_c(tmp_path: Path) -> None:
    check_on_host(narrow_cases(seed=SEED), tmp_path, *VECTORS_IN_C)


@pytest.mark.thorough
@pytest.mark.parametrize("compiler", arm_compilers(Cpu("cortex-m4")), ids=str)
def test_every_width_up_to_thirteen_columns_on_a_core(compiler: Compiler, tmp_path: Path) -> None:
    cases = narrow_cases(seed=SEED)
    number = run_on_core(cases, tmp_path, compiler, ["-O2"])
    assert number == 0, shown(cases, number)


FLAGS = [("-O0",), ("-O3",), ("-Os", "-fno-omit-frame-pointer"), ("-O2", "-DEDGELOOP_NO_DSP")]


def marks(compiler: int, flags: int) -> pytest.MarkDecorator:
    """Each flag with one compiler and each compiler with two flags; the other pairs are long."""
    return pytest.mark.long if (compiler + flags) % 2 else pytest.mark.thorough


@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        pytest.param(compiler, flags, marks=marks(row, column), id=f"{compiler} {' '.join(flags)}")
        for row, compiler in enumerate(arm_compilers(M7))
        for column, flags in enumerate(FLAGS)
    ],
)
def test_any_optimization_gives_equal_results(compiler: Compiler, flags: tuple[str, ...], tmp_path: Path) -> None:
    cases = [case for kind in KINDS for case in drawn_cases(kind, 5, seed=3)]
    number = run_on_core(cases, tmp_path, compiler, flags)
    assert number == 0, shown(cases, number)


@M55
@pytest.mark.parametrize(
    ("compiler", "flags"),
    [
        pytest.param(compiler, flags, marks=marks(row, column), id=f"{compiler} {' '.join(flags)}")
        for row, compiler in enumerate(arm_compilers(m55.CPU))
        for column, flags in enumerate([*FLAGS[:3], ("-O2", "-DEDGELOOP_NO_MVE")])
    ],
)
def test_any_optimization_gives_equal_results_with_vectors(compiler: Compiler, flags: tuple[str, ...], tmp_path: Path) -> None:
    cases = [case for kind in KINDS for case in drawn_cases(kind, 5, seed=3)]
    number = run_on_m55(cases, tmp_path, compiler, flags)
    assert number == 0, shown(cases, number)


@pytest.mark.parametrize(
    ("dsp", "extreme"),
    [
        *(pytest.param(*both, marks=pytest.mark.thorough) for both in ((True, True), (False, False))),
        *(pytest.param(*both, marks=pytest.mark.long) for both in ((False, True), (True, False))),
    ],
)
def test_layers_equal_litert(dsp: bool, extreme: bool, tmp_path: Path) -> None:
    cases = [case for seed in range(30) for case in reference_cases(seed, tmp_path, extreme=extreme)]
    check_on_host(cases[:250], tmp_path, *([EMULATED] if dsp else []))


@pytest.mark.thorough
def test_layers_equal_litert_on_a_cortex_m7(tmp_path: Path) -> None:
    cases = [case for seed in range(100, 130) for case in reference_cases(seed, tmp_path)]
    number = run_on_core(cases, tmp_path, find_arm_compiler(M7), ["-O2"])
    assert number == 0, shown(cases, number)


def test_a_wrong_output_is_found(tmp_path: Path) -> None:
    """The program that all of this relies on does see differences."""
    cases = drawn_cases("separable", 5)
    cases[3].expected[-1][-1, -1, -1] ^= 1
    assert run_on_host(cases, tmp_path, find_host_compiler(), []) == 4
    assert run_on_core(cases, tmp_path, find_arm_compiler(M7), ["-O2"]) == 4


@pytest.mark.parametrize("kind", ["convolution", "depthwise", "separable", "pixels", "rgb_convolution"])
def test_cases_reach_every_rounding(kind: str) -> None:
    drawn = {case.structures[0].values["rounding"] for case in drawn_cases(kind, 60)}
    assert drawn == {ROUND_EXACT, ROUND_FAST, ROUND_POSITIVE}


@pytest.mark.thorough
@pytest.mark.parametrize("flags", [(), (EMULATED,)], ids=["portable", "dsp"])
@pytest.mark.parametrize("compiler", host_compilers(), ids=str)
def test_every_compiler_of_this_machine(compiler: Compiler, flags: tuple[str, ...], tmp_path: Path) -> None:
    cases = [case for kind in KINDS for case in drawn_cases(kind, 5, seed=4)]
    number = run_on_host(cases, tmp_path, compiler, ["-O2", *flags])
    assert number == 0, shown(cases, number)
