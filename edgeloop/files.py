"""Files that are either complete or absent: atomic writes, digests, and what it means that a disk refuses."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgeloop.errors import DiskError

_FULL = {errno.ENOSPC: "it is full", errno.EDQUOT: "your quota is used up", errno.EFBIG: "files may not grow that large here"}
_CLOSED = {errno.EROFS: "it is read-only", errno.EACCES: "that is not allowed", errno.EPERM: "that is not allowed"}


def no_room(error: OSError) -> str:
    """Why a disk takes no more; empty for every other error."""
    return _FULL.get(error.errno or 0, "")


def disk_error(error: OSError) -> DiskError | None:
    """What a user is told when a disk is full or may not be written to; None for every other error."""
    place = error.filename2 or error.filename
    what = os.fsdecode(place) if isinstance(place, str | bytes | Path) else f"A file of {Path.cwd()}"
    if reason := no_room(error):
        return DiskError(
            f"{what} cannot be written: the disk has no room ({reason}).", "Free some space, then give the same command again."
        )
    if reason := _CLOSED.get(error.errno or 0, ""):
        return DiskError(
            f"{what} cannot be written: {reason}.", "Work in a folder that you may write to, then give the same command again."
        )
    return None


@contextmanager
def disk_explained() -> Iterator[None]:
    """Turn the refusal of a disk into a DiskError; what else goes wrong passes."""
    try:
        yield
    except OSError as error:
        if (explained := disk_error(error)) is None:
            raise
        raise explained from error


FINISHED = "[!.]*.json"
"""Glob of records: what a killed process had not finished begins with a dot."""


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`; on success it is synced and takes the target's place.

    On an exception the temporary file is removed and `target` stays as it was.
    """
    with _beside(target) as temporary:
        yield temporary
        _sync(temporary)
        temporary.replace(target)


def create_bytes(target: Path, content: bytes) -> None:
    """Write a file that is not there yet, atomically: of several writers one succeeds.

    Raises:
        FileExistsError: it is there, and stays as it is.
    """
    with _beside(target) as temporary:
        temporary.write_bytes(content)
        _sync(temporary)
        os.link(temporary, target)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A temporary file beside `target`, removed at the end where it is still there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.part-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync(temporary: Path) -> None:
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.chmod(0o644)


def read_text(path: Path) -> str:
    """The text of a file that people write: UTF-8, without the mark that Windows' editors put first, any line ends."""
    return path.read_text(encoding="utf-8-sig")


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, content: bytes) -> None:
    """Write bytes atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success it replaces `target` as a whole.

    On an exception it is removed and `target` stays as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, as lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
