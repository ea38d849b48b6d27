"""Decoded images of a split: all of them as one array on disk, made once and shared by training and evaluation, or a few in memory."""

import errno
import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edgeloop.cpus import usable_cpus
from edgeloop.datasets.manifest import ShardReader, class_names, manifest_color, read_manifest
from edgeloop.errors import DiskError, InputError
from edgeloop.files import atomic_path, sha256_file
from edgeloop.plural import in_bytes
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.progress import progress
from edgeloop.resolution import Color
from edgeloop.workspace import Workspace

CHUNK = 64
LEARNING = ("train", "val")
"""The splits that a model may learn from; `test` is read once, by `evaluate`."""


@dataclass(frozen=True)
class SplitImages:
    """The images of one split or of several, in the order of the manifest, not decoded yet."""

    dataset: str
    name: str
    """Which they are, in a word that a file's name can hold."""
    rows: pd.DataFrame
    """Their manifest rows."""
    labels: NDArray[np.int32]
    """(n,) class indices."""
    classes: list[str]
    """Class names by index."""
    manifest_sha256: str
    color: Color = "rgb"
    """Of what is stored."""

    def chosen(self, places: NDArray[np.intp]) -> "SplitImages":
        """Some of them; `places` ascend."""
        part = hashlib.sha256(np.asarray(places, np.int64).tobytes()).hexdigest()[:12]
        return replace(self, name=f"{self.name}.{part}", rows=self.rows.iloc[places].reset_index(drop=True), labels=self.labels[places])


@dataclass(frozen=True, kw_only=True)
class SplitPixels(SplitImages):
    """The images with their pixels."""

    pixels: Pixels
    """(n, height, width, channels) uint8."""


def split_images(workspace: Workspace, dataset: str, *splits: str) -> SplitImages:
    """The images of these splits of a prepared data set.

    Raises:
        InputError: the data set is not prepared, or one of the splits is empty.
    """
    paths = workspace.dataset(dataset)
    manifest = read_manifest(paths.manifest)
    rows = manifest[manifest["split"].isin(splits)].reset_index(drop=True)
    for split in splits:
        if not (rows["split"] == split).any():
            raise InputError(f"The split '{split}' of {dataset} has no images.", f"See {paths.prepare_record} and its quarantine.")
    classes = class_names(manifest)
    labels = pd.Categorical(rows["label"], categories=classes).codes.astype(np.int32)
    return SplitImages(dataset, "+".join(splits), rows, labels, classes, sha256_file(paths.manifest), manifest_color(paths.manifest))


def split_pixels(workspace: Workspace, dataset: str, split: str, preprocessing: Preprocessing) -> SplitPixels:
    """Every image of a split, as `mapped` gives them.

    Raises:
        InputError: the data set is not prepared, or the split is empty.
        DiskError: there is no room for them.
    """
    return mapped(workspace, split_images(workspace, dataset, split), preprocessing)


def mapped(workspace: Workspace, images: SplitImages, preprocessing: Preprocessing) -> SplitPixels:
    """The images decoded by `preprocessing`, mapped from a file of the cache, which is written where it is not there yet.

    Raises:
        DiskError: there is no room for it.
    """
    grey = " grey" if preprocessing.color == "grey" else ""
    of = f"{images.manifest_sha256} {images.name} {preprocessing.resolution} {preprocessing.resize}{grey}"
    key = hashlib.sha256(of.encode()).hexdigest()[:24]
    cached = workspace.cache / "pixels" / f"{images.dataset}-{images.name}-{preprocessing.resolution}-{key}.npy"
    if not cached.exists():
        with atomic_path(cached) as temporary:
            _take_room(temporary, cached, math.prod(_shape(images, preprocessing)))
            pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=_shape(images, preprocessing))
            what = f"decode {images.dataset} {images.name.partition('.')[0]}"
            with progress(what, len(pixels), "images") as advance:
                _decode(workspace, images, preprocessing, pixels, advance)
            pixels.flush()
    return _with(images, np.load(cached, mmap_mode="r"))


def decoded(workspace: Workspace, images: SplitImages, preprocessing: Preprocessing) -> SplitPixels:
    """The images decoded by `preprocessing`, in memory: for a few, which need no file of the cache."""
    pixels = np.empty(_shape(images, preprocessing), np.uint8)
    _decode(workspace, images, preprocessing, pixels, lambda _: None)
    return _with(images, pixels)


def _with(images: SplitImages, pixels: Pixels) -> SplitPixels:
    known = {field.name: getattr(images, field.name) for field in fields(SplitImages)}
    return SplitPixels(**known, pixels=pixels)


def _shape(images: SplitImages, preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    return len(images.labels), *preprocessing.shape


def _take_room(file: Path, target: Path, size_bytes: int) -> None:
    """Refuse at once what the disk cannot hold: a mapped file that outgrows it would end the process with SIGBUS."""
    with file.open("r+b") as opened:
        try:
            os.posix_fallocate(opened.fileno(), 0, size_bytes)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                return  # the file system cannot reserve
            free = shutil.disk_usage(target.parent).free
            raise DiskError(
                f"{target} cannot be written: it takes {in_bytes(size_bytes)}, and {in_bytes(free)} are free.",
                "Free some space (the decoded images of other data sets in that folder may be deleted), then give the same command again.",
            ) from error


def _decode(
    workspace: Workspace, images: SplitImages, preprocessing: Preprocessing, pixels: Pixels, advance: Callable[[int], None]
) -> None:
    """Fill `pixels`, on all cores."""
    rows = images.rows
    with ShardReader(workspace.dataset(images.dataset).images) as shards:

        def fill(start: int) -> int:
            chunk = rows.iloc[start : start + CHUNK]
            for index, encoded in enumerate(shards.read_rows(chunk), start):
                pixels[index] = preprocessing.stored_pixels(encoded)
            return len(chunk)

        with ThreadPoolExecutor(usable_cpus()) as pool:
            for done in pool.map(fill, range(0, len(rows), CHUNK)):
                advance(done)


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices that cover `count` items, `size` at a time."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
