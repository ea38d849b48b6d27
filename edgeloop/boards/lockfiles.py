"""The files of the boards' locks: one folder for all users of the machine, files that all of them may open.

`EDGELOOP_LOCKS` names another folder, e.g. one that several containers share.
"""

import fcntl
import hashlib
import os
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgeloop.errors import BoardError

VARIABLE = "EDGELOOP_LOCKS"
BASES = (Path("/run/lock"), Path("/tmp"))
FOLDER = "edgeloop"
FOLDER_MODE = 0o1777
FILE_MODE = 0o666
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class LockFiles:
    """The files of one board; they stay when it is free, because a lock on a removed file locks nothing."""

    lock: Path
    queue: Path


def lock_folder() -> Path:
    """Where the locks are; the same for every user, so it depends on nothing that differs between them."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    fitting = [base for base in BASES if _everybody_may_write(base)]
    return (fitting or [BASES[-1]])[0] / FOLDER


def lock_files(key: str) -> LockFiles:
    """The files of the board with that key; makes the folder.

    Raises:
        BoardError: it cannot be made.
    """
    folder = lock_folder()
    _make(folder)
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:60]
    stem = f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"
    return LockFiles(folder / f"{stem}.lock", folder / f"{stem}.queue")


def open_shared(path: Path) -> int:
    """Open a file that all users share, for reading and writing; made when absent.

    Raises:
        BoardError: it cannot be opened.
    """
    try:
        descriptor = _open(path)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(0, "it is no ordinary file")
    except OSError as error:
        raise BoardError(f"The lock {path} cannot be opened: {error.strerror}.", f"{_hint(path.parent)} Then: edgeloop doctor") from error
    return descriptor


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock if it is free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one of that path."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def held_elsewhere(path: Path) -> bool:
    """Whether somebody holds the exclusive lock on a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise BoardError(f"The lock {path} cannot be opened: {error.strerror}.", _hint(path.parent)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def rewrite(descriptor: int, text: str) -> None:
    """Replace the whole content."""
    content = text.encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)


def _everybody_may_write(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _make(folder: Path) -> None:
    """Make the folder with its mode at once: another user may come between making it and changing its mode."""
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        temporary.chmod(FOLDER_MODE)
        with suppress(OSError):  # somebody was faster
            temporary.rename(folder)
        with suppress(OSError):  # it was renamed
            temporary.rmdir()
        if not folder.is_dir():
            raise NotADirectoryError(0, "something else is there")
    except OSError as error:
        raise BoardError(f"The folder of the boards' locks, {folder}, cannot be made: {error.strerror}.", _hint(folder)) from error


def _open(path: Path) -> int:
    """Never with O_CREAT on a file that is there: Linux refuses that for other users' files in a sticky folder."""
    for _ in range(3):
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
            os.fchmod(descriptor, FILE_MODE)
            return descriptor
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW)


def _hint(folder: Path) -> str:
    return f"Let everybody write there: sudo chmod 1777 {folder} (or name another folder for all users in {VARIABLE})."
