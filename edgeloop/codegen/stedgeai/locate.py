"""Where ST Edge AI Core is, in which versions, and which of them generates for a target (`PLACES` is the order)."""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from edgeloop.codegen.stedgeai.run import run_tool
from edgeloop.codegen.stedgeai.support import fits, refusal
from edgeloop.codegen.stedgeai.versions import Version, find_components, find_version
from edgeloop.errors import StedgeaiError, StedgeaiMissing
from edgeloop.userpath import user_path

ROOT_VARIABLE = "STEDGEAI_CORE_DIR"
PROGRAM = "stedgeai"
PACKS = Path("STM32Cube/Repository/Packs/STMicroelectronics/X-CUBE-AI")
"""Below the home folder; in it one folder for each version."""
VERSION_DEADLINE_S = 120.0
"""The first start of the program unpacks itself."""

REMEDY = (
    f"Install ST Edge AI Core, and let {ROOT_VARIABLE} point at its root (the folder that holds Utilities/), "
    "or take `--backend portable`, which needs nothing."
)


@dataclass(frozen=True)
class Tool:
    """A program that answered to --version."""

    program: Path
    version: Version
    components: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        name = "stm32ai" if self.version.legacy else "ST Edge AI Core"
        return f"{name} {self.version} ({self.program})"

    @property
    def command(self) -> list[str]:
        """How it is started."""
        return _start(self.program)


def _start(program: Path) -> list[str]:
    """The build for Apple silicon is started as STM32CubeMX does it."""
    return ["arch", "-arm64", str(program)] if program.parent.name == "macarm" else [str(program)]


def is_installed(explicit: Path | None = None) -> bool:
    """Whether a program is there to be asked. It is not started.

    Raises:
        StedgeaiMissing: a place that was named on purpose holds none.
    """
    return bool(programs(explicit))


def is_version(text: object) -> bool:
    """Whether this names a version (`2.2`, `4.0.1`) where a path may stand, too."""
    return re.fullmatch(r"\d+(\.\d+){1,2}", str(text)) is not None


def programs(explicit: Path | None = None) -> list[Path]:
    """The programs that are there, the preferred first. A place that was named on purpose is the only one, or the first.

    Raises:
        StedgeaiMissing: such a place holds none.
    """
    if explicit is not None and not is_version(explicit):
        return [_named(explicit, "The path given for ST Edge AI Core")]
    found: dict[Path, Path] = {}
    for _, places in PLACES:
        for program in places():
            found.setdefault(program.resolve(), program)
    return list(found.values())


def find_tool(explicit: Path | None = None, target: str | None = None, deadline_s: float = VERSION_DEADLINE_S) -> Tool:
    """The first program, in the order of `PLACES`, whose version is driven and generates for the target.

    `explicit`: the program, the root of its installation, or a version (`2.2`); no other one is taken then.

    Raises:
        StedgeaiMissing: there is none, none that generates for the target, or one does not answer as ST Edge AI Core.
        StedgeaiTimeout: one does not answer in time (as when it waits for an answer on its first start).
    """
    asked: list[Tool] = []
    for program in programs(explicit):
        tool = ask(program, deadline_s)
        asked.append(tool)
        if _is_meant(tool, explicit) and fits(tool.version, target):
            return tool
    meant = [tool for tool in asked if _is_meant(tool, explicit)]
    if meant:
        other = _another(target, deadline_s) if explicit else None
        raise refusal(target, " and ".join(map(str, meant)), f"Name the one that can: {other}." if other else "")
    if asked:
        here = ", ".join(map(str, asked))
        raise StedgeaiMissing(f"No ST Edge AI Core {explicit} is installed here: {here}.", f"Name one of these, or install {explicit}.")
    raise StedgeaiMissing("ST Edge AI Core is not installed here.", REMEDY)


def ask(program: Path, deadline_s: float = VERSION_DEADLINE_S) -> Tool:
    """A program with the version that it tells; each is asked once, because its start takes seconds.

    Raises:
        StedgeaiMissing: it does not answer as ST Edge AI Core.
        StedgeaiTimeout: it does not answer in time.
    """
    state = program.stat()
    return _asked(program, (state.st_mtime_ns, state.st_size, state.st_ino), deadline_s)


