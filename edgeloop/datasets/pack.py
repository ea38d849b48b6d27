"""Packing a folder of class folders into a tar that is the same for the same files, whenever and by whomever."""

import os
import tarfile
from pathlib import Path

from edgeloop.datasets.folder import walk_folder
from edgeloop.errors import FetchError, InputError
from edgeloop.progress import tracked


def pack_folder(folder: Path, target: Path) -> int:
    """Write an uncompressed tar of all below `folder`, named from the folder's own name on; returns how many files were left out.

    Sorted, with fixed times, owner and mode. Of folders, only those with nothing in them are members: they are no classes,
    which somebody must be told. Hidden files and folders are left out.

    Raises:
        InputError: the folder is absent, holds no files, or holds links, devices or what may not be read.
        FetchError: a file changes while it is packed.
    """
    walked = walk_folder(folder)
    if not walked.files:
        raise InputError(f"{folder} holds no files.", "Give a folder that holds one folder of images for each class.")
    root = folder.resolve().name or "images"
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in walked.bare:
            archive.addfile(_folder_member(f"{root}/{path}"))
        for path in tracked(walked.files, f"pack {folder.name}", len(walked.files), "files"):
            _add(archive, folder / path, f"{root}/{path}")
    return walked.hidden


def _folder_member(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return info


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    try:
        with file.open("rb") as content:
            info.size = os.fstat(content.fileno()).st_size
            archive.addfile(info, content)
    except OSError as error:
        raise FetchError(f"{file} cannot be packed: {error}", "Leave the folder unchanged while it is packed, and readable.") from error
