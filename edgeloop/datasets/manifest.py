"""The manifest: one Parquet row for each member of an archive that lies in a class folder, and its reader.

Shards are plain tar files; a row's `shard`, `offset` and `length` say where its stored bytes are, so that a reader
needs no index: `open(shard).seek(offset).read(length)`.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from edgeloop.errors import InputError
from edgeloop.files import atomic_path
from edgeloop.resolution import Color

SPLITS = ("train", "val", "test")
COLOR = "color"
"""The key in the file's own description that says `grey`; absent for RGB."""
DROPPED = "dropped"
"""The kind of reason of what somebody took out (`edgeloop drop`)."""

SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # of the member in the archive
        ("label", pa.string()),  # its class folder
        ("split", pa.string()),  # train, val, test, or null when quarantined
        ("width", pa.int32()),  # upright, as decoded; null when it does not decode
        ("height", pa.int32()),
        ("mode", pa.string()),  # Pillow's name of the pixel format as found: RGB, L, CMYK, P, RGBA, ...
        ("format", pa.string()),  # by content, not by name: JPEG, PNG, BMP, WEBP, MPO, ...
        ("bytes", pa.int64()),  # of the member as found
        ("sha256", pa.string()),  # of the member as found
        ("phash", pa.string()),  # 64-bit perceptual hash, 16 hexadecimal digits
        ("brightness", pa.float32()),  # mean luma, 0..255
        ("sharpness", pa.float32()),  # variance of the Laplacian of the luma
        ("duplicate_group", pa.int32()),  # images with the same number are the same picture, exactly or nearly; else null
        ("reason", pa.string()),  # why it is quarantined, or null
        ("shard", pa.string()),  # file name of the shard with the stored bytes; null when nothing is stored
        ("offset", pa.int64()),
        ("length", pa.int64()),
    ]
)


def write_manifest(rows: pd.DataFrame, path: Path, color: Color = "rgb") -> None:
    """Write rows of `SCHEMA`, sorted by path, so that equal rows give equal bytes; and the colour of what is stored, where it is grey."""
    table = pa.Table.from_pandas(rows.sort_values("path", ignore_index=True), schema=SCHEMA, preserve_index=False)
    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata({COLOR: color} if color != "rgb" else None), temporary, compression="zstd")


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a manifest: the columns of `SCHEMA`, sorted by path.

    Raises:
        InputError: it is absent or is not a manifest.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        dataset = path.parent.parent.name
        raise InputError(f"{path} does not exist.", f"Prepare the data set first: dvc repro prepare@{dataset}") from None
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is not a manifest: {error}", "Delete it and prepare the data set again.") from error
    if missing := [name for name in SCHEMA.names if name not in table.column_names]:
        raise InputError(f"{path} has no column {', '.join(missing)}.", "Prepare the data set again.")
    frame: pd.DataFrame = table.to_pandas()
    return frame


def manifest_color(path: Path) -> Color:
    """The colour of the images that a manifest, which `read_manifest` takes, is of."""
    return "grey" if (pq.read_schema(path).metadata or {}).get(COLOR.encode()) == b"grey" else "rgb"


def class_names(manifest: pd.DataFrame) -> list[str]:
    """The labels of all images that are in a split, sorted: a class's index is its place here."""
    return sorted(manifest.loc[manifest["split"].notna(), "label"].unique())


def was_dropped(manifest: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows somebody took out."""
    return manifest["reason"].astype("string").str.startswith(f"{DROPPED}:").fillna(False).astype(bool)


class ShardReader:
    """Reads stored images of a data set's `images` folder; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handles: dict[str, int] = {}

    def read(self, shard: str, offset: int, length: int) -> bytes:
        """The stored bytes of one image."""
        if shard not in self._handles:
            self._handles[shard] = os.open(self._folder / shard, os.O_RDONLY)
        stored = os.pread(self._handles[shard], length, offset)
        if len(stored) != length:
            raise InputError(f"{self._folder / shard} is shorter than its manifest says.", "Restore it: dvc checkout.")
        return stored

    def read_rows(self, rows: pd.DataFrame) -> Sequence[bytes]:
        """The stored bytes of each row, in order."""
        places = zip(rows["shard"], rows["offset"], rows["length"], strict=True)
        return [self.read(shard, int(offset), int(length)) for shard, offset, length in places]

    def close(self) -> None:
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()

    def __enter__(self) -> "ShardReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