@cache
def _asked(program: Path, _state: tuple[int, ...], deadline_s: float) -> Tool:
    with tempfile.TemporaryDirectory(prefix="edgeloop-stedgeai-") as scratch:
        log = Path(scratch) / "version.log"
        done = run_tool([*_start(program), "--version"], Path(scratch), log, deadline_s, keeps_log=False)
    version = find_version(done.text)
    if done.status != 0 or version is None:
        said = done.text.strip().splitlines()
        what = f"{program} does not tell its version (exit status {done.status}): {said[-1] if said else 'it says nothing'}"
        raise StedgeaiMissing(what, f"Run `{program} --version` by hand. {REMEDY}")
    return Tool(program, version, find_components(done.text))


def _another(target: str | None, deadline_s: float) -> Tool | None:
    """One that was not named and generates for the target, where there is one."""
    with suppress(StedgeaiMissing):
        return next((tool for tool in answers(deadline_s) if isinstance(tool, Tool) and fits(tool.version, target)), None)
    return None


def _is_meant(tool: Tool, explicit: Path | None) -> bool:
    """Whether it is of the version that was asked for, where one was."""
    return explicit is None or not is_version(explicit) or f"{tool.version.number}.".startswith(f"{explicit}.")


def answers(deadline_s: float = VERSION_DEADLINE_S) -> list[Tool | StedgeaiError]:
    """Every program in the usual places with its version, in their order, or why it cannot be used.

    Raises:
        StedgeaiMissing: a place that was named on purpose holds none.
    """
    found: list[Tool | StedgeaiError] = []
    for program in programs():
        try:
            found.append(ask(program, deadline_s))
        except StedgeaiError as error:
            found.append(error)
    return found


def _named(place: Path, name: str) -> Path:
    """The program at a place that the user named: itself, or the root of an installation."""
    found = place if place.is_file() else next(_in_root(place), None)
    if found is None or not os.access(found, os.X_OK):
        raise StedgeaiMissing(f"{name} is {place}, where no program {PROGRAM} is.", REMEDY)
    return found.absolute()


def _of_the_variable() -> Iterator[Path]:
    """The root that it names, then the versions that stand beside it: installers set it to the one that came last."""
    if named := os.environ.get(ROOT_VARIABLE):
        root = user_path(named)
        yield _named(root, ROOT_VARIABLE)
        yield from _in_root(root)
        if is_version(root.name):
            yield from _in_versions(root.parent)


def _on_path() -> Iterator[Path]:
    if found := shutil.which(PROGRAM):
        yield Path(found)


def _in_usual_folders() -> Iterator[Path]:
    for folder in (Path.home() / "ST", Path("/opt/ST"), Path("C:/ST")):
        for name in ("STEdgeAI", "STEdgeAI_Core"):
            yield from _in_versions(folder / name)


def _in_packs() -> Iterator[Path]:
    yield from _in_versions(Path.home() / PACKS)


PLACES: tuple[tuple[str, Callable[[], Iterator[Path]]], ...] = (
    (f"{ROOT_VARIABLE}, and the versions beside it", _of_the_variable),
    ("PATH", _on_path),
    ("~/ST, /opt/ST, C:/ST", _in_usual_folders),
    ("packs of STM32CubeMX", _in_packs),
)
"""Where is looked, in this order; of several versions in one place the highest comes first."""


def _in_root(root: Path) -> Iterator[Path]:
    """Below `<root>/Utilities/<system>/`; some point at the folder with one root for each version, or at Utilities itself."""
    for folder in (root, *_by_version(root), root.parent):
        for system in _systems():
            program = folder / "Utilities" / system / (f"{PROGRAM}.exe" if system == "windows" else PROGRAM)
            if program.is_file() and os.access(program, os.X_OK):
                yield program


def _in_versions(folder: Path) -> Iterator[Path]:
    """Of each root that lies in a folder of roots."""
    for version in _by_version(folder):
        yield from _in_root(version)


def _by_version(folder: Path) -> list[Path]:
    """The sub-folders that are named by a version, the highest first (10.2.0 before 9.1.0)."""
    if not folder.is_dir():
        return []
    versions = [entry for entry in folder.iterdir() if re.fullmatch(r"\d+(\.\d+)+", entry.name)]
    return sorted(versions, key=lambda entry: [int(part) for part in entry.name.split(".")], reverse=True)


def _systems() -> tuple[str, ...]:
    if platform.system() == "Darwin":
        return ("macarm", "mac") if platform.machine() == "arm64" else ("mac",)
    return ("windows",) if platform.system() == "Windows" else ("linux",)
