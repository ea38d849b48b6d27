"""C compilers: which ones are here for an Arm Cortex-M and for this machine, and how they are called.

For Arm: `arm-none-eabi-gcc` where it is installed, else `zig cc` of the Python package ziglang. For this machine: cc,
gcc or clang, else zig. EDGELOOP_ARM_CC and EDGELOOP_HOST_CC name another one by its path.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from edgeloop.errors import ToolchainError
from edgeloop.shell import session

Kind = Literal["gcc", "clang", "zig"]
FloatAbi = Literal["soft", "hard"]

ARM_VARIABLE = "EDGELOOP_ARM_CC"
HOST_VARIABLE = "EDGELOOP_HOST_CC"
DEADLINE_S = 120.0
VERSION_DEADLINE_S = 20.0
WORDS_LINES = 40
"""How many lines of a compiler's complaint an error repeats."""

_BARE_LIBRARIES: dict[Kind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "gcc": (("-nostdlib",), ("-lgcc",)),
    "clang": (("-nostdlib", "-fuse-ld=lld"), ()),
    # Without -g, zig leaves the symbols out where it optimizes for size.
    "zig": (("-nostdlib", "-rtlib=compiler-rt", "-g"), ()),
}
"""Options before and behind the inputs: no C library, but the compiler's own helpers (64-bit division, soft floats)."""
_ZIG_FEATURES = {"cortex-m33": "+dsp"}
"""What zig leaves out of a core because it is optional, though every STM32 with that core has it."""
_HELIUM = ("cortex-m55", "cortex-m85")
"""Cores with vector instructions (MVE), which zig leaves out as well. Where no floating-point unit is used they are not used either:
they have its registers."""
_ZIG_SINGLE = {"cortex-m4": "+vfp4d16sp", "cortex-m7": "-fp64+fp_armv8d16sp"}
"""Its floating-point unit, which zig leaves out as well, whatever the way in which floats are passed."""
_ARM_GCC = "arm-none-eabi-gcc"
_VERSION = re.compile(r"\b(\d+\.\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Cpu:
    """A Cortex-M that code is compiled for."""

    name: str
    """As Arm writes it in lower case, e.g. cortex-m7."""
    float_abi: FloatAbi = "soft"
    """How floats are passed; `soft` also means that no floating-point unit is used."""
    single_precision: bool = False
    """Whether a floating-point unit of single precision computes floats for sure, and doubles are computed in software. Without it a
    Cortex-M7 may compute doubles, and zig uses no unit at all."""
    vectors: bool = True
    """Whether vector instructions may be used, where the core has them."""

    def flags(self, kind: Kind) -> tuple[str, ...]:
        """The options by which a compiler of this kind is told."""
        if kind == "zig":
            abi = "eabihf" if self.float_abi == "hard" else "eabi"
            unit = _ZIG_SINGLE.get(self.name, "") if self.single_precision else ""
            helium = "+mve" if self._has_helium and self.vectors else ""
            model = self.name.replace("-", "_") + _ZIG_FEATURES.get(self.name, "") + helium + unit
            return ("-target", f"thumb-freestanding-{abi}", f"-mcpu={model}", f"-mfloat-abi={self.float_abi}")
        triple = ("--target=thumbv7em-none-eabi",) if kind == "clang" else ()
        single = ("-mfpu=fpv5-sp-d16",) if self.single_precision and self.name == "cortex-m7" else ()
        model = self.name if self.vectors or not self._has_helium else f"{self.name}+nomve"
        return (*triple, f"-mcpu={model}", "-mthumb", f"-mfloat-abi={self.float_abi}", *single)

    @property
    def _has_helium(self) -> bool:
        return self.name in _HELIUM and self.float_abi == "hard"


@dataclass(frozen=True)
class Compiler:
    """A C compiler for one machine: a Cortex-M or, without `cpu`, the one that runs this."""

    name: str
    kind: Kind
    version: str
    command: tuple[str, ...]
    """How it is called, without any option."""
    cpu: Cpu | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def base(self) -> tuple[str, ...]:
        """The command with the options that choose the machine."""
        if self.cpu is None:
            # Debug builds of zig trap on undefined behaviour unless told; who wants that asks for it.
            return (*self.command, "-fno-sanitize=undefined") if self.kind == "zig" else self.command
        return (*self.command, *self.cpu.flags(self.kind), *bare_options(self.kind)[2])

    def compile(self, source: Path, target: Path, flags: Sequence[str] = (), deadline_s: float = DEADLINE_S) -> None:
        """Compile one C or assembler file to an object file.

        Raises:
            ToolchainError: the compiler refuses the source (with its words), is not done in time, or does not start.
        """
        self._run([*flags, "-c", str(source), "-o", str(target)], source, deadline_s)

    def link(self, inputs: Sequence[Path], target: Path, flags: Sequence[str] = (), deadline_s: float = DEADLINE_S) -> None:
        """Link objects (or compile and link sources) to a program; for a Cortex-M without any start files or C library.

        Raises:
            ToolchainError: as for `compile`.
        """
        before, after = _BARE_LIBRARIES[self.kind] if self.cpu else ((), ())
        self._run([*before, *flags, *map(str, inputs), *after, "-o", str(target)], target, deadline_s)

    def link_shared(self, inputs: Sequence[Path], target: Path, flags: Sequence[str] = (), deadline_s: float = DEADLINE_S) -> None:
        """Link objects (or compile and link sources) to a library that a process of this machine can load.

        Raises:
            ToolchainError: as for `compile`.
        """
        self._run(["-shared", "-fPIC", *flags, *map(str, inputs), "-o", str(target)], target, deadline_s)

    def _run(self, arguments: list[str], subject: Path, deadline_s: float) -> None:
        command = [*self.base, *arguments]
        done = _call(command, deadline_s, f"{self} was not done with {subject.name} after {deadline_s:.0f} s.")
        if done.returncode != 0:
            what = f"{self} refuses {subject} (exit status {done.returncode}):\n{_words(done)}"
            raise ToolchainError(what, f"The command: {_shown(command)}")


def bare_options(kind: Kind) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """For a Cortex-M without an operating system: options of the linker before and behind its inputs, and those of the compiler."""
    before, after = _BARE_LIBRARIES[kind]
    # Nothing of an operating system or a C library is there, and zig keeps frame pointers unless told.
    compiling = ("-ffreestanding", "-fomit-frame-pointer", "-fno-sanitize=undefined") if kind == "zig" else ("-ffreestanding",)
    return before, after, compiling


def find_arm_compiler(cpu: Cpu) -> Compiler:
    """The compiler for a Cortex-M: the user's choice, else arm-none-eabi-gcc, else zig.

    Raises:
        ToolchainError: there is none, or the one that EDGELOOP_ARM_CC names cannot be used.
    """
    compilers = arm_compilers(cpu)
    if not compilers:
        raise ToolchainError(
            "There is no C compiler for Arm Cortex-M here.",
            f"Install {_ARM_GCC}, or run `pip install ziglang`, or name one by its path in {ARM_VARIABLE}.",
        )
    return compilers[0]


def find_host_compiler() -> Compiler:
    """The compiler for this machine: the user's choice, else cc, gcc or clang, else zig.

    Raises:
        ToolchainError: there is none, or the one that EDGELOOP_HOST_CC names cannot be used.
    """
    compilers = host_compilers()
    if not compilers:
        raise ToolchainError(
            "There is no C compiler for this machine here.",
            f"Install gcc or clang, or run `pip install ziglang`, or name one by its path in {HOST_VARIABLE}.",
        )
    return compilers[0]


def arm_compilers(cpu: Cpu) -> list[Compiler]:
    """Every compiler for a Cortex-M that is here, the preferred one first; a user's choice leaves the others out.

    Raises:
        ToolchainError: the one that EDGELOOP_ARM_CC names cannot be used.
    """
    chosen = os.environ.get(ARM_VARIABLE)
    if chosen:
        return [_chosen(chosen, ARM_VARIABLE, cpu)]
    return [compiler for command in (_on_path(_ARM_GCC), _zig()) if command and (compiler := _identify(command, cpu))]


def host_compilers() -> list[Compiler]:
    """Every compiler for this machine that is here, the preferred one first; a user's choice leaves the others out.

    Raises:
        ToolchainError: the one that EDGELOOP_HOST_CC names cannot be used.
    """
    chosen = os.environ.get(HOST_VARIABLE)
    if chosen:
        return [_chosen(chosen, HOST_VARIABLE, None)]
    found: dict[Path, Compiler] = {}
    for command in (_on_path("cc"), _on_path("gcc"), _on_path("clang"), _zig()):
        # `cc` is one of the others under a second name.
        if command and (real := Path(command[0]).resolve()) not in found and (compiler := _identify(command, None)):
            found[real] = compiler
    return list(found.values())


def _chosen(path: str, variable: str, cpu: Cpu | None) -> Compiler:
    found = shutil.which(path)
    if found is None:
        raise ToolchainError(f"{variable} names {path}, which is no program.", f"Give the path of a C compiler, or unset {variable}.")
    command = (found, "cc") if Path(found).name.startswith("zig") else (found,)
    compiler = _identify(command, cpu)
    if compiler is None:
        what = f"{variable} names {path}, which does not answer as gcc, clang or zig do."
        raise ToolchainError(what, f"Name another one, or unset {variable}.")
    return compiler


def _on_path(name: str) -> tuple[str, ...] | None:
    found = shutil.which(name)
    return (found,) if found else None


def _zig() -> tuple[str, ...] | None:
    """The compiler's program inside the package: started without a Python of its own, which takes 50 ms and a process."""
    package = find_spec("ziglang")
    for folder in (package.submodule_search_locations or []) if package else []:
        program = shutil.which("zig", path=folder)
        if program:
            return program, "cc"
    return None


@lru_cache(maxsize=32)
def _identify(command: tuple[str, ...], cpu: Cpu | None) -> Compiler | None:
    """Ask a compiler what it is; None for a program that does not answer as one."""
    try:
        done = _call([*command, "--version"], VERSION_DEADLINE_S, f"{command[0]} did not tell its version.")
    except ToolchainError:
        return None
    kind, version = _kind(command, done.stdout), _version(command, done.stdout)
    if done.returncode != 0 or kind is None or version is None:
        return None
    name = Path(command[0]).name
    return Compiler(kind if kind == "zig" or name == "cc" else name, kind, version, command, cpu)


def _kind(command: tuple[str, ...], text: str) -> Kind | None:
    if command[1:] == ("cc",):
        return "zig"
    if "clang" in text:
        return "clang"
    return "gcc" if "Free Software Foundation" in text else None


def _version(command: tuple[str, ...], text: str) -> str | None:
    """What the compiler says; zig tells clang's version there, and its own when asked otherwise."""
    if command[1:] == ("cc",):
        text = _call([command[0], "version"], VERSION_DEADLINE_S, f"{command[0]} did not tell its version.").stdout
    # Distributions write their own words in brackets, with other numbers: "gcc (Debian 12.2.0-14) 12.2.0".
    found = _VERSION.search(re.sub(r"\([^)]*\)", "", text.partition("\n")[0])) or _VERSION.search(text)
    return found[1] if found else None


def _call(command: list[str], deadline_s: float, too_late: str) -> subprocess.CompletedProcess[str]:
    """Run a command; past the deadline all of it is ended, whatever it has started."""
    try:
        with session(command, _environment(), subprocess.PIPE, subprocess.PIPE) as process:
            output, words = (content.decode("utf-8", "replace") for content in process.communicate(timeout=deadline_s))
    except subprocess.TimeoutExpired:
        raise ToolchainError(too_late, f"The command: {_shown(command)}") from None
    except OSError as error:
        raise ToolchainError(f"{command[0]} does not start: {error.strerror}.", "Check that it is a program for this machine.") from error
    return subprocess.CompletedProcess(command, process.returncode, output, words)


def _environment() -> dict[str, str]:
    """English words, and a cache of our own for zig, which else writes one beside the sources or into the home folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeloop" / "zig"
    return {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache), **os.environ, "LC_ALL": "C"}


def _words(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    more = [f"… {len(lines) - WORDS_LINES} more lines"] if len(lines) > WORDS_LINES else []
    return "\n".join(lines[:WORDS_LINES] + more)


def _shown(command: list[str]) -> str:
    return " ".join(command)
