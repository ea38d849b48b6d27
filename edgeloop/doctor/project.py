"""Checks of the project folder, of its configuration, of git and DVC, and of the disk, memory and clock below them."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeloop.boards.lab.config import load_lab
from edgeloop.config import load_params
from edgeloop.doctor.finding import Check, Finding, found
from edgeloop.doctor.machine import Machine, lines
from edgeloop.errors import ConfigError
from edgeloop.graph import is_current

GIB = 1 << 30
FULL_BYTES = GIB // 2
LOW_BYTES = 5 * GIB
LOW_MEMORY_BYTES = 2 * GIB
OLDEST_YEAR = 2025
"""Before this program was written."""


def disk(machine: Machine) -> Iterator[Finding]:
    folder = machine.workspace.root if machine.workspace else machine.start
    free = machine.free_bytes(folder)
    if free < LOW_BYTES:
        yield found("disk-full" if free < FULL_BYTES else "disk-low", folder=folder, free=_size(free))


def memory(machine: Machine) -> Iterator[Finding]:
    for line in lines(machine.root / "proc/meminfo"):
        if line.startswith("MemAvailable:") and (available := int(line.split()[1]) * 1024) < LOW_MEMORY_BYTES:
            yield found("memory-low", available=_size(available))


def clock(machine: Machine) -> Iterator[Finding]:
    if machine.now.year < OLDEST_YEAR:
        yield found("clock-wrong", time=machine.now.isoformat(timespec="seconds"))


def governor(machine: Machine) -> Iterator[Finding]:
    set_to = lines(machine.root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if set_to == ["powersave"]:
        yield found("cpu-powersave", governor=set_to[0])


def folders_writable(machine: Machine) -> Iterator[Finding]:
    """By really writing: rights, read-only disks and quotas alike."""
    if machine.workspace is not None and (reason := _unwritable(machine.workspace.private)):
        yield found("project-read-only", folder=machine.workspace.root, reason=reason)
    cache = Path(machine.environment.get("XDG_CACHE_HOME") or machine.home / ".cache")
    if reason := _unwritable(cache / "edgeloop"):
        yield found("cache-read-only", folder=cache, reason=reason)


def params(machine: Machine) -> Iterator[Finding]:
    if machine.workspace is None:
        return
    try:
        known = load_params(machine.workspace)
    except ConfigError as error:
        yield found("params-invalid", reason=error.what)
        return
    for name, dataset in known.datasets.items():
        variants = [variant for variant in known.variants.values() if variant.dataset == name]
        for override in dataset.train.overrides:
            if variants and not any(override.matches(variant.network, variant.resolution) for variant in variants):
                chosen = override.model_dump(include={"network", "resolution"}, exclude_none=True)
                what = ", ".join(f"{key}: {value}" for key, value in chosen.items())
                yield found("override-without-variant", dataset=name, what=what)


def graph(machine: Machine) -> Iterator[Finding]:
    """What params.yaml and lab.yaml say together; what each of them says is checked elsewhere."""
    if machine.workspace is None:
        return
    try:
        load_params(machine.workspace)
        load_lab(machine.workspace)
    except ConfigError:
        return
    try:
        if not is_current(machine.workspace):
            yield found("graph-behind")
    except ConfigError as error:
        yield found("params-invalid", reason=error.what)


def lab(machine: Machine) -> Iterator[Finding]:
    if machine.workspace is None:
        return
    try:
        load_lab(machine.workspace)
    except ConfigError as error:
        yield found("lab-invalid", reason=error.what)


def git(machine: Machine) -> Iterator[Finding]:
    program = machine.which("git")
    if program is None:
        yield found("git-missing")
    elif machine.workspace is not None:
        answer = machine.run(program, "-C", str(machine.workspace.root), "rev-parse", "--is-inside-work-tree")
        if answer.code != 0:
            fault = "git-foreign-owner" if "dubious ownership" in answer.text else "not-a-repository"
            yield found(fault, folder=machine.workspace.root)


def dvc(machine: Machine) -> Iterator[Finding]:
    if machine.which("dvc") is None and not machine.executable.with_name("dvc").is_file():
        yield found("dvc-missing")
    if machine.workspace is not None and not (machine.workspace.root / ".dvc/config").is_file():
        yield found("dvc-not-set-up", folder=machine.workspace.root)


def dvc_locks(machine: Machine) -> Iterator[Finding]:
    """DVC frees what a dead process held, but takes a process that has got its number for the holder."""
    file = (machine.workspace.root if machine.workspace else machine.start) / ".dvc/tmp/rwlock"
    if not file.is_file():
        return
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        holders = {(entry["pid"], entry["cmd"]) for entry in _entries(held)}
    except (ValueError, KeyError, TypeError, AttributeError):
        yield found("dvc-lock-damaged", file=file)
        return
    names = dict(machine.processes())
    for pid, command in sorted(holders):
        if pid not in names:
            yield found("dvc-lock-left", file=file, pid=pid, command=command)
        elif not _runs_dvc(machine, pid):
            yield found("dvc-lock-of-a-stranger", file=file, pid=pid, command=command, stranger=names[pid])


def _entries(held: Any) -> Iterator[Any]:
    """The holders in DVC's file: {"write": {path: holder}, "read": {path: [holder, …]}}."""
    yield from held.get("write", {}).values()
    for readers in held.get("read", {}).values():
        yield from readers


def _runs_dvc(machine: Machine, pid: int) -> bool:
    words = (machine.root / "proc" / str(pid) / "cmdline").read_bytes()
    return b"dvc" in words


def _unwritable(folder: Path) -> str | None:
    """Why no file can be made in a folder (made when absent); None when one can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".doctor.", dir=folder)
        os.close(handle)
        Path(name).unlink()
    except OSError as error:
        return str(error.strerror)
    return None


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB"


CHECKS = (
    Check("space on the disk", disk),
    Check("memory", memory),
    Check("clock", clock),
    Check("the CPU's governor", governor),
    Check("folders that are written to", folders_writable),
    Check("params.yaml", params),
    Check("lab.yaml", lab),
    Check("graph.yaml", graph),
    Check("git", git),
    Check("DVC", dvc),
    Check("locks of DVC", dvc_locks),
)
