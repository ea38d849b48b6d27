"""Where things are published: a flat space of keys that holds each object whole or not at all, and a folder as one."""

import mimetypes
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from edgeloop.errors import StoreError
from edgeloop.files import create_bytes, no_room, sha256_file, write_bytes
from edgeloop.services.locks import exclusive

LOCK_DEADLINE_S = 120.0
_TEXT = "text/plain; charset=utf-8"
_SAVED = "application/octet-stream"
_TYPES = {
    ".md": "text/markdown; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".sig": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    **dict.fromkeys((".c", ".h", ".jsonl", ".ld", ".log", ".txt", ".yaml"), _TEXT),
    **dict.fromkeys((".bin", ".keras", ".tflite"), _SAVED),
}
_NAMES = {"SHA256SUMS": _TEXT, "LICENSE": _TEXT, "NOTICE": _TEXT, "Makefile": _TEXT}
_KNOWN = mimetypes.MimeTypes()
"""Python's own table: that of the machine would serve the same file differently from machine to machine."""
_OF_A_VERSION = re.compile(r"[^/]+/[0-9a-f]{16}/(?!model\.sig$).")
"""Keys of objects that are written once: `<variant>/<version>/...`, the version being named by its content; not its signature, which
another signer may replace."""


class Changed(Exception):
    """Somebody else replaced the object since it was read."""


@dataclass(frozen=True)
class Stored:
    """An object as it was read; `version` names this state of it."""

    content: bytes
    version: str


class Readable(Protocol):
    """A place to read from. Keys are relative, with `/` between their parts."""

    def address(self, key: str) -> str:
        """Where a user finds the object."""

    def read(self, key: str) -> Stored | None:
        """The object, or None."""

    def keys(self, name: str) -> list[str]:
        """The keys `<folder>/<name>`, one level deep, sorted."""


class Target(Readable, Protocol):
    """A place to publish to."""

    def keys(self, name: str, below: str = "") -> list[str]:
        """The keys `<below><folder>/<name>`, sorted; `below` is empty or ends with `/`."""

    def digest(self, key: str) -> str | None:
        """The SHA-256 of the object's bytes; None when there is no such object, or when that cannot be known."""

    def put(self, key: str, content: bytes) -> None:
        """Store an object, replacing what is there."""

    def create(self, key: str, content: bytes) -> None:
        """Store an object that is not there yet, in one step: of several writers one succeeds.

        Raises:
            Changed: it is there.
            StoreError: the store cannot do that in one step.
        """

    def replace(self, key: str, content: bytes, seen: Stored | None) -> None:
        """Store an object if it is still as `seen` (None: absent).

        Raises:
            Changed: it is not.
        """


def content_type(key: str) -> str:
    """The Content-Type by which a browser opens the object instead of saving it, where that makes sense."""
    path = PurePosixPath(key)
    return _NAMES.get(path.name) or _TYPES.get(path.suffix.lower()) or _KNOWN.guess_type(path.name)[0] or _SAVED


def cache_control(key: str) -> str:
    """How long a browser may keep the object: what belongs to a version for ever, what is replaced not without asking."""
    return "public, max-age=31536000, immutable" if _OF_A_VERSION.match(key) else "no-cache"


class FolderTarget:
    """A folder, shared between publishers of one machine by a lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def address(self, key: str) -> str:
        return str(self._folder / key)

    def digest(self, key: str) -> str | None:
        path = self._folder / key
        return sha256_file(path) if path.is_file() else None

    def put(self, key: str, content: bytes) -> None:
        path = self._folder / key
        with self._explained(path):
            if path.parent.is_dir():
                self._sweep(path)
            write_bytes(path, content)

    def create(self, key: str, content: bytes) -> None:
        path = self._folder / key
        with self._explained(path):
            try:
                create_bytes(path, content)
            except FileExistsError:
                raise Changed(key) from None

    def read(self, key: str) -> Stored | None:
        path = self._folder / key
        return Stored(path.read_bytes(), "") if path.is_file() else None

    def replace(self, key: str, content: bytes, seen: Stored | None) -> None:
        if self.read(key) != seen:
            raise Changed(key)
        self.put(key, content)

    def keys(self, name: str, below: str = "") -> list[str]:
        return sorted(path.relative_to(self._folder).as_posix() for path in self._folder.glob(f"{below}*/{name}"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other publishers away from the folder; the kernel frees the lock when its holder dies.

        Raises:
            StoreError: the folder cannot be made or locked.
        """
        with ExitStack() as stack:
            with self._explained(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                try:
                    stack.enter_context(exclusive(self._folder / ".publishing", LOCK_DEADLINE_S))
                except TimeoutError:
                    raise StoreError(f"{self._folder} has been locked by another publish for {LOCK_DEADLINE_S:.0f} s.", "End it.") from None
            yield

    @staticmethod
    def _sweep(path: Path) -> None:
        """Remove what a killed publish left of this file."""
        for left in path.parent.iterdir():
            if left.name.startswith(f".{path.name}."):
                left.unlink(missing_ok=True)

    @staticmethod
    @contextmanager
    def _explained(path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if reason := no_room(error):
                what = f"{path} cannot be written: the disk has no room ({reason})."
                raise StoreError(what, "Free some space, then publish again.") from error
            raise StoreError(
                f"{path} cannot be written: {error.strerror}.", "Publish to a folder that you may write to: publish.to in params.yaml."
            ) from error
