"""All checks at once, and what they found, for people and as JSON."""

import datetime as dt
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from edgeloop import __version__
from edgeloop.codegen.toolchain import Compiler, find_arm_compiler, find_host_compiler
from edgeloop.doctor import locks, network, project, python, services, tools, usb
from edgeloop.doctor.finding import Check, Finding, Level, found
from edgeloop.doctor.machine import Machine
from edgeloop.errors import EdgeloopError, MachineError, ToolchainError
from edgeloop.records import Part

CHECKS: tuple[Check, ...] = (
    *python.CHECKS,
    *project.CHECKS,
    *services.CHECKS,
    *tools.CHECKS,
    *usb.CHECKS,
    *locks.CHECKS,
    *network.CHECKS,
)
LOOKERS = 8
_ORDER: tuple[Level, ...] = ("error", "warning", "hint")


class DoctorReport(Part):
    """What the checks found on one machine at one time."""

    kind: Literal["doctor"] = "doctor"
    time_utc: str
    machine: str
    versions: dict[str, str | None]
    """Versions of programs and packages; None for one that is not there."""
    checks: list[str]
    """All that were made."""
    findings: list[Finding]
    """The worst first."""

    def check(self) -> None:
        """Raises:
        MachineError: something that is needed is broken or missing.
        """
        errors = sum(finding.level == "error" for finding in self.findings)
        if errors:
            what = f"{errors} of the faults above must be mended." if errors > 1 else "The fault above must be mended."
            raise MachineError(what, "Its fix stands below it." if errors == 1 else "Each has its fix below it.")


def examine(machine: Machine | None = None, checks: Sequence[Check] = CHECKS) -> DoctorReport:
    """Make all checks, several at once: some wait for a network."""
    looked_at = machine or Machine()
    with ThreadPoolExecutor(LOOKERS) as pool:
        results = list(pool.map(lambda check: _look(check, looked_at), checks))
    findings = [finding for result in results for finding in result]
    return DoctorReport(
        time_utc=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        machine=f"{platform.node()}, {platform.platform()}",
        versions=versions(looked_at),
        checks=[check.title for check in checks],
        findings=sorted(findings, key=lambda finding: _ORDER.index(finding.level)),
    )


def versions(machine: Machine) -> dict[str, str | None]:
    """Which Python, tools and compilers are used."""
    packages = ("dvc", "prefect", "tensorflow", "ai-edge-litert", "pyserial", "asyncssh", "unicorn")
    return {
        "edgeloop": __version__,
        "Python": ".".join(map(str, machine.python)),
        **{package: machine.installed(package) for package in packages},
        "git": _first_line(machine, "git", "--version"),
        "compiler for Cortex-M": _compiler(lambda: find_arm_compiler(tools.CPU)),
        "compiler for this machine": _compiler(find_host_compiler),
        "ST Edge AI Core": tools.stedgeai_versions(machine),
        **tools.flash_tools(machine),
    }


def render(report: DoctorReport, everything: bool = False) -> str:
    """For people: what is there, then each fault with its cause and its fix."""
    width = max(map(len, report.versions))
    text = [f"{name:<{width}}  {version or 'not there'}" for name, version in report.versions.items()]
    for finding in report.findings:
        text += ["", f"{finding.level}: {finding.what}", f"  cause: {finding.cause}", f"  fix:   {finding.fix}"]
    if everything:
        text += ["", "checked: " + "; ".join(report.checks)]
    counts = {level: sum(finding.level == level for finding in report.findings) for level in _ORDER}
    said = ", ".join(f"{count} {level}{'s' if count != 1 else ''}" for level, count in counts.items())
    return "\n".join([*text, "", f"{len(report.checks)} checks: {said}"])


def _look(check: Check, machine: Machine) -> list[Finding]:
    try:
        return list(check.look(machine))
    except (OSError, ValueError, KeyError, EdgeloopError) as error:
        return [found("check-failed", check=check.title, reason=f"{type(error).__name__}: {error}")]


def _first_line(machine: Machine, *command: str) -> str | None:
    program = machine.which(command[0])
    answer = machine.run(program, *command[1:]).text if program else ""
    return answer.partition("\n")[0].strip() or None


def _compiler(find: Callable[[], Compiler]) -> str | None:
    try:
        return str(find())
    except ToolchainError:
        return None
