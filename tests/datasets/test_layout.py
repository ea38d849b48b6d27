"""Class folders are found wherever they lie in an archive; the rest is listed."""

import pytest

from edgeloop.datasets.layout import class_layout
from edgeloop.errors import DataError


def test_the_root_is_the_folder_with_most_images() -> None:
    layout = class_layout(["food/meta/train.json", "food/images/pie/1.jpg", "food/images/pho/2.JPG", "food/README/pictures/a.png"])
    assert layout.root == "food/images"
    assert layout.labels == {"food/images/pie/1.jpg": "pie", "food/images/pho/2.JPG": "pho"}
    assert layout.outside == ["food/README/pictures/a.png", "food/meta/train.json"]


def test_class_folders_may_be_at_the_top() -> None:
    assert class_layout(["cat/1.jpg", "dog/2.jpg", "LICENSE.txt"]).labels == {"cat/1.jpg": "cat", "dog/2.jpg": "dog"}


def test_every_file_of_a_class_folder_is_looked_at() -> None:
    layout = class_layout(["s/cat/1.jpg", "s/cat/note.txt", "s/cat/noextension"])
    assert set(layout.labels) == {"s/cat/1.jpg", "s/cat/note.txt", "s/cat/noextension"}


def test_a_folder_without_images_is_no_class() -> None:
    layout = class_layout(["s/cat/1.jpg", "s/doc/readme.txt", "s/cat/deeper/2.jpg"])
    assert layout.labels == {"s/cat/1.jpg": "cat"}
    assert layout.outside == ["s/cat/deeper/2.jpg", "s/doc/readme.txt"]


def test_what_desktop_systems_leave_behind_is_no_image() -> None:
    litter = ["__MACOSX/s/cat/1.jpg", "s/cat/._1.jpg", "s/cat/.DS_Store", "s/cat/Thumbs.db", "s/.git/x.jpg"]
    layout = class_layout([*litter, "s/cat/1.jpg"])
    assert layout.labels == {"s/cat/1.jpg": "cat"}
    assert layout.outside == sorted(litter)


def test_files_without_any_extension_are_taken_for_images() -> None:
    assert class_layout(["s/cat/1", "s/dog/2"]).labels == {"s/cat/1": "cat", "s/dog/2": "dog"}


def test_names_may_hold_anything() -> None:
    paths = ["ä b/Pepper,_bell (x)/[1], 日本.JPG", "ä b/Corn Gray spot/1 'quoted'.jpeg"]
    assert set(class_layout(paths).labels.values()) == {"Pepper,_bell (x)", "Corn Gray spot"}


@pytest.mark.parametrize("paths", [[], ["1.jpg", "2.jpg"], ["__MACOSX/cat/1.jpg"]])
def test_an_archive_without_class_folders_is_refused(paths: list[str]) -> None:
    with pytest.raises(DataError, match="no class folders"):
        class_layout(paths)
