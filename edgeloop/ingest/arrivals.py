"""New images, before any is looked at: the files of a source, and what a source is."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Arrival:
    """One incoming file."""

    path: str
    """`<class>/<file>`, or deeper, below the source."""
    bytes: int
    version: str
    """Changes when the file does: what was read once need not be read again."""


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
            InputError, StoreError: it is not there any more, or cannot be read.
        """
