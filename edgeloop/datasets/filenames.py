"""What the name of a file says: whether it is taken for a picture, or was left behind by a desktop system or is hidden."""

from posixpath import splitext

IMAGE_EXTENSIONS = frozenset(
    {".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jxl", ".mpo"}
    | {".pbm", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
"""Also of pictures that cannot be read here: they are quarantined with the reason, not lost."""
_LITTER = frozenset(
    {"__macosx", "@eadir", "@__thumb", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
    | {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
)


def is_picture(path: str) -> bool:
    """Whether a file has the name of a picture."""
    return splitext(path)[1].lower() in IMAGE_EXTENSIONS


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name (one part of a path) is passed over everywhere."""
    return name.startswith(".") or name.lower() in _LITTER


def lies_hidden(path: str) -> bool:
    """Whether a file is hidden, or lies in a folder that is."""
    return any(is_hidden(part) for part in path.split("/"))
