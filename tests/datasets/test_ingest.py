"""The step `ingest` on small folders: what is added, where to, what is quarantined and why, and that nothing there ever moves."""

import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets_in_miniature import encoded, fill, jpeg, picture, prepared, settings, two_classes
from hypothesis import given
from hypothesis import strategies as st

from edgeloop.config import Split
from edgeloop.datasets.manifest import ShardReader, read_manifest
from edgeloop.datasets.placing import Newcomer, Seat, by_digest, place
from edgeloop.datasets.prepare import prepare
from edgeloop.errors import DataError, InputError
from edgeloop.ingest.incoming import IncomingFolder
from edgeloop.ingest.ingest import Ingested, NothingNew, in_words, ingest
from edgeloop.records import Outside
from edgeloop.workspace import Workspace


def take(workspace: Workspace, folder: Path, dataset: str = "sample", again: bool = False, **changes: Any) -> Ingested | None:
    """Ingest as the flow does: the archives get pointers, the record is written, the data set is prepared again."""
    params = settings(workspace, dataset, **changes)
    result = ingest(workspace, params, dataset, IncomingFolder(folder), again=again)
    found = result if isinstance(result, Ingested) else None
    if found is not None:
        records = workspace.ingests(dataset)
        for archive in found.archives:
            fill(records, {f"{archive.name}.dvc": b"outs: []"})
        found.record.write(records / f"{found.record.number:05d}.json")
        prepare(workspace, params, dataset)
    return found


def manifest_of(workspace: Workspace, dataset: str = "sample") -> pd.DataFrame:
    return read_manifest(workspace.dataset(dataset).manifest).set_index("path")


def test_new_images_join_and_those_that_were_there_stay(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(20))
    before = manifest_of(workspace)
    new = {f"cat/{n}.jpg": jpeg(5000 + n) for n in range(12)} | {f"dog/ä {n}.png": encoded(picture(6000 + n), "PNG") for n in range(12)}
    found = take(workspace, fill(tmp_path / "in", new))
    assert found is not None
    after = manifest_of(workspace)
    assert (after.loc[before.index, ["split", "label", "sha256"]] == before[["split", "label", "sha256"]]).all(axis=None)
    joined = after.loc[after.index.difference(before.index)]
    assert len(joined) == 24
    assert joined["split"].notna().all()
    assert {split: sum(classes.values()) for split, classes in found.record.added.items()} == dict(Counter(joined["split"]))
    for sha256, split in zip(joined["sha256"], joined["split"], strict=True):
        assert split == by_digest(sha256, Split())
    with ShardReader(workspace.dataset("sample").images) as shards:
        assert shards.read_rows(joined.loc[["added/00001/cat/" + name for name in _names(joined, "cat")]].reset_index())
    assert found.record.quarantined_files == []


def _names(rows: pd.DataFrame, label: str) -> list[str]:
    return [path.split("/")[-1] for path in rows.index if f"/{label}/" in path]


def test_the_same_again_is_nothing_new_and_the_folder_is_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(20))
    folder = fill(tmp_path / "in", {"cat/a.jpg": jpeg(5000), "cat/bad.jpg": b"no", "cat/large.jpg": b"x" * 40_000, "readme.txt": b"hi"})
    limits = {"image_bytes": 30_000}
    found = take(workspace, folder, limits=limits)
    assert found is not None
    assert (found.record.files, found.record.outside_class_folders) == (4, ["readme.txt"])
    assert found.record.quarantined == {"not an image": 1, "too many bytes": 1}
    assert take(workspace, folder, limits=limits) is None
    fill(folder, {"dog/elsewhere.jpg": b"no", "cat/same as a.jpg": jpeg(5000)})
    assert take(workspace, folder, limits=limits) is None
    assert sorted(path.name for path in folder.rglob("*.*")) == [
        "a.jpg",
        "bad.jpg",
        "elsewhere.jpg",
        "large.jpg",
        "readme.txt",
        "same as a.jpg",
    ]
    looked_again = take(workspace, folder, again=True, limits=limits)
    assert looked_again is not None
    assert (looked_again.record.added, looked_again.record.number) == ({}, 2)


def test_pictures_outside_the_class_folders_are_counted_and_said(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(20))
    deeper = {f"cat/more/{n}.jpg": jpeg(7000 + n) for n in range(5)}
    stray = {"stray.jpg": jpeg(6999), "cat/._1.jpg": b"x", "__MACOSX/1.jpg": b"x", "list.txt": b"x"}
    folder = fill(tmp_path / "in", {"cat/1.jpg": jpeg(6000)} | deeper | stray)
    found = take(workspace, folder)
    assert found is not None
    assert found.record.outside == Outside(pictures=6, places={"": 1, "cat/more": 5}, left_out=0, hidden=2, empty_class_folders=[])
    assert (found.record.files, found.record.outside_class_folders) == (8, ["list.txt"])
    assert in_words(found.record)[1:] == [
        "  not looked at: 6 pictures outside the class folders: 5 in cat/more, 1 in the top folder",
        "  not looked at: 2 hidden files left out",
        "  not looked at: 1 other file outside the class folders",
    ]
    nothing = ingest(workspace, settings(workspace, "sample"), "sample", IncomingFolder(folder))
    assert isinstance(nothing, NothingNew)
    assert nothing.counts.in_words()[0].endswith("5 in cat/more, 1 in the top folder")
    flat = ingest(workspace, settings(workspace, "sample"), "sample", IncomingFolder(fill(tmp_path / "flat", {"1.jpg": jpeg(1)})))
    assert isinstance(flat, NothingNew)
    assert flat.counts.outside.places == {"": 1}


