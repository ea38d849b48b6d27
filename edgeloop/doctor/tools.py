"""Checks of compilers, of ST's tools, and of the programs that lab.yaml calls."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeloop.boards.drivers import DRIVERS
from edgeloop.boards.lab.config import LabBoard
from edgeloop.boards.lab.tools import flashes, tools, tools_there
from edgeloop.boards.lab.use import named_tool, root_of
from edgeloop.codegen.stedgeai.locate import ROOT_VARIABLE, Tool, answers, find_tool
from edgeloop.codegen.stedgeai.support import fits, refusal, targets_of, untested
from edgeloop.codegen.stedgeai.targets import TOOL_ALONE
from edgeloop.codegen.toolchain import ARM_VARIABLE, HOST_VARIABLE, Cpu, find_arm_compiler, find_host_compiler
from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine
from edgeloop.errors import StedgeaiError, ToolchainError
from edgeloop.userpath import user_argument

ARM_GCC = "arm-none-eabi-gcc"
CPU = Cpu("cortex-m7", "hard")
STEDGEAI = "stedgeai"
STEDGEAI_S = 20.0
STEPS = ("build", "flash", "power_cycle")
_ABOUT = {
    "STM32_Programmer_CLI": "It comes with STM32CubeProgrammer, whose installer does not put it on the PATH.",
    "openocd": "Distributions have it: sudo apt-get install openocd.",
    "st-flash": "Distributions have it: sudo apt-get install stlink-tools.",
    "make": "Distributions have it: sudo apt-get install make.",
    "uhubctl": "Distributions have it: sudo apt-get install uhubctl.",
}


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
    needing = [board for board in machine.lab.all() if board.kind.target in TOOL_ALONE or board.entry.generate.tool]
    found_here = _tools(machine)
    if isinstance(found_here, StedgeaiError):  # a place that was named on purpose
        yield found("stedgeai-folder-wrong", folder=machine.environment.get(ROOT_VARIABLE))
        return
    if not found_here:
        if needing:
            yield found("stedgeai-missing", boards=", ".join(board.name for board in needing))
        return
    known = [one for one in found_here if isinstance(one, Tool)]
    yield from (found("stedgeai-silent", reason=one.what) for one in found_here if isinstance(one, StedgeaiError))
    yield from (found("stedgeai-untested", reason=warning) for one in known for warning in untested(one.version) if not one.version.legacy)
    if len(known) < len(found_here):
        return  # a silent one takes long, each time that it is asked
    if not any(fits(one.version, None) for one in known):
        yield found("stedgeai-too-old", reason=refusal(None, " and ".join(map(str, known))).what)
        return
    for board in needing:
        if isinstance(error := _chosen(machine, board), StedgeaiError):
            yield found("stedgeai-unfit", board=board.name, reason=error.what, remedy=error.remedy)


def stedgeai_versions(machine: Machine) -> str | None:
    """Every ST Edge AI Core that tells its version, the preferred first, with what it generates for; None where there is none."""
    found_here = _tools(machine)
    known = [] if isinstance(found_here, StedgeaiError) else [one for one in found_here if isinstance(one, Tool)]
    return "; ".join(f"{one.version} ({one.program}), {targets_of(one.version)}" for one in known) or None


def _tools(machine: Machine) -> Sequence[Tool | StedgeaiError] | StedgeaiError:
    """All that are there, asked once, because their start takes seconds; or why the place that was named holds none."""
    if STEDGEAI not in machine.answers:
        try:
            machine.answers[STEDGEAI] = answers(STEDGEAI_S)
        except StedgeaiError as error:
            machine.answers[STEDGEAI] = error
    found_here: Sequence[Tool | StedgeaiError] | StedgeaiError = machine.answers[STEDGEAI]
    return found_here


def _chosen(machine: Machine, board: LabBoard) -> Tool | StedgeaiError:
    """The tool that this board's code is generated with; or why none can."""
    try:
        return find_tool(named_tool(board, machine.workspace.root if machine.workspace else machine.start), board.kind.target, STEDGEAI_S)
    except StedgeaiError as error:
        return error


def lab_commands(machine: Machine) -> Iterator[Finding]:
    for board in machine.lab.all():
        if "flash" in DRIVERS[board.kind.driver].keys and not board.entry.flash:
            yield from _without_flash(machine, board)
        for step in STEPS:
            for command in getattr(board.entry, step):
                yield from _command(machine, board, step.replace("_", "-"), command.run)


def _without_flash(machine: Machine, board: LabBoard) -> Iterator[Finding]:
    """It is flashed by a tool that is here, where edgeloop knows how and its probe is at this machine."""
    if not flashes(board.kind) or "://" in (board.entry.find.port or ""):
        yield found("no-flash-command", board=board.name)
    elif next(tools_there(machine.which), None) is None:
        yield found("no-flash-tool", board=board.name, ways="; or ".join(tool.get for tool in tools().tools.values()))


def flash_tools(machine: Machine) -> dict[str, str | None]:
    """Where each flash tool is that edgeloop knows, and which one it takes."""
    there = {tool.program: program for tool, program in tools_there(machine.which)}
    taken = next(iter(there), None)
    said = {program: f"{path} (flashes boards that have no `flash` of their own)" for program, path in there.items() if program == taken}
    return {tool.program: (there | said).get(tool.program) for tool in tools().tools.values()}


def _command(machine: Machine, board: LabBoard, step: str, arguments: list[str]) -> Iterator[Finding]:
    program = user_argument(arguments[0])
    if "{" not in program and machine.which(program) is None:
        about = _ABOUT.get(Path(program).name, "It is not installed, or not on the PATH of this shell.")
        yield found("flash-program-missing", board=board.name, program=program, step=step, about=about)
    for argument in (user_argument(_known_parts(machine, board, argument)) for argument in arguments[1:]):
        if argument.startswith("/") and "{" not in argument and not Path(argument).exists():
            yield found("flash-file-missing", board=board.name, file=argument, step=step)


def _known_parts(machine: Machine, board: LabBoard, argument: str) -> str:
    """An argument with the folders in it that are known before anything is built."""
    if machine.workspace is not None:
        argument = argument.replace("{project}", str(machine.workspace.root))
    if "{stedgeai}" in argument and isinstance(tool := _chosen(machine, board), Tool):
        argument = argument.replace("{stedgeai}", str(root_of(tool)))
    return argument


CHECKS = (
    Check("compiler for Cortex-M", arm_compiler),
    Check("compiler for this machine", host_compiler),
    Check("ST Edge AI Core", stedgeai),
    Check("commands of lab.yaml", lab_commands),
)
