"""New images, before any is looked at: the files of a source, and what a source is."""

from dataclasses import dataclass
from typing import Protocol

from edgeloop.errors import InputError


@dataclass(frozen=True)
class Arrival:
    """One incoming file."""

    path: str
    """`<class>/<file>`, or deeper, below the source."""
    bytes: int
    version: str
    """Changes when the file does: what was read once need not be read again."""


class UnreadableFile(InputError):
    """This one file may not be read; the others may."""


class Incoming(Protocol):
    """A source of new images."""

    name: str
    """As the user gave it."""
    hidden: int
    """Hidden files that the last `arrivals` left out."""

    def arrivals(self) -> list[Arrival]:
        """All files, sorted by path."""

    def read(self, arrival: Arrival) -> bytes:
        """The bytes of a file.

        Raises:
            UnreadableFile: it may not be read.
            InputError, StoreError: it is not there any more, or cannot be read.
        """
