"""The one walk through a folder of pictures, and how fetch, ingest, evaluate and quantize stand on it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets_in_miniature import jpeg

from edgeloop.datasets.folder import read_picture, walk_folder
from edgeloop.datasets.pack import pack_folder
from edgeloop.errors import InputError, PictureError
from edgeloop.evaluation.folder import evaluate_folder
from edgeloop.framework import load_tensorflow
from edgeloop.ingest.incoming import IncomingFolder
from edgeloop.preprocessing import Preprocessing
from edgeloop.quantization.quantize import quantize_file

Step = Callable[[Path], object]


def fill(folder: Path, *paths: str) -> Path:
    for number, path in enumerate(paths):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(jpeg(number))
    return folder


def test_files_and_bare_folders_are_listed_and_hidden_ones_counted(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.jpg", "b/1.TIF", "a/x/3.gif", "note.txt")
    fill(tmp_path, ".git/objects/1", ".git/2", "b/._2.jpg", "b/.hidden.jpg", "__MACOSX/b/._1.jpg")
    fill(tmp_path, "a/@eaDir/1.jpg", "a/Thumbs.db", "c/.DS_Store")
    (tmp_path / "bare" / "deeper").mkdir(parents=True)
    walked = walk_folder(tmp_path)
    assert walked.files == ["a/x/3.gif", "b/1.TIF", "b/2.jpg", "note.txt"]
    assert walked.pictures == ["a/x/3.gif", "b/1.TIF", "b/2.jpg"]
    assert walked.bare == ["bare/deeper", "c"]
    assert walked.hidden == 8


def test_where_no_name_is_that_of_a_picture_all_files_are_taken_for_some(tmp_path: Path) -> None:
    assert walk_folder(fill(tmp_path, "a/1", "b/2")).pictures == ["a/1", "b/2"]


def test_a_folder_named_like_a_picture_is_a_folder(tmp_path: Path) -> None:
    (fill(tmp_path, "a/1.jpg") / "a" / "album.jpg").mkdir()
    walked = walk_folder(tmp_path)
    assert (walked.pictures, walked.bare) == (["a/1.jpg"], ["a/album.jpg"])


@pytest.fixture(scope="module")
def float_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    load_tensorflow()
    import keras

    image = keras.Input((96, 96, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, 2)(image))
    path = tmp_path_factory.mktemp("any") / "any.keras"
    keras.Model(image, keras.layers.Dense(3, activation="softmax")(pooled)).save(path)
    return path


def _fetch(folder: Path) -> object:
    return pack_folder(folder, folder.parent / "packed.tar")


def _ingest(folder: Path) -> object:
    return IncomingFolder(folder).arrivals()


@pytest.fixture
def steps(miniatures: Path, float_model: Path) -> list[Step]:
    """What each step does with a folder."""
    unscaled = Preprocessing(resolution=96, resize="area", input_range=(-1, 1))
    return [
        _fetch,
        _ingest,
        lambda folder: evaluate_folder(miniatures / "per_channel.tflite", folder),
        lambda folder: quantize_file(float_model, folder, folder.parent / "out", preprocessing=unscaled),
    ]


def test_links_devices_and_what_may_not_be_read_are_refused_by_every_step_alike(steps: list[Step], tmp_path: Path) -> None:
    def broken(folder: Path) -> Path:
        (folder / "red" / "gone.jpg").symlink_to("/nowhere.jpg")
        return folder / "red" / "gone.jpg"

    def to_folder(folder: Path) -> Path:
        (folder / "more").symlink_to(tmp_path)
        return folder / "more"

    def pipe(folder: Path) -> Path:
        os.mkfifo(folder / "red" / "pipe.jpg")
        return folder / "red" / "pipe.jpg"

    for number, spoil in enumerate((broken, to_folder, pipe)):
        folder = fill(tmp_path / f"pictures {number}", "red/1.jpg", "green/1.jpg", "blue/1.jpg")
        culprit = spoil(folder)
        for step in steps:
            with pytest.raises(InputError) as refused:
                step(folder)
            assert refused.value.what == f"{culprit} is a link or a device, which is not followed."


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_no_empty_folder(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "b").chmod(0)
    try:
        with pytest.raises(InputError, match=r"b cannot be read: Permission denied"):
            walk_folder(tmp_path)
    finally:
        (tmp_path / "b").chmod(0o755)


@pytest.mark.thorough
def test_every_step_takes_the_same_files(steps: list[Step], tmp_path: Path) -> None:
    """Hidden files, litter and folders named like pictures stop none of them."""
    folder = fill(tmp_path / "pictures", *(f"{label}/{n}.jpg" for label in ("red", "green", "blue") for n in range(2)))
    (folder / "red" / "._0.jpg").write_bytes(b"\0\5\x16\7")
    (folder / "red" / "album.jpg").mkdir()
    (folder / "__MACOSX").mkdir()
    for step in steps:
        step(folder)


def test_a_picture_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="not readable: No such file"):
        read_picture(tmp_path / "absent.jpg")
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(64_000_001)
    with pytest.raises(PictureError, match="too many bytes: 64000001 of at most 64000000"):
        read_picture(tmp_path / "large.jpg")
