"""Which members of an archive are images of which class: those at <root>/<class>/<file>."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from edgeloop.errors import DataError

IMAGE_EXTENSIONS = frozenset(
    {".avif", ".bmp", ".dib", ".gif", ".heic", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".pgm", ".png", ".pnm", ".ppm", ".webp"}
    | {".tif", ".tiff"}
)
_LITTER_FOLDERS = frozenset({"__MACOSX", "@eaDir"})
_LITTER_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Layout:
    """The members of an archive by what they are."""

    root: str
    """The folder that holds the class folders; empty when they are at the top."""
    labels: dict[str, str]
    """Class by path, for each file directly in a class folder, in the archive's order."""
    outside: list[str]
    """All other files, sorted."""


def class_layout(paths: Iterable[str]) -> Layout:
    """Find the class folders: the root is the folder whose subfolders directly hold most images, by extension.

    A subfolder of the root without any image is no class. What desktop systems leave behind (`__MACOSX`, `._*`,
    `.DS_Store`, `Thumbs.db`) is never in a class.

    Raises:
        DataError: there are no class folders.
    """
    every = list(paths)
    candidates = [path for path in every if path.count("/") >= 1 and not _is_litter(path)]
    images = [path for path in candidates if _has_image_name(path)] or candidates
    if not images:
        raise DataError(
            "The archive has no class folders with images.", "Pack one folder of images for each class: <anything>/<class>/<image>."
        )
    counted = Counter(_root(path) for path in images)
    root = min(counted, key=lambda folder: (-counted[folder], folder.count("/"), folder))
    classes = {_label(path) for path in images if _root(path) == root}
    labels = {path: _label(path) for path in candidates if _root(path) == root and _label(path) in classes}
    return Layout(root, labels, sorted(path for path in every if path not in labels))


def _root(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:-2])


def _label(path: str) -> str:
    return path.split("/")[-2]


def _has_image_name(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in IMAGE_EXTENSIONS


def _is_litter(path: str) -> bool:
    *folders, name = path.split("/")
    hidden = any(folder.startswith(".") or folder in _LITTER_FOLDERS for folder in folders)
    return hidden or name.startswith("._") or name.lower() in _LITTER_FILES
