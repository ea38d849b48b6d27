"""A firmware as a project that a team can open: its sources, its board's data as C, a Makefile and a CMakeLists.txt."""

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

import edgeloop
from edgeloop.codegen.toolchain import Kind, bare_options
from edgeloop.errors import InputError
from edgeloop.files import atomic_folder, sha256_file
from edgeloop.firmware.build import OPTIMIZATION, cpu_of, written
from edgeloop.firmware.headers import BAUD, COMPILER, SECOND_CORE
from edgeloop.firmware.part import MHZ, Part
from edgeloop.firmware.sources import (
    LINK_OPTIONS,
    OBSERVED_OPTIONS,
    OPTIONS,
    Unit,
    check_generated,
    firmware_files,
    own_options,
    units,
)

TEMPLATES = ("Makefile", "CMakeLists.txt", "toolchain.cmake", "README.md")
LIST = "edgeloop.sha256"
"""A folder with this file, which `sha256sum -c` reads, is a project; it may be replaced as long as all in it is as it was written."""
BUILDS = "build"
"""What folders are called that compilers write to."""
MOST_NAMED = 5
SOURCES = {"crystal": "a crystal", "bypass": "a clock from outside", "hsi": "the internal oscillator"}


@dataclass(frozen=True)
class _Line:
    """One object of the project."""

    name: str
    path: str
    make_options: str
    cmake_options: list[str]


def write_project(generated: Path, part: Part, out: Path, signature: str) -> None:
    """Write the project for a real board around generated code (named `network`) as the folder `out`, which is replaced.

    Raises:
        InputError: there is no network.h and network.c in `generated`, or `out` is a folder that holds something else, or a
            project that somebody has worked on.
    """
    check_generated(generated)
    _check_replaceable(out)
    with atomic_folder(out) as folder:
        _copy(firmware_files(part), folder / "firmware")
        _copy([file for file in sorted(generated.iterdir()) if file.suffix in (".c", ".h")], folder / "network")
        (folder / "board").mkdir()
        for name, text in written(part, f"{COMPILER} {OPTIMIZATION}, its project").items():
            (folder / "board" / name).write_text(text, encoding="utf-8")
        facts = _facts(part, generated, signature)
        for template in TEMPLATES:
            (folder / template).write_text(_rendered(template, facts), encoding="utf-8")
        listed = "".join(f"{digest}  {name}\n" for name, digest in _digests(folder))
        (folder / LIST).write_text(listed, encoding="utf-8")


def _check_replaceable(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir() or (not (out / LIST).is_file() and any(out.iterdir())):
        raise InputError(f"{out} holds something else than a firmware, and would be replaced.", "Give another folder, or empty it.")
    written = set((out / LIST).read_text(encoding="utf-8").splitlines()) if (out / LIST).is_file() else set()
    if lost := [name for name, digest in _digests(out) if f"{digest}  {name}" not in written]:
        more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
        what = f"{out} would be replaced, and these files of it are not as edgeloop wrote them: {', '.join(lost[:MOST_NAMED])}{more}."
        raise InputError(what, "Give another folder, or remove what may be lost.")


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of each file of a project but its list and what was built."""
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        if file.is_file() and name != Path(LIST) and not (len(name.parts) > 1 and name.parts[0].startswith(BUILDS)):
            yield name.as_posix(), sha256_file(file)


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir()
    for file in files:
        shutil.copyfile(file, folder / file.name)


def _facts(part: Part, generated: Path, signature: str) -> dict[str, Any]:
    assert part.setup is not None, "a project is for a real board"
    pins = part.setup.pins
    return {
        "title": part.title,
        "version": edgeloop.__version__,
        "signature": signature,
        "mhz": part.clock_hz // MHZ,
        "source": SOURCES[part.setup.clock.source],
        "uart": part.uart_name,
        "tx": pins.tx,
        "rx": pins.rx,
        "baud": BAUD,
        "has_smps": part.setup.supply.source == "smps",
        "has_second_core": any(region.name == SECOND_CORE for region in part.memories),
        "sources": part.sources,
        "optimization": OPTIMIZATION,
        "options": " ".join(OPTIONS),
        "link_options": " ".join(LINK_OPTIONS),
        "observed": " ".join(OBSERVED_OPTIONS),
        "gcc": _toolchain(part, "gcc"),
        "zig": _toolchain(part, "zig"),
        "units": list(_lines(part, generated)),
    }


def _toolchain(part: Part, kind: Kind) -> dict[str, str]:
    before, after, bare = bare_options(kind)
    cpu = (*cpu_of(part).flags(kind), *bare)
    parts = {"cpu": cpu, "own": own_options(kind), "before": before, "after": after}
    return {name: " ".join(options) for name, options in parts.items()}


def _lines(part: Part, generated: Path) -> Iterator[_Line]:
    own, observed = set(own_options("gcc")), set(OBSERVED_OPTIONS)
    for unit in units(firmware_files(part), generated, "gcc"):
        other = [option for option in unit.options if option not in own | observed]
        shared = [name for name, options in (("OBSERVED", observed), ("OWN", own)) if options & set(unit.options)]
        make = " ".join([*(f"$({name})" for name in shared), *(shlex.quote(option) for option in other)])
        cmake = [*(f"${{{name}}}" for name in shared), *(_cmake_word(option) for option in other)]
        yield _Line(unit.name, f"{_folder(unit, generated)}/{unit.source.name}", make, cmake)


def _folder(unit: Unit, generated: Path) -> str:
    return "network" if unit.source.parent == generated else "firmware"


def _cmake_word(option: str) -> str:
    return '"' + option.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _rendered(template: str, facts: dict[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("edgeloop.firmware"), undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True
    )
    environment.filters["cmake"] = lambda text: " ".join(text.split())
    return environment.get_template(f"{template}.jinja").render(facts)
