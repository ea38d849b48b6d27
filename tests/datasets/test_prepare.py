"""The step `prepare` on small archives: what is kept, what is quarantined and why, and the same bytes every time."""

import io
import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets_in_miniature import encoded, jpeg, picture, prepared, settings, two_classes, write_tar, write_zip
from PIL import Image

from edgeloop.cli import main
from edgeloop.config import Validate, load_params
from edgeloop.datasets.fetch import fetch
from edgeloop.datasets.manifest import SCHEMA, ShardReader, class_names, read_manifest
from edgeloop.datasets.outside import outside_of
from edgeloop.datasets.prepare import prepare
from edgeloop.errors import DataError, InputError, UnsafeArchiveError
from edgeloop.files import sha256_file
from edgeloop.records import Outside, PrepareRecord
from edgeloop.validation import validate
from edgeloop.workspace import Workspace


def rows_of(workspace: Workspace, dataset: str = "sample") -> dict[str, dict[str, object]]:
    """Manifest rows by path."""
    manifest = read_manifest(workspace.dataset(dataset).manifest)
    assert list(manifest.columns) == SCHEMA.names
    rows = manifest.replace({np.nan: None}).to_dict("records")
    return {str(row["path"]): {str(name): value for name, value in row.items()} for row in rows}


def test_a_sound_set_comes_out_whole(workspace: Workspace) -> None:
    members = two_classes(20) | {"set/LICENSE.txt": b"free"}
    record = prepared(workspace, members)
    assert (record.classes, record.members, record.images, record.quarantined) == (["cat", "dog"], 41, 40, {})
    assert record.outside_class_folders == ["set/LICENSE.txt"]
    assert {name: split.images for name, split in record.splits.items()} == {"train": 28, "val": 4, "test": 8}
    assert record.splits["test"].per_class == {"cat": 4, "dog": 4}
    assert record.split_rule.startswith("stratified: 0.2 of each class, seed 127; val: 0.1 of the rest")
    assert record.manifest_sha256 == sha256_file(workspace.dataset("sample").manifest) == record.provenance.data_revision
    assert record.provenance.params["prepare"]["short_side"] == 256
    assert PrepareRecord.read(workspace.dataset("sample").prepare_record) == record


def test_the_manifest_leads_to_each_stored_image(workspace: Workspace) -> None:
    members = two_classes(3)
    prepared(workspace, members)
    manifest = read_manifest(workspace.dataset("sample").manifest)
    with ShardReader(workspace.dataset("sample").images) as shards:
        assert dict(zip(manifest["path"], shards.read_rows(manifest), strict=True)) == members


def test_twice_gives_the_same_bytes(workspace: Workspace) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in workspace.dataset("sample").images.iterdir()}

    members = two_classes(8) | {"set/cat/big.png": encoded(picture(5, 700, 400), "PNG"), "set/dog/broken.jpg": b"x"}
    prepared(workspace, members)
    first = content()
    prepared(workspace, members)
    assert content() == first


def test_odd_names_stay_as_they_are(workspace: Workspace) -> None:
    names = ["a b, [c]/Ä (1).JPG", "a b, [c]/日本.jpeg", "Ü'\"/x;y.PNG", "Ü'\"/" + "long" * 50 + ".jpg", "Ü'\"/new\nline.jpg"]
    record = prepared(workspace, {f"the set/{name}": jpeg(index) for index, name in enumerate(names)})
    assert record.classes == ["a b, [c]", "Ü'\""]
    assert set(rows_of(workspace)) == {f"the set/{name}" for name in names}


def test_what_cannot_be_used_is_quarantined_with_its_reason_and_never_lost(workspace: Workspace) -> None:
    bad = {
        "set/cat/empty.jpg": b"",
        "set/cat/text.jpg": b"not a picture at all",
        "set/cat/half.jpg": jpeg(77, 300, 200)[:2000],
        "set/dog/notes.txt": b"remember the milk",
        "set/dog/wide.png": encoded(Image.new("RGB", (500, 300)), "PNG"),
        "set/dog/heavy.jpg": jpeg(78) + b"\0" * 40_000,
    }
    record = prepared(workspace, two_classes() | bad, limits={"image_bytes": 30_000, "image_pixels": 100_000})
    rows = rows_of(workspace)
    assert {path: str(rows[path]["reason"]).split(":")[0] for path in bad} == {
        "set/cat/empty.jpg": "not an image",
        "set/cat/text.jpg": "not an image",
        "set/cat/half.jpg": "does not decode",
        "set/dog/notes.txt": "not an image",
        "set/dog/wide.png": "too many pixels",
        "set/dog/heavy.jpg": "too many bytes",
    }
    assert record.quarantined == {"does not decode": 1, "not an image": 3, "too many bytes": 1, "too many pixels": 1}
    assert all(rows[path]["split"] is None and rows[path]["shard"] is None for path in bad)
    assert rows["set/dog/heavy.jpg"]["bytes"] == len(bad["set/dog/heavy.jpg"])
    assert rows["set/cat/half.jpg"]["sha256"] is not None
    assert record.images == 20


