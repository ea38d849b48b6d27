"""Compilers: which one is found, how it is called, and what is said when it refuses."""

import ctypes
import os
import sys
import time
from pathlib import Path

import pytest

from edgeloop.codegen.portable.kernels import write_kernels
from edgeloop.codegen.targets import find_target, portable_cpu
from edgeloop.codegen.toolchain import Compiler, Cpu, arm_compilers, find_arm_compiler, find_host_compiler, host_compilers
from edgeloop.errors import ToolchainError

M7 = Cpu("cortex-m7")
CPUS = [M7, Cpu("cortex-m4"), Cpu("cortex-m4", "hard"), Cpu("cortex-m33", "hard"), Cpu("cortex-m55", "hard"), Cpu("cortex-m0plus")]
DIVIDES = "long long divide(long long a, long long b);\nlong long divide(long long a, long long b) { return a / b; }\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A function that needs a helper of the compiler's own library on a Cortex-M."""
    path = tmp_path / "divide.c"
    path.write_text(DIVIDES)
    return path


def program(folder: Path, name: str, text: str) -> str:
    """An executable script, as a stand-in for what a user may name."""
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def marks(compiler: Compiler) -> list[pytest.MarkDecorator]:
    """Zig builds its own library anew for each core: the one that cannot divide belongs to the rest, the others are long."""
    if compiler.kind != "zig" or compiler.cpu == M7:
        return []
    return [pytest.mark.thorough if compiler.cpu == Cpu("cortex-m0plus") else pytest.mark.long]


@pytest.mark.parametrize(
    "compiler",
    [
        pytest.param(compiler, marks=marks(compiler), id=f"{compiler} {cpu.name} {cpu.float_abi}")
        for cpu in CPUS
        for compiler in arm_compilers(cpu)
    ],
)
def test_compiles_and_links_for_a_cortex_m_without_a_c_library(compiler: Compiler, source: Path, tmp_path: Path) -> None:
    compiler.compile(source, tmp_path / "divide.o", ["-O2", "-Wall", "-Werror"])
    compiler.link([tmp_path / "divide.o"], tmp_path / "divide.elf", ["-Wl,-e,divide"])
    machine = (tmp_path / "divide.elf").read_bytes()[16:20]
    assert machine == bytes([2, 0, 40, 0]), "an executable for Arm"


@pytest.mark.parametrize("cpu", [M7, Cpu("cortex-m4"), Cpu("cortex-m33"), Cpu("cortex-m55")], ids=lambda cpu: cpu.name)
def test_the_dsp_extension_is_on_where_the_core_has_it(cpu: Cpu, tmp_path: Path) -> None:
    path = tmp_path / "dsp.c"
    path.write_text("#ifndef __ARM_FEATURE_DSP\n#error none\n#endif\nint here;\n")
    for compiler in arm_compilers(cpu):
        compiler.compile(path, tmp_path / "dsp.o")


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        (portable_cpu(find_target("stm32n6")), 1),
        (Cpu("cortex-m85", "hard"), 1),
        (Cpu("cortex-m55", "hard", vectors=False), 0),
        (Cpu("cortex-m55"), 0),
        (portable_cpu(find_target("stm32u5")), 0),
    ],
    ids=str,
)
def test_vectors_are_on_where_the_core_has_them_and_floats_are_passed_in_registers(cpu: Cpu, expected: int, tmp_path: Path) -> None:
    path = tmp_path / "vectors.c"
    path.write_text('#include "edgeloop_mve.h"\n#if EDGELOOP_MVE != EXPECTED\n#error not so\n#endif\nint here;\n')
    write_kernels(tmp_path)
    # gcc 12 does not know the Cortex-M85.
    for compiler in [each for each in arm_compilers(cpu) if each.kind == "zig" or cpu.name != "cortex-m85"]:
        compiler.compile(path, tmp_path / "vectors.o", [f"-DEXPECTED={expected}"])


@pytest.mark.parametrize("compiler", host_compilers(), ids=str)
def test_compiles_for_this_machine(compiler: Compiler, source: Path, tmp_path: Path) -> None:
    compiler.link_shared([source], tmp_path / "divide.so", ["-O1"])
    divide = ctypes.CDLL(str(tmp_path / "divide.so")).divide
    divide.restype, divide.argtypes = ctypes.c_longlong, [ctypes.c_longlong] * 2
    assert divide(-(1 << 40), 3) == -((1 << 40) // 3)


def test_versions_are_numbers() -> None:
    for compiler in [*arm_compilers(M7), *host_compilers()]:
        assert [part.isdigit() for part in compiler.version.split(".")].count(True) >= 2, compiler


def test_a_refused_source_is_told_in_the_compilers_words(tmp_path: Path) -> None:
    path = tmp_path / "wrong file.c"
    path.write_text("int f(void) { return undeclared_thing; }\n")
    with pytest.raises(ToolchainError, match="undeclared_thing") as caught:
        find_host_compiler().compile(path, tmp_path / "wrong.o")
    assert str(path) in caught.value.what
    assert "-c" in caught.value.remedy


def test_arm_gcc_goes_before_zig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(
        tmp_path, "arm-none-eabi-gcc", "#!/bin/sh\necho 'arm-none-eabi-gcc (Build 9.9) 13.2.1 20240101'\necho 'Free Software Foundation'\n"
    )
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    found = find_arm_compiler(M7)
    assert (found.name, found.kind, found.version) == ("arm-none-eabi-gcc", "gcc", "13.2.1")


def test_zig_is_taken_where_there_is_no_arm_gcc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_arm_compiler(M7).kind == "zig"
    assert find_host_compiler().kind == "zig"


def test_nothing_there_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("edgeloop.codegen.toolchain.find_spec", lambda _: None)
    with pytest.raises(ToolchainError) as caught:
        find_arm_compiler(M7)
    assert "arm-none-eabi-gcc" in caught.value.remedy
    with pytest.raises(ToolchainError) as caught:
        find_host_compiler()
    assert "gcc or clang" in caught.value.remedy


def test_a_users_choice_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = host_compilers()[-1]
    monkeypatch.setenv("EDGELOOP_HOST_CC", chosen.command[0])
    assert host_compilers() == [chosen]


@pytest.mark.parametrize("choice", ["/no/such/compiler", sys.executable])
def test_a_wrong_choice_is_refused_by_its_name(choice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELOOP_ARM_CC", choice)
    with pytest.raises(ToolchainError, match="EDGELOOP_ARM_CC") as caught:
        find_arm_compiler(M7)
    assert choice in caught.value.what


def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(source: Path, tmp_path: Path) -> None:
    script = program(tmp_path, "hangs", f"#!/bin/sh\nsleep 60 & echo $! > '{tmp_path}/child'\nwait\n")
    hanging = Compiler("hangs", "gcc", "1.0", (script,))
    with pytest.raises(ToolchainError, match=r"was not done with divide\.c"):
        hanging.compile(source, tmp_path / "divide.o", deadline_s=0.5)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while runs(child):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_zig_keeps_its_cache_out_of_the_project(monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path) -> None:
    zig = next(compiler for compiler in arm_compilers(M7) if compiler.kind == "zig")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    zig.compile(source, tmp_path / "divide.o")
    assert (tmp_path / "cache" / "edgeloop" / "zig").is_dir()
    assert not list(tmp_path.glob("*zig-cache*"))