def test_new_pictures_below_their_class_folder_need_the_word_of_params(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(20))
    folder = fill(tmp_path / "in", {f"cat/day{n % 2}/{n}.jpg": jpeg(6000 + n) for n in range(6)})
    with pytest.raises(DataError, match=r"nested: true.*or move the pictures"):
        take(workspace, folder)
    found = take(workspace, folder, layout={"nested": True})
    assert found is not None
    assert sum(sum(classes.values()) for classes in found.record.added.values()) == 6


def test_folders_of_splits_that_arrive_are_merged_and_the_test_set_of_folders_is_closed(workspace: Workspace, tmp_path: Path) -> None:
    members = {
        f"set/{split}/{path[4:]}": jpeg(n + 300 * (split == "test"))
        for split in ("train", "test")
        for n, path in enumerate(two_classes(20))
    }
    rule: dict[str, Any] = {"split": {"rule": "folders"}}
    prepared(workspace, members, **rule)
    new = {f"{split}/cat/{n}.jpg": jpeg(5000 + n + 50 * (split == "test")) for split in ("train", "test") for n in range(20)}
    found = take(workspace, fill(tmp_path / "in", new), **rule)
    assert found is not None
    assert {split: sum(classes.values()) for split, classes in found.record.added.items()}.keys() <= {"train", "val"}
    assert sum(sum(classes.values()) for classes in found.record.added.values()) == 40


def test_bad_ones_are_quarantined_with_their_reasons_and_kept(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(20))
    there = manifest_of(workspace)
    by_split = {split: there.index[(there["split"] == split) & (there["label"] == "cat")][0] for split in ("test", "train", "val")}
    content = two_classes(20)
    bad = {
        "cat/half.jpg": jpeg(77, 300, 200)[:2000],
        "cat/tiny.jpg": jpeg(7001, 20, 40),
        "cat/test again.png": encoded(picture(int(by_split["test"][-7:-4])), "PNG"),
        "dog/was a cat.jpg": jpeg(int(by_split["train"][-7:-4]), quality=90),
        "bird/1.jpg": jpeg(7002),
        "cat/both.jpg": jpeg(7003),
        "dog/both.jpg": jpeg(7003),
    }
    good = {"cat/val again.jpg": jpeg(int(by_split["val"][-7:-4]), quality=85), "cat/exact.jpg": content[by_split["train"]]}
    found = take(workspace, fill(tmp_path / "in", bad | good))
    assert found is not None
    reasons = {file.path: file.reason for file in found.record.quarantined_files}
    assert reasons.keys() == bad.keys()
    assert reasons["cat/test again.png"] == f"duplicate of a test image: {by_split['test']}"
    assert reasons["dog/was a cat.jpg"] == f"duplicate with another label: {by_split['train']}"
    assert reasons["bird/1.jpg"] == "unknown class: bird"
    assert reasons["cat/tiny.jpg"].startswith("breaks the rule: short_side (JPEG of 20 x 40")
    assert reasons["cat/both.jpg"] == "duplicate with another label: dog/both.jpg"
    assert (found.record.added, found.record.known) == ({"val": {"cat": 1}}, 1)
    with tarfile.open(workspace.dataset("sample").rejected / str(found.record.rejected_archive)) as archive:
        kept = {name: archive.extractfile(name) for name in archive.getnames()}
        assert {name: file.read() for name, file in kept.items() if file is not None} == bad
    after = manifest_of(workspace)
    assert after.loc[after["duplicate_group"].notna()].groupby("duplicate_group")["split"].nunique().eq(1).all()


def test_whatever_the_rule_says_later_nothing_moves(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(25), "flowers")
    first = manifest_of(workspace, "flowers")
    take(workspace, fill(tmp_path / "one", {f"cat/{n}.jpg": jpeg(5000 + n) for n in range(9)}), "flowers")
    second = manifest_of(workspace, "flowers")
    assert set(second.loc[second.index.difference(first.index), "split"]) <= {"train", "val"}, "the published test set is closed"
    other: dict[str, Any] = {"split": {"rule": "stratified", "seed": 3, "test_fraction": 0.5, "val_fraction": 0.4}}
    take(workspace, fill(tmp_path / "two", {f"dog/{n}.jpg": jpeg(6000 + n) for n in range(9)}), "flowers", **other)
    third = manifest_of(workspace, "flowers")
    assert (third.loc[second.index, "split"] == second["split"]).all()
    assert (second.loc[first.index, "split"] == first["split"]).all()
    assert len(third) == 68
    record = prepare(workspace, settings(workspace, "flowers", **other), "flowers")
    assert record.added == 18
    assert record.split_rule.startswith("keras: ")
    assert "18 images added" in record.split_rule


