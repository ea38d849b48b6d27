"""A split is made once: what `fetch` brings later never moves a picture that is known, and what changed is said."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from datasets_in_miniature import fill, jpeg, prepared, settings, two_classes, write_tar
from matrix import first_is_short

from edgeloop.datasets.corrections import split_anew
from edgeloop.datasets.fetch import fetch, fetch_images
from edgeloop.datasets.manifest import read_manifest
from edgeloop.datasets.prepare import prepare
from edgeloop.errors import InputError
from edgeloop.records import PrepareRecord
from edgeloop.workspace import Workspace

RULES = [{"rule": "stratified"}, {"rule": "keras"}]


def fetched(workspace: Workspace, folder: Path, **changes: object) -> PrepareRecord:
    """Fetch a folder and prepare it, as `dvc repro` does."""
    params = settings(workspace, "sample", **changes)
    fetch(workspace, params, "sample", given=str(folder))
    return prepare(workspace, params, "sample")


def splits(workspace: Workspace) -> pd.Series:
    return read_manifest(workspace.dataset("sample").manifest).set_index("path")["split"]


@pytest.mark.parametrize("rule", first_is_short(RULES), ids=lambda rule: rule["rule"])
def test_pictures_that_come_into_a_folder_move_none_that_was_there(workspace: Workspace, tmp_path: Path, rule: dict[str, str]) -> None:
    folder = fill(tmp_path, two_classes(60)) / "set"
    fetched(workspace, folder, split=rule)
    before = splits(workspace)
    fill(folder, {f"cat/new {n}.jpg": jpeg(5000 + n) for n in range(12)})
    fetched(workspace, folder, split=rule)
    after = splits(workspace)
    assert after[before.index].equals(before)
    assert after[after.index.difference(before.index)].notna().all()


def test_what_is_known_stays_by_content_else_by_name_and_all_changes_are_counted(workspace: Workspace, tmp_path: Path) -> None:
    folder = fill(tmp_path, two_classes(60)) / "set"
    fetched(workspace, folder)
    before = splits(workspace)
    test = [path.removeprefix("set/") for path in before.index[before == "test"]]
    renamed, replaced, removed = test[:3]
    (folder / renamed).rename(folder / "cat" / "renamed ü.jpg")
    (folder / replaced).write_bytes(jpeg(7000))
    (folder / removed).unlink()
    fill(folder, {"dog/new.jpg": jpeg(7001)})
    found = fetch_images(workspace, settings(workspace, "sample"), "sample", given=str(folder)).exchanged
    record = prepare(workspace, settings(workspace, "sample"), "sample")
    after = splits(workspace)
    assert (after["set/cat/renamed ü.jpg"], after[f"set/{replaced}"]) == ("test", "test")
    stayed = after.index.intersection(before.index)
    assert after[stayed].equals(before[stayed])
    assert record.exchanged is not None
    assert (record.exchanged.removed, record.exchanged.changed, record.exchanged.moved) == ({"test": 1}, {"test": 1}, {"test": 1})
    assert sum(record.exchanged.added.values()) == 1
    assert found is not None
    assert (found.added, found.removed, found.changed, found.moved) == ({"new": 1}, {"test": 1}, {"test": 1}, {"test": 1})
    assert sum(found.known.values()) == 117


@pytest.mark.thorough
def test_a_picture_that_went_away_and_comes_back_is_where_it_was(workspace: Workspace, tmp_path: Path) -> None:
    folder = fill(tmp_path, two_classes(60)) / "set"
    fetched(workspace, folder)
    before = splits(workspace)
    gone = list(before.index[before == "test"])[:4]
    for path in gone:
        shutil.move(tmp_path / path, tmp_path / Path(path).name)
    fetched(workspace, folder)
    assert not set(gone) & set(splits(workspace).index)
    for path in gone:
        shutil.move(tmp_path / Path(path).name, tmp_path / path)
    fetched(workspace, folder)
    assert splits(workspace).equals(before)


@pytest.mark.thorough
def test_another_root_folder_or_another_kind_of_archive_changes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    prepared(workspace, two_classes(20))
    before = splits(workspace)
    prepared(workspace, {name.replace("set/", "other/"): content for name, content in two_classes(20).items()})
    after = splits(workspace)
    assert list(after.index) == [path.replace("set/", "other/") for path in before.index]
    assert list(after) == list(before)


def test_two_files_that_swap_their_names_keep_their_splits(workspace: Workspace) -> None:
    members = two_classes(20)
    prepared(workspace, members)
    before = splits(workspace)
    one, other = before.index[before == "test"][0], before.index[before == "train"][0]
    prepared(workspace, {**members, one: members[other], other: members[one]})
    assert (splits(workspace)[one], splits(workspace)[other]) == ("train", "test")


@pytest.mark.thorough
def test_a_copy_of_a_test_picture_that_comes_later_does_not_get_into_training(workspace: Workspace) -> None:
    members = two_classes(20)
    prepared(workspace, members)
    label, train = splits(workspace), splits(workspace)
    test, train_path = label.index[label == "test"][0], train.index[train == "train"][0]
    prepared(workspace, {**members, "set/cat/copy.jpg": members[test], train_path: members[test]})
    manifest = read_manifest(workspace.dataset("sample").manifest).set_index("path")
    assert manifest.at[test, "split"] == "test"
    for path in ("set/cat/copy.jpg", train_path):
        assert manifest["split"].isna()[path], path
        assert "duplicate" in str(manifest.at[path, "reason"])


@pytest.mark.thorough
def test_new_pictures_in_folders_of_splits_go_where_the_folders_say(workspace: Workspace) -> None:
    members = {f"set/{split}/{name}": content for split, seed in (("train", 0), ("test", 40)) for name, content in _classes(seed).items()}
    prepared(workspace, members, split={"rule": "folders"})
    before = splits(workspace)
    more = {"set/test/cat/new.jpg": jpeg(7000), "set/train/dog/new.jpg": jpeg(7001)}
    prepared(workspace, {**members, **more}, split={"rule": "folders"})
    after = splits(workspace)
    assert after[before.index].equals(before)
    assert after["set/test/cat/new.jpg"] == "test"
    assert after["set/train/dog/new.jpg"] in ("train", "val")


def _classes(seed: int) -> dict[str, bytes]:
    return {f"{label}/{n}.jpg": jpeg(1000 * which + seed + n) for which, label in enumerate(("cat", "dog")) for n in range(20)}


def test_to_split_anew_is_to_be_asked_for(workspace: Workspace) -> None:
    prepared(workspace, two_classes(20))
    before = splits(workspace)
    prepared(workspace, two_classes(21), split={"seed": 5})
    assert splits(workspace)[before.index].equals(before)
    params = settings(workspace, "sample", split={"seed": 5})
    made = split_anew(workspace, params, "sample", "another seed")
    fill(workspace.ingests("sample"), {f"{made.archive.name}.dvc": b"outs: []"})
    record = prepare(workspace, params, "sample")
    assert not splits(workspace)[before.index].equals(before)
    assert "kept" not in record.split_rule
    anew = splits(workspace)
    prepared(workspace, two_classes(22), split={"seed": 6})
    assert splits(workspace)[anew.index].equals(anew)


def test_where_nothing_is_known_all_is_divided_by_the_rule(workspace: Workspace) -> None:
    prepared(workspace, two_classes(20), split={"rule": "keras"})
    other = {f"else/{label}/other {n}.jpg": jpeg(9000 + n + 100 * len(label)) for label in ("pansy", "rose") for n in range(20)}
    record = prepared(workspace, other, split={"rule": "keras"})
    assert record.split_rule.startswith("keras: ")
    assert record.splits["test"].images == 8


def test_a_clone_that_lacks_what_was_prepared_does_not_divide_other_images_anew(workspace: Workspace, tmp_path: Path) -> None:
    lock = "schema: '2.0'\nstages:\n  prepare@sample:\n    cmd: x\n    outs:\n    - path: data/sample/images\n      md5: aa.dir\n"
    (workspace.root / "dvc.lock").write_text(lock, encoding="utf-8")
    archive = write_tar(tmp_path / "a.tar", two_classes(5))
    with pytest.raises(InputError, match=r"dvc pull prepare@sample"):
        fetch(workspace, settings(workspace, "sample"), "sample", given=str(archive))
    assert not workspace.dataset("sample").archive.exists()


def test_a_folder_that_did_not_change_leaves_everything_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    folder = fill(tmp_path, two_classes(10)) / "set"
    fetched(workspace, folder)
    record = workspace.dataset("sample").fetch_record.read_bytes()
    assert fetch_images(workspace, settings(workspace, "sample"), "sample", given=str(folder)).exchanged is None
    assert workspace.dataset("sample").fetch_record.read_bytes() == record
    assert not workspace.ingests("sample").exists()
