"""Class folders are found wherever they lie in an archive; the rest is listed."""

from collections import Counter
from typing import Any

import pytest

from edgeloop.config import Prepare
from edgeloop.datasets.layout import class_layout
from edgeloop.datasets.outside import counted, in_words
from edgeloop.datasets.split_folders import split_of
from edgeloop.errors import DataError


def pictures(root: str, **counts: int) -> list[str]:
    """So many pictures in each folder below `root`; `a__b` stands for `a/b`."""
    return [f"{root}/{name.replace('__', '/')}/{number}.jpg".lstrip("/") for name, count in counts.items() for number in range(count)]


def prepare_of(**settings: Any) -> Prepare:
    return Prepare.model_validate(settings)


def test_the_root_is_the_folder_with_most_images() -> None:
    images = pictures("food/images", pie=10, pho=10)
    layout = class_layout(["food/meta/train.json", *images, "food/README/pictures/a.png"])
    assert layout.root == "food/images"
    assert layout.labels == {path: path.split("/")[2] for path in images}
    assert layout.outside == ["food/README/pictures/a.png", "food/meta/train.json"]
    assert (layout.pictures_outside, layout.empty) == (["food/README/pictures/a.png"], [])


def test_class_folders_may_be_at_the_top() -> None:
    assert class_layout(["cat/1.jpg", "dog/2.jpg", "LICENSE.txt"]).labels == {"cat/1.jpg": "cat", "dog/2.jpg": "dog"}


def test_every_file_of_a_class_folder_is_looked_at() -> None:
    layout = class_layout(["s/cat/1.jpg", "s/cat/note.txt", "s/cat/noextension"])
    assert set(layout.labels) == {"s/cat/1.jpg", "s/cat/note.txt", "s/cat/noextension"}


def test_a_folder_without_images_is_no_class() -> None:
    layout = class_layout(["s/cat/1.jpg", "s/doc/readme.txt", "s/cat/deeper/2.jpg"])
    assert layout.labels == {"s/cat/1.jpg": "cat"}
    assert layout.outside == ["s/cat/deeper/2.jpg", "s/doc/readme.txt"]
    assert layout.pictures_outside == ["s/cat/deeper/2.jpg"]
    assert layout.empty == ["s/doc"]


def test_what_desktop_systems_leave_behind_is_no_image() -> None:
    litter = ["__MACOSX/s/cat/1.jpg", "s/cat/._1.jpg", "s/cat/.hidden.jpg", "s/cat/.DS_Store", "s/cat/Thumbs.db", "s/.git/x.jpg"]
    layout = class_layout([*litter, "s/cat/1.jpg"], folders=["s/.cache", "s/@eaDir"])
    assert layout.labels == {"s/cat/1.jpg": "cat"}
    assert layout.outside == sorted(litter)
    assert (layout.pictures_outside, layout.empty) == ([], [])
    assert counted(layout).hidden == 6


def test_files_without_any_extension_are_taken_for_images() -> None:
    assert class_layout(["s/cat/1", "s/dog/2"]).labels == {"s/cat/1": "cat", "s/dog/2": "dog"}


def test_names_may_hold_anything() -> None:
    paths = ["ä b/Pepper,_bell (x)/[1], 日本.JPG", "ä b/Corn Gray spot/1 'quoted'.jpeg"]
    assert set(class_layout(paths).labels.values()) == {"Pepper,_bell (x)", "Corn Gray spot"}


@pytest.mark.parametrize("paths", [[], ["1.jpg", "2.jpg"], ["__MACOSX/cat/1.jpg"]])
def test_an_archive_without_class_folders_is_refused(paths: list[str]) -> None:
    with pytest.raises(DataError, match="no class folders"):
        class_layout(paths)


def test_pictures_below_class_folders_are_counted_where_they_lie() -> None:
    layout = class_layout([*pictures("mixed", cats=20, cats__more=30, dogs=20, dogs__more=30), "mixed/note.txt", "top.jpg"])
    assert Counter(layout.labels.values()) == {"cats": 20, "dogs": 20}
    outside = counted(layout)
    assert (outside.pictures, outside.places) == (61, {"": 1, "mixed/cats/more": 30, "mixed/dogs/more": 30})
    assert in_words(outside) == [
        "61 pictures outside the class folders: 30 in mixed/cats/more, 30 in mixed/dogs/more, 1 in the top folder",
    ]