def test_a_picture_under_two_labels_is_quarantined_and_still_stored(workspace: Workspace) -> None:
    copies = {"set/cat/x.jpg": jpeg(99), "set/dog/y.jpg": jpeg(99), "set/cat/z.jpg": jpeg(99, quality=60)}
    record = prepared(workspace, two_classes() | copies)
    rows = rows_of(workspace)
    assert record.quarantined == {"duplicate with another label": 3}
    assert rows["set/dog/y.jpg"]["reason"] == "duplicate with another label: set/cat/x.jpg"
    assert len({rows[path]["duplicate_group"] for path in copies}) == 1
    assert all(rows[path]["split"] is None and rows[path]["shard"] for path in copies)


def test_duplicates_do_not_cross_splits(workspace: Workspace) -> None:
    near = {f"set/cat/copy-{index}.jpg": jpeg(index, quality=90) for index in range(10)}
    pixels = {f"set/dog/copy-{index}.png": encoded(Image.open(io.BytesIO(jpeg(1000 + index))), "PNG") for index in range(10)}
    record = prepared(workspace, two_classes() | near | pixels)
    assert record.duplicate_groups == 20
    manifest = read_manifest(workspace.dataset("sample").manifest)
    splits = manifest[manifest["duplicate_group"].notna()].groupby("duplicate_group")["split"].nunique()
    assert len(splits) == 20
    assert (splits == 1).all()


def test_the_published_test_set_loses_nothing_to_its_copies(workspace: Workspace) -> None:
    members = two_classes(25)
    before = prepared(workspace, members, "flowers")
    tested = next(path for path, row in rows_of(workspace, "flowers").items() if row["split"] == "test")
    after = prepared(workspace, members | {tested.replace(".jpg", " copy.tif"): members[tested]}, "flowers")
    assert before.splits["test"].images == after.splits["test"].images == 10
    assert "keras" in after.split_rule
    manifest = rows_of(workspace, "flowers")
    copies = [row for row in manifest.values() if row["sha256"] == manifest[tested]["sha256"]]
    assert {row["split"] for row in copies} in ({"test", None}, {"train"}, {"val"})


def test_official_lists_of_the_archive_are_followed(workspace: Workspace) -> None:
    members = two_classes(10, root="food-101/images")
    names = [path.removeprefix("food-101/images/").removesuffix(".jpg") for path in members]
    lists = {
        "food-101/meta/train.json": json.dumps({"any": names[3:]}).encode(),
        "food-101/meta/test.json": json.dumps({"any": names[:3]}).encode(),
        "food-101/meta/test.txt": b"not/this",
    }
    record = prepared(workspace, members | lists, "food")
    rows = rows_of(workspace, "food")
    assert {path for path, row in rows.items() if row["split"] == "test"} == set(list(members)[:3])
    assert record.split_rule.startswith("official: the archive's list of 3 test images;")
    assert record.outside_class_folders == sorted(lists)


def in_splits(**folders: int) -> dict[str, bytes]:
    """So many pictures of `cat` and of `dog` in each folder."""
    pairs = [(folder, label) for folder in folders for label in ("cat", "dog")]
    return {
        f"set/{folder}/{label}/{n}.jpg": jpeg(100 * which + n)
        for which, (folder, label) in enumerate(pairs)
        for n in range(folders[folder])
    }


def test_folders_of_splits_are_the_splits_when_params_say_so(workspace: Workspace) -> None:
    members = in_splits(train=30, valid=6, test=9)
    with pytest.raises(DataError, match=r"folders of splits.*set/test \(18 pictures\)"):
        prepared(workspace, members)
    record = prepared(workspace, members, split={"rule": "folders"})
    assert {path: row["split"] for path, row in rows_of(workspace).items()} == {
        path: {"train": "train", "valid": "val", "test": "test"}[path.split("/")[1]] for path in members
    }
    assert record.split_rule == "folders: the archive's folder for test (18 images); val: the archive's folder (12 images)"
    assert (record.classes, record.outside_class_folders) == (["cat", "dog"], [])


@pytest.mark.thorough
def test_folders_of_splits_go_through_validation_whatever_their_shares(workspace: Workspace) -> None:
    shares: dict[str, Any] = {"split": {"rule": "folders"}}
    prepared(workspace, in_splits(train=20, valid=15, test=25), **shares)
    params = settings(workspace, "sample", **shares)
    declared = params.datasets["sample"].model_copy(update={"validation": Validate(classes=["cat", "dog"])})
    record = validate(workspace, params.model_copy(update={"datasets": {"sample": declared}}), "sample")
    assert {result.name for result in record.results if not result.holds} == set()


