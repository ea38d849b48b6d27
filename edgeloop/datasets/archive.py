"""Safe streaming reader of tar and zip archives: nothing is ever extracted to disk, and nothing unsafe is read.

The format is told by content. Refused, with the member's name: names that leave the archive's own folder, links,
devices, encrypted members, two members of one name, and archives that unpack to more than the declared limits.
"""

import bz2
import gzip
import io
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from edgeloop.config import Limits
from edgeloop.errors import DataError, UnsafeArchiveError

Kind = Literal["zip", "gzip", "bzip2", "xz", "tar"]
CHUNK = 1 << 20
# Small archives of plain pictures compress very well and harm nobody: the ratio counts from here on.
RATIO_FROM_BYTES = 64 << 20
# Long names and attributes are read into memory before anything can be said about them.
EXTENDED_HEADER_BYTES = 1 << 20

_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
_DECOMPRESSORS: dict[Kind, Callable[[IO[bytes]], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    "gzip": lambda packed: gzip.GzipFile(fileobj=packed, mode="rb"),
    "bzip2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}
_TAR_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
# The readers of the standard library raise these on damaged content.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    UnicodeError,
    ValueError,
)


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Entry:
    """One file of an archive. `read` gives its bytes, and must be called before the next entry is asked for."""

    path: str
    size_bytes: int
    read: Callable[[], bytes]
    is_folder: bool = False


def archive_kind(path: Path) -> Kind:
    """The format of an archive by its first bytes.

    Raises:
        DataError: it is neither a zip nor a tar (plain, gzip, bzip2 or xz).
    """
    with path.open("rb") as file:
        start = file.read(512)
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if len(start) == 512 and (not start.strip(b"\0") or _is_tar_header(start)):
        return "tar"
    raise DataError(
        f"{path} is neither a zip nor a tar archive (plain, gzip, bzip2 or xz): it begins with {start[:24]!r}.",
        "Give an archive of class folders, or the folder itself.",
    )


@dataclass(frozen=True)
class Listing:
    """The names in an archive, in its own order."""

    files: list[str]
    folders: list[str]
    """Those that the archive names; most name none, and every folder that holds a file exists without it."""


def list_members(path: Path, limits: Limits) -> Listing:
    """The names of an archive's files and folders, as `read_members` gives them.

    Raises:
        UnsafeArchiveError, DataError: as there.
    """
    files: list[str] = []
    folders: dict[str, None] = {}
    for entry in _members(path, limits):
        if entry.is_folder:
            folders[entry.path] = None
        else:
            files.append(entry.path)
    return Listing(files, list(folders))


def read_members(path: Path, limits: Limits) -> Iterator[Entry]:
    """The files of an archive in its own order; folders are passed over.

    Names come with `/` between parts and without a leading `./`. Bytes are only unpacked for entries that are read.

    Raises:
        UnsafeArchiveError: the archive tries to leave its folder or breaks a limit; the message names the member.
        DataError: it is damaged or cut off, or is no archive.
    """
    return (entry for entry in _members(path, limits) if not entry.is_folder)


def _members(path: Path, limits: Limits) -> Iterator[Entry]:
    kind = archive_kind(path)
    with _damage_explained(path):
        yield from _once(_zip_entries(path, limits) if kind == "zip" else _tar_entries(path, kind, limits), path, limits)


def safe_name(name: str, path: Path) -> str:
    """A member's name without `.` parts.

    Raises:
        UnsafeArchiveError: it is absolute, climbs with `..`, or holds a drive letter, a backslash or a zero byte.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/"):
        raise _unsafe(path, name, "has an absolute name")
    if ".." in parts:
        raise _unsafe(path, name, "climbs out of its folder with '..'")
    if "\\" in name or "\0" in name or re.match("[A-Za-z]:", name):
        raise _unsafe(path, name, "has a backslash, a drive letter or a zero byte in its name")
    return "/".join(parts)


def _unsafe(path: Path, name: str, why: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"{path} is refused: its member {name!r} {why}.", "Do not use this archive; if it is your own, pack plain files again."
    )


def _too_much(path: Path, what: str, limit: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(f"{path} is refused: {what}.", f"If that is meant, raise prepare.limits.{limit} in params.yaml.")


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(f"{path} is damaged or cut off: {error}", "Fetch it again, or pack it again.") from error


def _read(path: Path, unpack: Callable[[], bytes]) -> bytes:
    with _damage_explained(path):
        return unpack()


def _once(entries: Iterator[Entry], path: Path, limits: Limits) -> Iterator[Entry]:
    """Pass entries on, as long as no file's name comes twice and they are not too many."""
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):
        if entry.path in seen and not entry.is_folder:
            raise _unsafe(path, entry.path, "is there twice")
        if not entry.is_folder:
            seen.add(entry.path)
        if number > limits.members:
            raise _too_much(path, f"it has more than {limits.members} members", "members")
        yield entry


