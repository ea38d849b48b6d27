"""Checks of Python, its packages, and the command that the stages call."""

from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine, lines

OLDEST, NEWEST = (3, 11), (3, 13)
SHOWN = 6
TOO_NEW = {"fastapi": ("0.146", "fastapi-too-new"), "sqlalchemy": ("2.1", "sqlalchemy-too-new")}
"""The first versions that break something silently (docs/lock.md)."""


def python_version(machine: Machine) -> Iterator[Finding]:
    if not OLDEST <= machine.python[:2] <= NEWEST:
        yield found("python-version", version=".".join(map(str, machine.python)))


def packages_there(machine: Machine) -> Iterator[Finding]:
    """What edgeloop itself asks for; what that asks for in turn comes with it."""
    wanted = [Requirement(text) for text in requires("edgeloop") or []]
    missing = [need.name for need in wanted if need.marker is None and machine.installed(need.name) is None]
    if missing:
        yield found("package-missing", packages=", ".join(missing))


def packages_as_locked(machine: Machine) -> Iterator[Finding]:
    if machine.workspace is None:
        return
    other = []
    for pin in _pins(lines(machine.workspace.root / "constraints.txt")):
        there = machine.installed(pin.name)
        if there is not None and not pin.specifier.contains(there, prereleases=True):
            other.append(f"{pin.name} {there} instead of {str(pin.specifier).removeprefix('==')}")
    if other:
        more = [f"and {len(other) - SHOWN} more"] if len(other) > SHOWN else []
        yield found("package-not-as-locked", packages=", ".join(other[:SHOWN] + more))


def packages_that_break(machine: Machine) -> Iterator[Finding]:
    for name, (first_bad, fault) in TOO_NEW.items():
        version = machine.installed(name)
        if version is not None and Version(version) >= Version(first_bad):
            yield found(fault, version=version)


def command(machine: Machine) -> Iterator[Finding]:
    there = machine.which("edgeloop")
    if there is None:
        yield found("command-missing")
    elif Path(there).resolve().parent != machine.executable.absolute().parent.resolve():
        yield found("command-of-another-environment", found=there, python=machine.executable)


def _pins(text: list[str]) -> Iterator[Requirement]:
    """The lines `name==version ; marker \\` of the lock that hold on this Python."""
    for line in text:
        if "==" in line and not line.startswith((" ", "#")):
            pin = Requirement(line.rstrip("\\ "))
            if pin.marker is None or pin.marker.evaluate():
                yield pin


CHECKS = (
    Check("version of Python", python_version),
    Check("packages", packages_there),
    Check("packages as in the lock", packages_as_locked),
    Check("packages that break Prefect", packages_that_break),
    Check("the command edgeloop", command),
)
