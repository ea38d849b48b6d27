"""Decoded images of a split as one array on disk, made once and shared by training, calibration and evaluation."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edgeloop.datasets.manifest import ShardReader, class_names, read_manifest
from edgeloop.errors import InputError
from edgeloop.files import atomic_path, sha256_file
from edgeloop.preprocessing import Pixels, Preprocessing
from edgeloop.progress import progress
from edgeloop.workspace import Workspace

CHUNK = 64
LEARNING = ("train", "val")
"""The splits that a model may learn from; `test` is read once, by `evaluate`."""


@dataclass(frozen=True)
class SplitPixels:
    """The images of one split, in the order of the manifest."""

    rows: pd.DataFrame
    """Their manifest rows."""
    pixels: Pixels
    """(n, side, side, 3) uint8 RGB, mapped from disk."""
    labels: NDArray[np.int32]
    """(n,) class indices."""
    classes: list[str]
    """Class names by index."""
    manifest_sha256: str


def split_pixels(workspace: Workspace, dataset: str, split: str, preprocessing: Preprocessing) -> SplitPixels:
    """Decode a split of a prepared data set by `preprocessing`, or take it from the cache.

    Raises:
        InputError: the data set is not prepared, or the split is empty.
    """
    return _pixels(workspace, dataset, (split,), preprocessing)


def learning_pixels(workspace: Workspace, dataset: str, preprocessing: Preprocessing) -> SplitPixels:
    """As `split_pixels`, for `train` and `val` together, in the manifest's order.

    Raises:
        InputError: the data set is not prepared, or one of the two is empty.
    """
    return _pixels(workspace, dataset, LEARNING, preprocessing)


def learning_images(workspace: Workspace, dataset: str) -> int:
    """How many images a model may learn from."""
    return int(read_manifest(workspace.dataset(dataset).manifest)["split"].isin(LEARNING).sum())


def _pixels(workspace: Workspace, dataset: str, splits: tuple[str, ...], preprocessing: Preprocessing) -> SplitPixels:
    paths = workspace.dataset(dataset)
    manifest = read_manifest(paths.manifest)
    rows = manifest[manifest["split"].isin(splits)].reset_index(drop=True)
    for split in splits:
        if not (rows["split"] == split).any():
            raise InputError(f"The split '{split}' of {dataset} has no images.", f"See {paths.prepare_record} and its quarantine.")
    split = "+".join(splits)
    classes = class_names(manifest)
    digest = sha256_file(paths.manifest)
    key = hashlib.sha256(f"{digest} {split} {preprocessing.resolution} {preprocessing.resize}".encode()).hexdigest()[:24]
    cached = workspace.cache / "pixels" / f"{dataset}-{split}-{preprocessing.resolution}-{key}.npy"
    if not cached.exists():
        _decode(rows, paths.images, preprocessing, cached, f"decode {dataset} {split}")
    labels = pd.Categorical(rows["label"], categories=classes).codes.astype(np.int32)
    return SplitPixels(rows, np.load(cached, mmap_mode="r"), labels, classes, digest)


def _decode(rows: pd.DataFrame, folder: Path, preprocessing: Preprocessing, target: Path, what: str) -> None:
    side = preprocessing.resolution
    with atomic_path(target) as temporary, ShardReader(folder) as shards, progress(what, len(rows), "images") as advance:
        pixels = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(len(rows), side, side, 3))

        def fill(start: int) -> int:
            chunk = rows.iloc[start : start + CHUNK]
            for index, encoded in enumerate(shards.read_rows(chunk), start):
                pixels[index] = preprocessing.stored_pixels(encoded)
            return len(chunk)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for done in pool.map(fill, range(0, len(rows), CHUNK)):
                advance(done)
        pixels.flush()


def batches(count: int, size: int) -> Iterator[slice]:
    """Slices that cover `count` items, `size` at a time."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
