"""Checks of compilers, of ST's tools, and of the programs that lab.yaml calls."""

import re
from collections.abc import Iterator
from pathlib import Path

from edgeloop.boards.lab.config import LabBoard
from edgeloop.codegen.toolchain import ARM_VARIABLE, HOST_VARIABLE, Cpu, find_arm_compiler, find_host_compiler
from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine
from edgeloop.errors import ToolchainError

ARM_GCC = "arm-none-eabi-gcc"
CPU = Cpu("cortex-m7", "hard")
STEDGEAI = "stedgeai"
STEDGEAI_DIR = "STEDGEAI_CORE_DIR"
STEDGEAI_S = 20.0
STEPS = ("build", "flash", "power_cycle")
_ABOUT = {
    "STM32_Programmer_CLI": "It comes with STM32CubeProgrammer, whose installer does not put it on the PATH.",
    "openocd": "Distributions have it: sudo apt-get install openocd.",
    "st-flash": "Distributions have it: sudo apt-get install stlink-tools.",
    "make": "Distributions have it: sudo apt-get install make.",
    "uhubctl": "Distributions have it: sudo apt-get install uhubctl.",
}
_CORE = re.compile(r"ST Edge AI Core v\d+\.\d+\.\d+")
_PACKS = "STM32Cube/Repository/Packs/STMicroelectronics/X-CUBE-AI"


def arm_compiler(machine: Machine) -> Iterator[Finding]:
    try:
        compiler = find_arm_compiler(CPU)
    except ToolchainError as error:
        fault = "arm-compiler-unusable" if machine.environment.get(ARM_VARIABLE) else "arm-compiler-missing"
        yield found(fault, reason=error.what)
        return
    if machine.which(ARM_GCC) is None:
        yield found("arm-gcc-missing", instead=compiler)


def host_compiler(machine: Machine) -> Iterator[Finding]:
    try:
        find_host_compiler()
    except ToolchainError as error:
        fault = "host-compiler-unusable" if machine.environment.get(HOST_VARIABLE) else "host-compiler-missing"
        yield found(fault, reason=error.what)


def stedgeai(machine: Machine) -> Iterator[Finding]:
    named = machine.environment.get(STEDGEAI_DIR)
    program = stedgeai_program(machine)
    if named and not _programs_below(Path(named)):
        yield found("stedgeai-folder-wrong", folder=named)
    if program is None:
        needing = [board.name for board in machine.lab.all() if board.kind.target in ("stm32n6", "stm32mp2")]
        if needing:
            yield found("stedgeai-missing", boards=", ".join(needing))
        return
    answer = machine.run(program, "--version", seconds=STEDGEAI_S)
    if answer.code != 0 or not _CORE.search(answer.text):
        said = answer.text.strip().splitlines()
        yield found("stedgeai-silent", program=program, seconds=f"{STEDGEAI_S:.0f}", said=said[-1] if said else "nothing")


def stedgeai_program(machine: Machine) -> str | None:
    """Where ST Edge AI Core is: STEDGEAI_CORE_DIR, the PATH, a pack of CubeMX; in this order."""
    named = machine.environment.get(STEDGEAI_DIR)
    candidates = _programs_below(Path(named)) if named else []
    on_path = machine.which(STEDGEAI)
    packs = machine.home / _PACKS
    found_in_packs = [program for pack in sorted(packs.glob("*"), reverse=True) for program in _programs_below(pack)]
    return next(iter([*candidates, *([on_path] if on_path else []), *found_in_packs]), None)


def lab_commands(machine: Machine) -> Iterator[Finding]:
    for board in machine.lab.all():
        if board.kind.driver == "stm32msg" and not board.entry.flash:
            yield found("no-flash-command", board=board.name)
        for step in STEPS:
            for command in getattr(board.entry, step):
                yield from _command(machine, board, step.replace("_", "-"), command.run)


def _command(machine: Machine, board: LabBoard, step: str, arguments: list[str]) -> Iterator[Finding]:
    program = arguments[0]
    if "{" not in program and machine.which(program) is None:
        about = _ABOUT.get(Path(program).name, "It is not installed, or not on the PATH of this shell.")
        yield found("flash-program-missing", board=board.name, program=program, step=step, about=about)
    for argument in arguments[1:]:
        if argument.startswith("/") and "{" not in argument and not Path(argument).exists():
            yield found("flash-file-missing", board=board.name, file=argument, step=step)


def _programs_below(folder: Path) -> list[str]:
    return sorted(str(program) for program in folder.glob(f"Utilities/*/{STEDGEAI}") if program.is_file())


CHECKS = (
    Check("compiler for Cortex-M", arm_compiler),
    Check("compiler for this machine", host_compiler),
    Check("ST Edge AI Core", stedgeai),
    Check("commands of lab.yaml", lab_commands),
)