NESTED = pictures("images", cats__day0=12, cats__day1=12, cats__day2=12, dogs__day0=12, dogs__day1=12)


def test_folders_of_one_class_are_not_taken_for_the_classes_in_silence() -> None:
    with pytest.raises(DataError) as unclear:
        class_layout(NESTED)
    assert unclear.value.what == (
        "Which folders are the classes? cats, dogs (60 pictures, in folders below them), "
        "or day0, day1, day2 (36 pictures, directly in the folders of images/cats)."
    )
    assert "prepare: {layout: {nested: true}}" in unclear.value.remedy
    assert "prepare: {layout: {root: 'images/cats'}}" in unclear.value.remedy
    with pytest.raises(DataError, match=r"more \(100 pictures"):
        class_layout(pictures("mixed", cats=20, cats__more=100, dogs=20, dogs__more=90))


def test_nested_folders_belong_to_their_class() -> None:
    nested = class_layout(NESTED, prepare_of(layout={"nested": True}))
    assert (nested.root, Counter(nested.labels.values()), nested.outside) == ("images", {"cats": 36, "dogs": 24}, [])
    mixed = class_layout(pictures("mixed", cats=20, cats__more=30, dogs=20, dogs__a__b=30), prepare_of(layout={"nested": True}))
    assert (mixed.root, Counter(mixed.labels.values())) == ("mixed", {"cats": 50, "dogs": 50})


def test_a_declared_root_is_the_folder_of_the_class_folders() -> None:
    layout = class_layout([*NESTED, "images/cats/loose.jpg"], prepare_of(layout={"root": "./images/cats/"}))
    assert set(layout.labels.values()) == {"day0", "day1", "day2"}
    assert (layout.pictures_outside, layout.left_out) == (["images/cats/loose.jpg"], 24)
    assert "24 pictures not below prepare.layout.root" in in_words(counted(layout))
    with pytest.raises(DataError, match=r"no class folders with images directly in image\.\n.*Correct prepare\.layout\.root"):
        class_layout(NESTED, prepare_of(layout={"root": "image"}))


@pytest.mark.parametrize(
    "train", ["train", "Training", "train_set", "TRAINING-SET", "seg_train", "train images", "traindata", "data.train"]
)
def test_folders_of_splits_are_known_by_many_names(train: str) -> None:
    assert split_of(train) == "train"
    assert {split_of(name) for name in ("val", "valid", "Validation", "validation_set")} == {"val"}
    assert {split_of(name) for name in ("test", "Testing", "test set", "seg_test", "evaluation")} == {"test"}
    assert {split_of(name) for name in ("trains", "roses", "contest", "train station", "latest", "")} == {None}


KAGGLE = pictures("set", train__cat=60, train__dog=50, valid__cat=20, valid__dog=20, test__cat=10, test__dog=10)
DOUBLED = pictures("", seg_train__seg_train__cat=60, seg_train__seg_train__dog=60, seg_test__seg_test__cat=9, seg_test__seg_test__dog=9)


def test_folders_of_splits_are_named_with_what_to_write() -> None:
    with pytest.raises(DataError) as asked:
        class_layout(KAGGLE)
    assert "set/test (20 pictures), set/train (110 pictures), set/valid (40 pictures)" in asked.value.what
    assert "prepare: {split: {rule: folders}} to use them" in asked.value.remedy
    assert "prepare: {layout: {merge: true}} to merge them" in asked.value.remedy
    with pytest.raises(DataError, match=r"seg_test/seg_test \(18 pictures\), seg_train/seg_train \(120"):
        class_layout(DOUBLED)


