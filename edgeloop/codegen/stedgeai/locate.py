"""Where ST Edge AI Core is, and which version: an explicit path, STEDGEAI_CORE_DIR, PATH, then the packs of STM32CubeMX."""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgeloop.codegen.stedgeai.run import run_tool
from edgeloop.codegen.stedgeai.versions import Version, find_components, find_version
from edgeloop.errors import StedgeaiMissing
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
    return _program(explicit) is not None


def find_tool(explicit: Path | None = None, deadline_s: float = VERSION_DEADLINE_S) -> Tool:
    """The program, asked for its version. A place that was named on purpose is never passed over for another one.

    Raises:
        StedgeaiMissing: there is none, or what is there does not answer as ST Edge AI Core.
        StedgeaiTimeout: it does not answer in time (as when it waits for an answer on its first start).
    """
    program = _program(explicit)
    if program is None:
        raise StedgeaiMissing("ST Edge AI Core is not installed here.", REMEDY)
    with tempfile.TemporaryDirectory(prefix="edgeloop-stedgeai-") as scratch:
        log = Path(scratch) / "version.log"
        done = run_tool([*_start(program), "--version"], Path(scratch), log, deadline_s, keeps_log=False)
    version = find_version(done.text)
    if done.status != 0 or version is None:
        said = done.text.strip().splitlines()
        what = f"{program} does not tell its version (exit status {done.status}): {said[-1] if said else 'it says nothing'}"
        raise StedgeaiMissing(what, f"Run `{program} --version` by hand. {REMEDY}")
    return Tool(program, version, find_components(done.text))


def _program(explicit: Path | None) -> Path | None:
    if explicit is not None:
        return _named(explicit, "The path given for ST Edge AI Core")
    root = os.environ.get(ROOT_VARIABLE)
    if root:
        return _named(user_path(root), ROOT_VARIABLE)
    on_path = shutil.which(PROGRAM)
    if on_path:
        return Path(on_path)
    return next(_in_packs(), None)


def _named(place: Path, name: str) -> Path:
    """The program at a place that the user named: itself, or the root of an installation."""
    found = place if place.is_file() else next(_in_root(place), None)
    if found is None or not os.access(found, os.X_OK):
        raise StedgeaiMissing(f"{name} is {place}, where no program {PROGRAM} is.", REMEDY)
    return found.absolute()


def _in_root(root: Path) -> Iterator[Path]:
    """Below `<root>/Utilities/<system>/`; some point at the folder with one root for each version, or at Utilities itself."""
    for folder in (root, *_by_version(root), root.parent):
        for system in _systems():
            program = folder / "Utilities" / system / (f"{PROGRAM}.exe" if system == "windows" else PROGRAM)
            if program.is_file() and os.access(program, os.X_OK):
                yield program


def _in_packs() -> Iterator[Path]:
    for version in _by_version(Path.home() / PACKS):
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