def test_near_duplicates_do_not_cross_the_folders_of_splits(workspace: Workspace) -> None:
    members = in_splits(train=20, valid=6, test=9)
    copies = {
        "set/train/cat/of test.jpg": encoded(Image.open(io.BytesIO(members["set/test/cat/0.jpg"])), quality=80),
        "set/valid/cat/of test.jpg": members["set/test/cat/1.jpg"],
        "set/train/dog/of val.jpg": encoded(Image.open(io.BytesIO(members["set/valid/dog/0.jpg"])), quality=80),
        "set/train/dog/of train.jpg": members["set/train/dog/0.jpg"],
    }
    record = prepared(workspace, members | copies, split={"rule": "folders"})
    rows = rows_of(workspace)
    assert [rows[path]["reason"] for path in copies] == [
        "duplicate of a test image: set/test/cat/0.jpg",
        "duplicate of a test image: set/test/cat/1.jpg",
        "duplicate of a val image: set/valid/dog/0.jpg",
        None,
    ]
    assert {name: split.images for name, split in record.splits.items()} == {"train": 41, "val": 12, "test": 18}


def test_a_split_without_a_folder_is_a_share_of_that_for_training(workspace: Workspace) -> None:
    record = prepared(workspace, in_splits(train=20, test=5), split={"rule": "folders"})
    assert {name: split.images for name, split in record.splits.items()} == {"train": 36, "val": 4, "test": 10}
    assert "val: 0.1 of the rest" in record.split_rule
    record = prepared(workspace, in_splits(train=20, val=5), "flowers", split={"rule": "folders"})
    assert {name: split.images for name, split in record.splits.items()} == {"train": 32, "val": 10, "test": 8}
    assert record.split_rule.startswith(
        "folders: no folder for test, so 0.2 of each class of that for training, seed 127; val: the archive's"
    )


def test_merged_folders_of_splits_are_divided_anew(workspace: Workspace) -> None:
    record = prepared(workspace, in_splits(train=20, valid=10, test=20), layout={"merge": True})
    assert {name: split.images for name, split in record.splits.items()} == {"train": 72, "val": 8, "test": 20}
    assert record.split_rule.startswith("stratified")


