"""Decoded images: a split once on disk, a few in memory, and a clear word before a disk is full."""

import resource
from pathlib import Path

import numpy as np
import pytest
from variant_in_miniature import DATASET, project

from edgeloop.datasets.pixels import decoded, mapped, split_images
from edgeloop.errors import DiskError
from edgeloop.preprocessing import Preprocessing
from edgeloop.workspace import Workspace

PREPROCESSING = Preprocessing(resolution=64, resize="area", input_range=(0, 1))
CHOSEN = np.array([0, 3, 7])


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return project(tmp_path_factory.mktemp("pixels") / "project")


def cached(workspace: Workspace) -> list[Path]:
    return sorted((workspace.cache / "pixels").glob("*"))


def test_some_images_are_decoded_without_the_others(workspace: Workspace) -> None:
    images = split_images(workspace, DATASET, "train")
    few = decoded(workspace, images.chosen(CHOSEN), PREPROCESSING)
    assert cached(workspace) == []
    every = mapped(workspace, images, PREPROCESSING)
    assert np.array_equal(few.pixels, every.pixels[CHOSEN])
    assert few.labels.tolist() == every.labels[CHOSEN].tolist()
    assert few.rows["path"].tolist() == every.rows["path"].iloc[CHOSEN].tolist()


def test_a_part_on_disk_is_not_taken_for_another(workspace: Workspace) -> None:
    images = split_images(workspace, DATASET, "train", "val")
    first, second = (mapped(workspace, images.chosen(places), PREPROCESSING) for places in (CHOSEN, CHOSEN + 1))
    every = mapped(workspace, images, PREPROCESSING)
    assert np.array_equal(first.pixels, every.pixels[CHOSEN]) and np.array_equal(second.pixels, every.pixels[CHOSEN + 1])


def test_a_disk_without_room_is_told_before_anything_is_written(workspace: Workspace) -> None:
    """A limit on the size of files stands for a full disk, on which a mapped file would end the process with SIGBUS."""
    before = cached(workspace)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DiskError, match=r"it takes \d+\.\d kB, and .* [MG]B are free"):
            mapped(workspace, split_images(workspace, DATASET, "test"), PREPROCESSING)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert cached(workspace) == before
