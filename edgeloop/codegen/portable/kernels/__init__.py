"""The C library of row kernels: the operators' own files, what they share (here), and one header that includes all."""

from pathlib import Path

import jinja2

from edgeloop.codegen.portable.operators import rooms

HEADER = "edgeloop_kernels.h"
_SHARED = Path(__file__).parent


def write_kernels(folder: Path) -> None:
    """Write every C file that generated code needs beside it into an existing folder."""
    for file in _files():
        (folder / file.name).write_bytes(file.read_bytes())
    template = jinja2.Template((_SHARED / f"{HEADER}.jinja").read_text(encoding="utf-8"), keep_trailing_newline=True)
    headers = dict.fromkeys(file.name for room in rooms() for file in room.kernel_files() if file.suffix == ".h")
    (folder / HEADER).write_text(template.render(headers=headers), encoding="utf-8", newline="\n")


def kernel_sources() -> list[str]:
    """The names of the files that are compiled, in order."""
    return [file.name for file in _files() if file.suffix == ".c"]


def _files() -> list[Path]:
    """In order of name."""
    own = {file for room in rooms() for file in room.kernel_files()}
    shared = {file for file in _SHARED.iterdir() if file.suffix in {".c", ".h"}}
    return sorted(own | shared, key=lambda file: file.name)
