"""Packing a folder of class folders into a tar that is the same for the same files, whenever and by whomever."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from edgeloop.errors import FetchError, InputError
from edgeloop.progress import tracked


def pack_folder(folder: Path, target: Path) -> None:
    """Write an uncompressed tar of all files below `folder`, named from the folder's own name on.

    Sorted, with fixed times, owner and mode. Hidden files and folders are left out.

    Raises:
        InputError: the folder is absent, holds no files, or holds links or devices.
        FetchError: a file changes while it is packed.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", "Give a folder that holds one folder of images for each class.")
    files = sorted(folder_files(folder), key=lambda file: file.relative_to(folder).as_posix())
    if not files:
        raise InputError(f"{folder} holds no files.", "Give a folder that holds one folder of images for each class.")
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for file in tracked(files, f"pack {folder.name}", len(files), "files"):
            _add(archive, file, f"{folder.resolve().name or 'images'}/{file.relative_to(folder).as_posix()}")


def folder_files(folder: Path) -> Iterator[Path]:
    """All files below a folder, hidden ones left out.

    Raises:
        InputError: it holds links or devices.
    """
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in (*folders, *names):
            path = Path(place) / name
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise InputError(f"{path} is a link or a device, which is not followed.", "Replace it by a copy of the file, or remove it.")
        yield from (Path(place) / name for name in names if not name.startswith("."))


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    with file.open("rb") as content:
        info.size = os.fstat(content.fileno()).st_size
        try:
            archive.addfile(info, content)
        except OSError as error:
            raise FetchError(f"{file} cannot be packed: {error}", "Leave the folder unchanged while it is packed.") from error