def test_pictures_outside_and_empty_class_folders_are_in_the_record(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    deeper = {f"mixed/{label}/more/{n}.jpg": jpeg(2000 + n) for label in ("cat", "dog") for n in range(3)}
    other = {"mixed/cat/.hidden.jpg": b"x", "mixed/__MACOSX/1.jpg": b"x", "mixed/readme.txt": b"x", "mixed/owl/Thumbs.db": b"x"}
    for name, content in (two_classes(10, "mixed") | deeper | other).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (folder / "bird").mkdir()
    params = load_params(workspace)
    assert fetch(workspace, params, "sample", given=str(folder)).hidden == 3
    record = prepare(workspace, params, "sample")
    assert record.outside == Outside(
        pictures=6, places={"mixed/cat/more": 3, "mixed/dog/more": 3}, left_out=0, hidden=0, empty_class_folders=["mixed/bird", "mixed/owl"]
    )
    assert (record.outside_class_folders, record.images) == (["mixed/readme.txt"], 20)
    nested = prepare(workspace, settings(workspace, "sample", layout={"nested": True}), "sample")
    assert (nested.images + sum(nested.quarantined.values()), nested.outside.pictures if nested.outside else None) == (26, 0)


def test_archives_tell_of_empty_folders_in_either_form(workspace: Workspace, tmp_path: Path) -> None:
    params = load_params(workspace)
    with zipfile.ZipFile(write_zip(tmp_path / "a.zip", two_classes()), "a") as archive:
        archive.mkdir("set/bird")
    for path in (tmp_path / "a.zip", _tar_with_folders(tmp_path / "a.tar")):
        fetch(workspace, params, "sample", given=str(path))
        found = prepare(workspace, params, "sample").outside
        assert found is not None
        assert found.empty_class_folders == ["set/bird"]


def _tar_with_folders(path: Path) -> Path:
    with tarfile.open(write_tar(path, two_classes()), "a") as archive:
        for name in ("set", "set/cat", "set/bird", "set/bird"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
    return path


def test_a_record_of_before_is_still_read(workspace: Workspace) -> None:
    record = prepared(workspace, two_classes())
    path = workspace.dataset("sample").prepare_record
    old = json.loads(path.read_text())
    del old["outside"], old["archive"]["hidden"]
    old["outside_class_folders"] = ["set/LICENSE.txt", "set/cat/more/1.jpg", "set/cat/._1.jpg"]
    path.write_text(json.dumps(old))
    before = PrepareRecord.read(path)
    assert (before.images, before.outside) == (record.images, None)
    assert outside_of(before) == Outside(pictures=1, places={"set/cat/more": 1}, left_out=0, hidden=1, empty_class_folders=[])


def test_the_command_says_what_is_outside(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(workspace, two_classes() | {"set/cat/more/1.jpg": jpeg(5), "set/bird/list.txt": b"", "set/.x/1.jpg": b""})
    monkeypatch.chdir(workspace.root)
    assert main(["prepare", "sample"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "20 images of 2 classes (train 14, val 2, test 4); 0 quarantined",
        "  1 picture outside the class folders: 1 in set/cat/more",
        "  class folders without pictures: set/bird",
        "  1 hidden file left out",
    ]


def test_without_official_lists_the_record_says_so(workspace: Workspace) -> None:
    assert "instead of official" in prepared(workspace, two_classes(), "food").split_rule


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (
            {"s/cat/1.jpg": jpeg(1), "s/dog/1.jpg": b"x", "s/dog/2.jpg": b""},
            "class 'dog' of sample can be used: of 2 files, 2 x",
        ),
        ({"s/cat/1.jpg": jpeg(1), "s/cat/2.jpg": jpeg(2)}, "a classifier needs two"),
        ({"readme.txt": b"nothing here"}, "no class folders"),
    ],
)
def test_too_little_to_train_on_is_refused(workspace: Workspace, members: dict[str, bytes], words: str) -> None:
    with pytest.raises(DataError, match=words):
        prepared(workspace, members)
    assert not workspace.dataset("sample").images.exists()


def test_an_unsafe_archive_is_refused_and_the_old_images_stay(workspace: Workspace) -> None:
    prepared(workspace, two_classes())
    before = sha256_file(workspace.dataset("sample").manifest)
    with pytest.raises(UnsafeArchiveError, match=r"\.\./evil\.jpg"):
        prepared(workspace, two_classes() | {"../evil.jpg": b"x"})
    assert sha256_file(workspace.dataset("sample").manifest) == before
    assert {path.name for path in workspace.dataset("sample").folder.iterdir()} == {
        "additions",
        "archive",
        "fetch.json",
        "images",
        "prepare.json",
    }


def test_nothing_fetched_or_something_else_is_said(workspace: Workspace, tmp_path: Path) -> None:
    params = load_params(workspace)
    with pytest.raises(InputError, match=r"does not exist.\n.*edgeloop fetch sample"):
        prepare(workspace, params, "sample")
    fetch(workspace, params, "sample", given=str(write_tar(tmp_path / "a.tar", two_classes(3))))
    write_tar(workspace.dataset("sample").archive, two_classes(4))
    with pytest.raises(InputError, match=r"changed or damaged"):
        prepare(workspace, params, "sample")


def test_the_same_images_in_a_zip_give_the_same_manifest(workspace: Workspace, tmp_path: Path) -> None:
    first = prepared(workspace, two_classes())
    params = settings(workspace, "sample")
    fetch(workspace, params, "sample", given=str(write_zip(tmp_path / "a.zip", two_classes())))
    assert prepare(workspace, params, "sample").manifest_sha256 == first.manifest_sha256


@pytest.mark.thorough
@pytest.mark.shared
@pytest.mark.parametrize(
    ("dataset", "file", "classes", "images"),
    [("plant", "plant_village_few.zip", 15, 26), ("food", "food-101-64px.tar.gz", 101, 4090), ("flowers", "flower_photos.tgz", 5, 3268)],
)
def test_real_archives(workspace: Workspace, shared: Callable[[str], Path], dataset: str, file: str, classes: int, images: int) -> None:
    params = load_params(workspace)
    fetched = fetch(workspace, params, dataset, given=str(shared(f"datasets/{file}")))
    record = prepare(workspace, params, dataset)
    assert (fetched.note, len(record.classes), record.images) == (
        "not the upstream archive",
        classes,
        images - sum(record.quarantined.values()),
    )
    assert set(record.quarantined) <= {"duplicate of a test image"}
    assert sum(record.quarantined.values()) <= images // 1000
    manifest = read_manifest(workspace.dataset(dataset).manifest)
    assert class_names(manifest) == record.classes
    assert Counter(manifest["mode"]) == {"RGB": images}
    assert manifest.loc[manifest["split"].notna(), "sha256"].is_unique
    with ShardReader(workspace.dataset(dataset).images) as shards:
        row = manifest.iloc[[images // 2]]
        with Image.open(io.BytesIO(shards.read_rows(row)[0])) as image:
            assert image.size == (row["width"].item(), row["height"].item())
