"""The one walk through a folder of pictures: what is left out and what is refused is the same for every step."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import NoReturn

from edgeloop.datasets.filenames import is_hidden, is_picture
from edgeloop.decoding import LIMITS, TOO_MANY_BYTES
from edgeloop.errors import InputError, PictureError

NOT_READABLE = "not readable"


@dataclass(frozen=True)
class Walked:
    """What lies below a folder; paths with `/` between their parts, sorted."""

    files: list[str]
    bare: list[str]
    """Folders with nothing in them."""
    hidden: int
    """Files left out: hidden ones, those of hidden folders, and what desktop systems leave behind."""

    @property
    def pictures(self) -> list[str]:
        """Files with the name of a picture; all of them where no name is one."""
        return [path for path in self.files if is_picture(path)] or self.files


def walk_folder(folder: Path) -> Walked:
    """Look through a folder and all below it.

    Raises:
        InputError: it is no folder, or holds links, devices or folders that may not be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", "Give a folder of pictures.")
    files: list[str] = []
    bare: list[str] = []
    hidden = 0
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        here = Path(place)
        kept = [name for name in names if not is_hidden(name)]
        hidden += len(names) - len(kept) + sum(_count(here / name) for name in folders if is_hidden(name))
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        _check(here, (*folders, *kept))
        files += [(here / name).relative_to(folder).as_posix() for name in kept]
        if here != folder and not kept and not folders:
            bare.append(here.relative_to(folder).as_posix())
    return Walked(sorted(files), sorted(bare), hidden)


def read_picture(path: Path) -> bytes:
    """The bytes of a picture outside any data set, within the default limit of `prepare`.

    Raises:
        PictureError: it is too large, or cannot be read.
    """
    try:
        if (size := path.stat().st_size) > LIMITS.image_bytes:
            raise PictureError(TOO_MANY_BYTES, f"{size} of at most {LIMITS.image_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise PictureError(NOT_READABLE, error.strerror or type(error).__name__) from error


def _check(here: Path, names: tuple[str, ...]) -> None:
    for name in names:
        try:
            mode = (here / name).lstat().st_mode
        except OSError as error:
            _unreadable(error)
        if not (S_ISREG(mode) or S_ISDIR(mode)):
            raise InputError(
                f"{here / name} is a link or a device, which is not followed.", "Replace it by a copy of the file, or remove it."
            )


def _count(folder: Path) -> int:
    """Files below a hidden folder."""
    return sum(1 for _ in _files(folder))


def _files(folder: Path) -> Iterator[str]:
    for _, _, names in os.walk(folder):
        yield from names


def _unreadable(error: OSError) -> NoReturn:
    raise InputError(f"{error.filename} cannot be read: {error.strerror}.", "Make it readable, or move it away.") from error
