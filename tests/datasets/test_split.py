"""The rules that divide images: the published ones exactly, and duplicates never across a border."""

import contextlib
import io
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.config import Split
from edgeloop.datasets.split import Declared, OfficialLists, assign, entry_of, keras_test, parse_list, stratified_part
from edgeloop.errors import DataError

FLOWERS = {"daisy": 633, "dandelion": 898, "roses": 641, "sunflowers": 699, "tulips": 799}


def files(counts: dict[str, int], root: str = "set") -> list[str]:
    return [f"{root}/{label}/{index}.jpg" for label, count in counts.items() for index in range(count)]


def labelled(paths: list[str]) -> dict[str, str]:
    return {path: path.split("/")[-2] for path in paths}


def keras_validation(root: Path, fraction: float, seed: int) -> list[str]:
    """What Keras itself puts into validation."""
    from keras.utils import image_dataset_from_directory

    with contextlib.redirect_stdout(io.StringIO()):
        found = image_dataset_from_directory(root, validation_split=fraction, subset="validation", seed=seed, image_size=(8, 8))
    return [Path(name).relative_to(root.parent).as_posix() for name in found.file_paths]


@pytest.mark.parametrize(("fraction", "seed"), [(0.2, 127), (0.33, 3)])
def test_the_keras_rule_is_that_of_keras(tmp_path: Path, fraction: float, seed: int) -> None:
    names = ["a b/10.jpg", "a b/9.JPG", "a/1.png", "a/Z.jpeg", "a/ä, [1].bmp", "a/notes.txt", "B/x.gif", "B/photo.webp", "Ü/y.jpg"]
    names += [f"a/{index}.jpg" for index in range(100, 140)] + [f"a-b/{index}.jpg" for index in range(17)]
    for name in names:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"never read")
    ours = keras_test([f"set/{name}" for name in reversed(names)], fraction, seed)
    assert ours == keras_validation(tmp_path / "set", fraction, seed)


def test_as_many_flowers_are_test_as_in_the_published_figures(tmp_path: Path) -> None:
    for path in files(FLOWERS):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    ours = keras_test(files(FLOWERS), 0.2, 127)
    assert len(ours) == 734
    assert ours == keras_validation(tmp_path / "set", 0.2, 127)


def test_the_keras_rule_counts_files_that_cannot_be_used() -> None:
    every = files({"cat": 50, "dog": 50})
    usable = labelled(every[5:])
    done = assign(usable, [], every, Split(rule="keras"))
    published = set(keras_test(every, 0.2, 127))
    assert {path for path, split in done.splits.items() if split == "test"} == published & usable.keys()
    assert f"of these {len(published - usable.keys())} are quarantined" in done.rule


def test_official_lists_are_followed_and_what_they_miss_is_said() -> None:
    every = files({"cat": 20, "dog": 20})
    lists = OfficialLists(frozenset(map(entry_of, every[4:30])), frozenset([*map(entry_of, every[30:]), "dog/absent"]))
    done = assign(labelled(every), [], every, Split(rule="official"), Declared(lists))
    assert {path for path, split in done.splits.items() if split == "test"} == set(every[30:])
    assert done.rule.startswith("official: ")
    assert "1 are quarantined or absent" in done.rule
    assert "4 on neither list count as training images" in done.rule


def test_without_official_lists_the_rule_says_so() -> None:
    every = files({"cat": 20, "dog": 20})
    done = assign(labelled(every), [], every, Split(rule="official", test_fraction=0.25))
    assert Counter(done.splits.values())["test"] == 10
    assert "instead of official" in done.rule


def test_official_lists_are_read_in_both_forms() -> None:
    assert parse_list("test.json", b'{"cat": ["cat/1"], "dog": ["dog/2"]}') == {"cat/1", "dog/2"}
    assert parse_list("test.txt", b"cat/1\n\ndog/2\r\n") == {"cat/1", "dog/2"}
    for broken in (b"[1]", b"{", b'{"a": 1}', b"\xff", b"[" * 100_000):
        with pytest.raises(DataError, match=r"test\.json"):
            parse_list("test.json", broken)


def test_a_group_with_two_labels_is_quarantined_wherever_it_lies() -> None:
    every = files({"cat": 20, "dog": 20})
    done = assign(labelled(every), [["set/cat/1.jpg", "set/dog/1.jpg"]], every, Split())
    assert done.quarantined == {
        "set/cat/1.jpg": "duplicate with another label: set/dog/1.jpg",
        "set/dog/1.jpg": "duplicate with another label: set/cat/1.jpg",
    }


def test_the_published_test_set_stays_and_its_copies_in_train_go() -> None:
    every = files({"cat": 50, "dog": 50})
    test = keras_test(every, 0.2, 127)
    inside, outside = test[0], next(path for path in every if path not in test and path.split("/")[1] == test[0].split("/")[1])
    done = assign(labelled(every), [[inside, outside]], every, Split(rule="keras"))
    assert done.splits[inside] == "test"
    assert done.quarantined == {outside: f"duplicate of a test image: {inside}"}


def test_every_class_of_three_has_a_share_and_none_is_used_up() -> None:
    labels = labelled(files({"one": 1, "two": 2, "three": 3, "ten": 10}))
    part = Counter(labels[path] for path in stratified_part(labels, [], 0.2, "1"))
    assert part == {"three": 1, "ten": 2}


class_sizes = st.dictionaries(st.sampled_from(["a", "b c", "ü", "Z"]), st.integers(1, 40), min_size=1)


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    every = files(draw(class_sizes))
    shuffled = draw(st.permutations(every))
    sizes = draw(st.lists(st.integers(2, 4), max_size=6))
    groups, taken = [], 0
    for size in sizes:
        if taken + size <= len(shuffled):
            groups.append(shuffled[taken : taken + size])
            taken += size
    return every, groups


@given(data_sets(), st.sampled_from(["keras", "stratified"]), st.integers(0, 1000))
def test_every_image_goes_to_one_place_and_no_group_crosses_a_border(
    drawn: tuple[list[str], list[list[str]]], rule: str, seed: int
) -> None:
    every, groups = drawn
    done = assign(labelled(every), groups, every, Split.model_validate({"rule": rule, "seed": seed}))
    assert done.splits.keys() | done.quarantined.keys() == set(every)
    assert not done.splits.keys() & done.quarantined.keys()
    assert set(done.splits.values()) <= {"train", "val", "test"}
    for group in groups:
        assert len({done.splits[path] for path in group if path in done.splits}) <= 1


@given(data_sets(), st.integers(0, 1000))
def test_a_split_does_not_depend_on_the_order_of_the_files(drawn: tuple[list[str], list[list[str]]], seed: int) -> None:
    every, groups = drawn
    split = Split(rule="keras", seed=seed)
    backwards = [group[::-1] for group in groups[::-1]]
    one, other = assign(labelled(every), groups, every, split), assign(labelled(every[::-1]), backwards, every[::-1], split)
    assert one.splits == other.splits


@given(class_sizes, st.floats(0, 0.9), st.integers())
def test_a_share_is_as_large_as_asked(counts: dict[str, int], fraction: float, seed: int) -> None:
    labels = labelled(files(counts))
    part = Counter(labels[path] for path in stratified_part(labels, [], fraction, str(seed)))
    for label, count in counts.items():
        assert abs(part[label] - fraction * count) <= 1
        assert part[label] < count


def test_another_seed_gives_another_split() -> None:
    labels = labelled(files({"cat": 50, "dog": 50}))
    assert stratified_part(labels, [], 0.2, "1") != stratified_part(labels, [], 0.2, "2")