def test_an_archive_without_a_pointer_is_of_no_revision_and_one_that_is_missing_is_said(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(20))
    params = settings(workspace, "sample")
    before = manifest_of(workspace)
    found = ingest(workspace, params, "sample", IncomingFolder(fill(tmp_path / "in", {"cat/a.jpg": jpeg(5000)})))
    assert isinstance(found, Ingested)
    prepare(workspace, params, "sample")
    assert manifest_of(workspace).equals(before)
    fill(workspace.ingests("sample"), {f"{found.record.archive}.dvc": b"outs: []"})
    found.archives[0].unlink()
    with pytest.raises(InputError, match="dvc pull"):
        prepare(workspace, params, "sample")


def test_images_that_are_not_stored_as_they_came_are_recognised_too(workspace: Workspace, tmp_path: Path) -> None:
    large = {f"set/cat/large {n}.png": encoded(picture(8000 + n, 700, 500), "PNG") for n in range(6)}
    prepared(workspace, two_classes(20) | large)
    there = manifest_of(workspace)
    again = {f"cat/again {n}.jpg": jpeg(8000 + n, 700, 500, quality=95) for n in range(6)}
    found = take(workspace, fill(tmp_path / "in", again))
    assert found is not None
    after = manifest_of(workspace)
    for n in range(6):
        old = there.loc[f"set/cat/large {n}.png", "split"]
        new = after.loc[[path for path in after.index if path.endswith(f"again {n}.jpg")], "split"].tolist()
        assert new == ([] if old == "test" else [old])


labels = st.sampled_from(["cat", "dog"])
splits = st.sampled_from(["train", "val", "test", None])


@st.composite
def growing(draw: st.DrawFn) -> tuple[dict[str, Seat], list[tuple[dict[str, Newcomer], list[list[str]], Split]]]:
    """A data set, and batches of newcomers with groups over everything that is there by then."""
    seats = {f"old/{n}": Seat(draw(labels), draw(splits)) for n in range(draw(st.integers(0, 8)))}
    batches, paths = [], list(seats)
    for number in range(draw(st.integers(1, 4))):
        new = {f"{number}/{n}": Newcomer(draw(labels), f"{draw(st.integers(0, 1 << 64)):x}") for n in range(draw(st.integers(0, 6)))}
        paths += new
        marks = draw(st.lists(st.integers(0, 12), min_size=len(paths), max_size=len(paths)))
        groups = [[path for path, mark in zip(paths, marks, strict=True) if mark == which] for which in range(6)]
        rule = draw(st.sampled_from(["keras", "official", "stratified"]))
        share = st.floats(0, 1)
        split = Split.model_validate({"rule": rule, "seed": draw(st.integers()), "test_fraction": draw(share), "val_fraction": draw(share)})
        batches.append((new, [group for group in groups if len(group) > 1], split))
    return seats, batches


@given(growing())
def test_no_member_ever_changes_its_split_and_no_newcomer_opens_a_leak(
    drawn: tuple[dict[str, Seat], list[tuple[dict[str, Newcomer], list[list[str]], Split]]],
) -> None:
    seats, batches = drawn
    for new, groups, split in batches:
        before = dict(seats)
        done = place(new, seats, groups, split)
        assert done.splits.keys() | done.quarantined.keys() == new.keys()
        assert not done.splits.keys() & done.quarantined.keys()
        seats = seats | {path: Seat(new[path].label, where) for path, where in done.splits.items()}
        assert {path: seats[path] for path in before} == before
        for group in groups:
            joined = [path for path in group if path in done.splits]
            used = {seats[path].split for path in group if path in seats and seats[path].split is not None}
            assert not joined or len(used) == 1
            assert not (joined and any(path in before and before[path].split == "test" for path in group))


@given(st.text(alphabet="0123456789abcdef", min_size=8), st.integers())
def test_where_an_image_goes_depends_on_nothing_but_itself(sha256: str, seed: int) -> None:
    split = Split(seed=seed)
    alone = place({"a": Newcomer("cat", sha256)}, {}, [], split)
    crowd = {f"{n}": Newcomer("dog", f"{n:x}") for n in range(5)}
    among = place(crowd | {"a": Newcomer("cat", sha256)}, {"b": Seat("cat", "train")}, [], split)
    assert alone.splits["a"] == among.splits["a"]


def test_shares_are_about_those_that_are_declared() -> None:
    counted = Counter(by_digest(f"{n:064x}", Split()) for n in range(4000))
    assert abs(counted["test"] / 4000 - 0.2) < 0.03
    assert abs(counted["val"] / 4000 - 0.08) < 0.02