def _check_size(path: Path, name: str, unpacked: int, packed: int, limits: Limits) -> None:
    """Refuse `unpacked` bytes out of `packed` ones; `name` is the member where that is reached."""
    if unpacked > limits.total_bytes:
        raise _too_much(path, f"up to its member {name!r} it unpacks to more than {limits.total_bytes} bytes", "total_bytes")
    if unpacked > RATIO_FROM_BYTES and unpacked > limits.compression_ratio * packed:
        raise _too_much(path, f"up to its member {name!r} it unpacks to {unpacked // max(packed, 1)} times its size", "compression_ratio")


# --- zip


def _zip_entries(path: Path, limits: Limits) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        packed, unpacked = path.stat().st_size, 0
        for info in archive.infolist():
            name = safe_name(_zip_name(info), path)
            _check_zip_member(path, name, info)
            unpacked += info.file_size
            _check_size(path, name, unpacked, packed, limits)
            _check_size(path, name, info.file_size, info.compress_size, limits)
            yield Entry(name, info.file_size, partial(_read, path, partial(archive.read, info)), info.is_dir())


def _check_zip_member(path: Path, name: str, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 0x1:
        raise _unsafe(path, name, "is encrypted")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe(path, name, "is a link or a device")
    if "\0" in info.orig_filename:
        raise _unsafe(path, name, "has a zero byte in its name")


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: many tools write UTF-8 without saying so, and it is then read as code page 437."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


# --- tar


def _end_of_tar() -> type[Exception]:
    """What `tarfile` raises at the mark that ends an archive: a block of zeros."""
    try:
        tarfile.TarInfo.frombuf(b"\0" * tarfile.BLOCKSIZE, "utf-8", "strict")
    except tarfile.HeaderError as error:
        return type(error)
    raise AssertionError("a block of zeros is no member")


_END_OF_TAR = _end_of_tar()


class _CheckedTarInfo(tarfile.TarInfo):
    """Refuses what `tarfile` would take for the end (a header that is damaged or cut off)."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_CheckedTarInfo":
        try:
            return super().fromtarfile(archive)
        except _END_OF_TAR:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"a member's header is damaged or missing ({error})") from error


class _HeaderReads:
    """The stream under a tar reader; while headers are read, no read may be longer than a long name or attributes are."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.bounded = False

    def read(self, size: int) -> bytes:
        if self.bounded and size > EXTENDED_HEADER_BYTES:
            raise UnsafeArchiveError(f"A member's name or attributes take {size} bytes.", "Do not use this archive.")
        return bytes(self._stream.read(size))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Tar(tarfile.TarFile):
    """Bounds what the reader takes into memory before it tells of a member."""

    members: list[tarfile.TarInfo]
    fileobj: Any

    def next(self) -> tarfile.TarInfo | None:
        if not isinstance(self.fileobj, _HeaderReads):
            self.fileobj = _HeaderReads(self.fileobj)
        self.fileobj.bounded = True
        try:
            return super().next()
        finally:
            self.fileobj.bounded = False


class _Unpacked(io.RawIOBase):
    """The tar stream inside a compressed file, counted: reading beyond the limits raises UnsafeArchiveError."""

    def __init__(self, path: Path, packed: IO[bytes], stream: Readable, limits: Limits) -> None:
        self._path, self._packed, self._stream, self._limits = path, packed, stream, limits
        self._count = 0
        self.member = ""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size if 0 <= size < CHUNK else CHUNK)
        self._count += len(chunk)
        _check_size(self._path, self.member, self._count, self._packed.tell(), self._limits)
        return chunk


def _is_tar_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _tar_entries(path: Path, kind: Kind, limits: Limits) -> Iterator[Entry]:
    with path.open("rb") as packed, _decompressed(packed, kind) as stream:
        unpacked = _Unpacked(path, packed, stream, limits)
        with _Tar.open(fileobj=unpacked, mode="r|", bufsize=CHUNK, tarinfo=_CheckedTarInfo) as archive:
            yield from _tar_files(archive, path, unpacked)
        while unpacked.read(CHUNK):  # The checksum of the compressed stream comes after the archive's end.
            pass


@contextmanager
def _decompressed(packed: IO[bytes], kind: Kind) -> Iterator[Readable]:
    if kind == "tar":
        yield packed
        return
    with _DECOMPRESSORS[kind](packed) as stream:
        yield stream


def _tar_files(archive: _Tar, path: Path, unpacked: _Unpacked) -> Iterator[Entry]:
    while (info := archive.next()) is not None:
        archive.members = []  # tarfile keeps every header that it ever saw.
        name = safe_name(_tar_name(info), path)
        unpacked.member = name
        if info.isdir():
            yield Entry(name, 0, bytes, is_folder=True)
            continue
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE) or info.issparse():
            raise _unsafe(path, name, f"is {_TAR_KINDS.get(info.type, 'a sparse file or of an unknown type')}")
        yield Entry(name, info.size, partial(_read, path, partial(_tar_bytes, archive, info)))


def _tar_bytes(archive: _Tar, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info)
    content = file.read() if file else b""
    if len(content) != info.size:
        raise EOFError(f"{info.name!r} ends early")
    return content


def _tar_name(info: tarfile.TarInfo) -> str:
    """The name; where its bytes are not UTF-8, each byte is taken for a Latin-1 character, so that none is lost."""
    raw = info.name.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