def test_folders_of_splits_are_used_or_merged() -> None:
    used = class_layout(KAGGLE, prepare_of(split={"rule": "folders"}))
    assert (used.root, used.outside, used.empty) == ("set", [], [])
    assert Counter(used.labels.values()) == {"cat": 90, "dog": 80}
    assert Counter(used.splits.values()) == {"train": 110, "val": 40, "test": 20}
    merged = class_layout(KAGGLE, prepare_of(layout={"merge": True}))
    assert (merged.labels, merged.splits) == (used.labels, {})
    doubled = class_layout(DOUBLED, prepare_of(split={"rule": "folders"}))
    assert Counter(doubled.splits.values()) == {"train": 120, "test": 18}
    deep = class_layout(
        [path.replace("/cat/", "/cat/monday/") for path in KAGGLE], prepare_of(split={"rule": "folders"}, layout={"nested": True})
    )
    assert (Counter(deep.labels.values()), deep.outside) == ({"cat": 90, "dog": 80}, [])


def test_pictures_beside_the_folders_of_splits_are_counted() -> None:
    layout = class_layout([*KAGGLE, *pictures("set", pred=7)], prepare_of(layout={"merge": True}))
    assert counted(layout).places == {"set/pred": 7}


def test_a_test_folder_without_class_folders_is_outside() -> None:
    layout = class_layout(pictures("", train__cat=20, train__dog=20, test=30))
    assert (layout.root, counted(layout).places) == ("train", {"test": 30})


def test_a_class_may_be_named_like_a_split() -> None:
    assert set(class_layout(pictures("vehicles", train=9, car=9, test=9)).labels.values()) == {"train", "car", "test"}


@pytest.mark.parametrize("settings", [{"split": {"rule": "folders"}}, {"layout": {"merge": True}}])
def test_settings_for_folders_of_splits_do_not_do_nothing(settings: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"no folders for training, validation and test.*\n.*Leave"):
        class_layout(pictures("set", cat=10, dog=10), prepare_of(**settings))


def test_two_folders_for_one_split_are_not_guessed_at() -> None:
    several = pictures("", color__train__a=9, color__test__a=9, grey__train__a=9, grey__test__a=9)
    with pytest.raises(DataError, match=r"not one each for training"):
        class_layout(several, prepare_of(split={"rule": "folders"}))
    one = class_layout(several, prepare_of(split={"rule": "folders"}, layout={"root": "color"}))
    assert (Counter(one.splits.values()), one.left_out) == ({"train": 9, "test": 9}, 18)


def test_an_empty_class_folder_is_named_whoever_tells_of_it() -> None:
    layout = class_layout([*pictures("s", cat=9, dog=9), "s/bird/list.txt"], folders=["s", "s/cat", "s/fish", "s/owl/day0", "elsewhere"])
    assert layout.empty == ["s/bird", "s/fish", "s/owl"]
    assert "class folders without pictures: s/bird, s/fish, s/owl" in in_words(counted(layout))
    deeper = class_layout([*pictures("s", cat=9, dog=9), "s/bird/more/1.jpg"])
    assert deeper.empty == ["s/bird"], "its pictures lie too deep, so the class is lost"


KNOWN = ("cats", "dogs")


def test_known_classes_decide_where_new_pictures_belong() -> None:
    layout = class_layout(["cats/1.jpg", *pictures("", cats__day0=5, unknown__a=3)], known=KNOWN)
    assert (layout.labels, len(layout.pictures_outside)) == ({"cats/1.jpg": "cats"}, 8)
    with pytest.raises(DataError, match=r"cats .*\n.*nested: true.*or move the pictures into their class folders"):
        class_layout(pictures("", cats__day0=5, cats__day1=3), known=KNOWN)
    nested = class_layout(pictures("new", cats__day0=5, birds__day1=3), prepare_of(layout={"nested": True}), known=KNOWN)
    assert Counter(nested.labels.values()) == {"cats": 5, "birds": 3}
    plain = class_layout(pictures("", cats=3), prepare_of(split={"rule": "folders"}), known=KNOWN)
    assert set(plain.labels.values()) == {"cats"}
    rooted = class_layout(pictures("", cats=3), prepare_of(layout={"root": "images"}), known=KNOWN)
    assert set(rooted.labels.values()) == {"cats"}
