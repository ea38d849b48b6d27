"""DVC's pointers to the archives of a data set: what `dvc add` would write, but in a folder that git tracks."""

import hashlib
from pathlib import Path

from edgeloop.files import write_text
from edgeloop.workspace import Workspace


def write_pointer(workspace: Workspace, dataset: str, archive: Path) -> Path:
    """Write the pointer to an archive below `additions/<data set>/`; returns it."""
    pointer = workspace.ingests(dataset) / f"{archive.name}.dvc"
    up = "/".join([".."] * len(pointer.parent.relative_to(workspace.root).parts))
    place = archive.relative_to(workspace.root).as_posix()
    write_text(pointer, f"outs:\n- md5: {md5_file(archive)}\n  size: {archive.stat().st_size}\n  hash: md5\n  path: {up}/{place}\n")
    return pointer


def md5_file(path: Path) -> str:
    """As DVC names content; not for security."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
