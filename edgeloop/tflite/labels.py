"""The names of a model's classes, as `labels.txt` beside it: one a line, in the order of its scores."""

from collections.abc import Sequence
from pathlib import Path

from edgeloop.errors import InputError
from edgeloop.files import read_text, write_text
from edgeloop.markup import one_line

FILE_NAME = "labels.txt"


def write_labels(folder: Path, classes: Sequence[str]) -> None:
    """Write them; a line break in a name becomes a space."""
    write_text(folder / FILE_NAME, "".join(f"{one_line(name)}\n" for name in classes))


def labels_beside(model: Path, count: int | None = None) -> tuple[str, ...] | None:
    """The names beside a model file; None where there is no such file.

    Raises:
        InputError: they are not `count`.
    """
    path = model.parent / FILE_NAME
    if not path.is_file():
        return None
    names = tuple(read_text(path).splitlines())
    if count is not None and len(names) != count:
        raise InputError(f"{path} names {len(names)} classes, {model.name} has {count}.", "Put the labels of this very model beside it.")
    return names
