"""Writing shards: plain tar files with fixed headers, so that equal images give equal bytes."""

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SHARD_BYTES = 64 << 20
BUFFER_BYTES = 4 << 20
END_MARK = b"\0" * 2 * tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Place:
    """Where stored bytes are."""

    shard: str
    offset: int
    length: int


class ShardWriter:
    """Writes `shards-00000.tar`, `shards-00001.tar`, … of at most `shard_bytes` each (one larger image apart)."""

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self._folder, self._limit = folder, shard_bytes
        self._file: IO[bytes] | None = None
        self._offset = 0
        self._members = 0
        self.shards = 0
        self.total_bytes = 0

    def add(self, content: bytes) -> Place:
        """Store the bytes of one image; its member is named by its number."""
        info = tarfile.TarInfo(f"{self._members:08d}.jpg")
        info.size = len(content)
        header = info.tobuf(tarfile.USTAR_FORMAT)
        member = b"".join((header, content, b"\0" * (-len(content) % tarfile.BLOCKSIZE)))
        file = self._room_for(len(member) + len(END_MARK))
        file.write(member)
        place = Place(self._name(self.shards - 1), self._offset + len(header), len(content))
        self._offset += len(member)
        self._members += 1
        return place

    def close(self) -> None:
        """Write the end mark of the last shard."""
        if self._file is not None:
            self._file.write(END_MARK)
            self._file.close()
            self._file = None
            self.total_bytes += self._offset + len(END_MARK)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _room_for(self, size: int) -> IO[bytes]:
        if self._file is not None and self._offset + size > self._limit:
            self.close()
        if self._file is None:
            self._file = (self._folder / self._name(self.shards)).open("wb", buffering=BUFFER_BYTES)
            self._offset = 0
            self.shards += 1
        return self._file

    @staticmethod
    def _name(number: int) -> str:
        return f"shards-{number:05d}.tar"
