"""The drawn sample set: the same bytes from the same seed, and pictures whose colour does not give the class away."""

import hashlib
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeloop.config import Drawn, load_params
from edgeloop.datasets.sample import KINDS, draw_archive, draw_flower
from edgeloop.errors import InputError
from edgeloop.preprocessing import decode
from edgeloop.workspace import Workspace

FEW = Drawn(per_class=3, size=64)


def drawn(folder: Path, settings: Drawn) -> Path:
    path = folder / f"{settings.per_class}-{settings.size}-{settings.seed}.tar"
    draw_archive(settings, path)
    return path


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path, "r:") as tar:
        return {member.name: file.read() for member in tar if (file := tar.extractfile(member))}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    first = sha256(drawn(tmp_path, FEW))
    assert sha256(drawn(tmp_path, FEW)) == first
    assert sha256(drawn(tmp_path, FEW.model_copy(update={"seed": 128}))) != first


def test_a_larger_set_leaves_the_other_pictures_as_they_were(tmp_path: Path) -> None:
    few, more = (contents(drawn(tmp_path, FEW.model_copy(update={"per_class": count}))) for count in (2, 3))
    assert len(more) > len(few)
    assert {name: more[name] for name in few} == few


def test_it_is_laid_out_as_the_upstream_archives_are(tmp_path: Path) -> None:
    with tarfile.open(drawn(tmp_path, FEW), "r:") as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == [f"sample/{kind}/{kind}_{index:04d}.jpg" for kind in KINDS for index in (1, 2, 3)]
    assert {(member.mtime, member.uid, member.uname, member.mode) for member in members} == {(0, 0, "", 0o644)}


def test_every_picture_is_another_rgb_jpeg_of_the_size_asked_for(tmp_path: Path) -> None:
    pictures = contents(drawn(tmp_path, FEW))
    assert {decode(picture).shape for picture in pictures.values()} == {(64, 64, 3)}
    assert all(picture.startswith(b"\xff\xd8\xff") for picture in pictures.values())
    assert len(set(pictures.values())) == len(pictures) == 15


def test_the_kinds_are_those_that_the_parameters_declare(workspace: Workspace) -> None:
    assert load_params(workspace).dataset("sample").validation.classes == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [32, 97, 256])
def test_a_flower_fills_a_picture_of_any_size(kind: str, size: int) -> None:
    picture = draw_flower(kind, np.random.default_rng(5), size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 10
    assert np.array_equal(picture, draw_flower(kind, np.random.default_rng(5), size))


def test_an_unknown_kind_is_answered_with_the_near_match() -> None:
    with pytest.raises(InputError, match="did you mean 'tulip'"):
        draw_flower("tulips", np.random.default_rng(0), 64)


@pytest.fixture(scope="module")
def pictures() -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """60 pictures a class of 48 pixels: (300, 48, 48, 3), and their classes."""
    drawings = [
        draw_flower(kind, np.random.default_rng([7, number, index]), 48) for number, kind in enumerate(KINDS) for index in range(60)
    ]
    return np.stack(drawings).astype(float), np.repeat(np.arange(len(KINDS)), 60)


def linear_accuracy(features: NDArray[np.float64], labels: NDArray[np.intp]) -> float:
    """Of a least-squares classifier, trained on two of three pictures and tested on the third."""
    scaled = (features - features.mean(0)) / features.std(0)
    inputs = np.column_stack([scaled, np.ones(len(scaled))])
    held_out = np.arange(len(labels)) % 3 == 0
    weights = np.linalg.lstsq(inputs[~held_out], np.eye(len(KINDS))[labels[~held_out]], rcond=None)[0]
    return float(((inputs[held_out] @ weights).argmax(1) == labels[held_out]).mean())


@pytest.mark.thorough
def test_colour_alone_does_not_tell_the_kinds_apart(pictures: tuple[NDArray[np.float64], NDArray[np.intp]]) -> None:
    pixels, labels = pictures
    whole = pixels.mean((1, 2))
    middle = pixels[:, 12:36, 12:36].mean((1, 2))
    assert linear_accuracy(np.hstack([whole, middle]), labels) < 0.45


@pytest.mark.thorough
def test_form_does_tell_them_apart(pictures: tuple[NDArray[np.float64], NDArray[np.intp]]) -> None:
    """Where edges are, on a grid of 6 x 6, says more than chance even to a linear classifier."""
    pixels, labels = pictures
    grey = pixels.mean(3)
    edges = np.abs(np.diff(grey, axis=1))[:, :, :-1] + np.abs(np.diff(grey, axis=2))[:, :-1]
    grid = edges[:, :42, :42].reshape(len(labels), 6, 7, 6, 7).mean((2, 4)).reshape(len(labels), -1)
    assert linear_accuracy(np.log1p(grid), labels) > 0.45


def test_600_pictures_would_take_well_under_half_a_minute() -> None:
    started = time.process_time()
    for kind in KINDS:
        for index in range(4):
            draw_flower(kind, np.random.default_rng(index), 160)
    assert (time.process_time() - started) / 20 * 600 < 30
