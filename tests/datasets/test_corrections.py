"""Relabelling and taking out: what is touched, what is refused, and that neither fetch nor ingest undoes it."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets_in_miniature import fill, jpeg, prepared, settings, two_classes

from edgeloop.datasets.corrections import Corrected, drop, read_csv, relabel
from edgeloop.datasets.manifest import read_manifest
from edgeloop.datasets.prepare import prepare
from edgeloop.errors import InputError
from edgeloop.ingest.arrivals import Arrival, UnreadableFile
from edgeloop.ingest.incoming import IncomingFolder
from edgeloop.ingest.ingest import Ingested, NothingNew, in_words, ingest
from edgeloop.records import IngestRecord
from edgeloop.workspace import Workspace


def manifest_of(workspace: Workspace) -> pd.DataFrame:
    return read_manifest(workspace.dataset("sample").manifest).set_index("path")


def take(workspace: Workspace, made: Corrected) -> pd.DataFrame:
    """What the command does with it: a pointer, the record, and the data set anew."""
    folder = workspace.ingests("sample")
    fill(folder, {f"{made.archive.name}.dvc": b"outs: []"})
    made.record.write(folder / f"{made.record.number:05d}.json")
    prepare(workspace, settings(workspace, "sample"), "sample")
    return manifest_of(workspace)


def relabelled(workspace: Workspace, labels: dict[str, str]) -> pd.DataFrame:
    return take(workspace, relabel(workspace, settings(workspace, "sample"), "sample", labels, "wrong"))


def dropped(workspace: Workspace, *paths: str) -> pd.DataFrame:
    return take(workspace, drop(workspace, settings(workspace, "sample"), "sample", paths, "blurred"))


def ingested(workspace: Workspace, folder: Path) -> Any:
    return ingest(workspace, settings(workspace, "sample"), "sample", IncomingFolder(folder))


def test_a_relabelled_picture_keeps_its_split_and_a_dropped_one_is_in_none(workspace: Workspace) -> None:
    prepared(workspace, two_classes(20))
    before = manifest_of(workspace)
    test = before.index[(before["split"] == "test") & (before["label"] == "cat")][0]
    after = relabelled(workspace, {test: "dog"})
    assert (after.at[test, "label"], after.at[test, "split"]) == ("dog", "test")
    others = before.index.drop(test)
    columns = ["split", "label", "sha256"]
    assert after.loc[others, columns].equals(before.loc[others, columns])
    last = dropped(workspace, "dog/003.jpg")
    assert last["split"].isna()["set/dog/003.jpg"]
    assert last.at["set/dog/003.jpg", "reason"] == "dropped: blurred"
    assert last["shard"].isna()["set/dog/003.jpg"]
    others = others.drop("set/dog/003.jpg")
    assert last.loc[others, columns].equals(before.loc[others, columns])


def test_neither_fetching_nor_ingesting_the_same_again_undoes_a_correction(workspace: Workspace, tmp_path: Path) -> None:
    members = two_classes(20)
    prepared(workspace, members)
    relabelled(workspace, {"cat/001.jpg": "dog"})
    dropped(workspace, "cat/002.jpg")
    prepared(workspace, {**members, "set/dog/new.jpg": jpeg(7000)})
    again = manifest_of(workspace)
    assert again.at["set/cat/001.jpg", "label"] == "dog"
    assert again.at["set/cat/002.jpg", "reason"] == "dropped: blurred"
    arrived = {"cat/1.jpg": members["set/cat/001.jpg"], "cat/2.jpg": members["set/cat/002.jpg"], "cat/5.jpg": members["set/dog/005.jpg"]}
    found = ingested(workspace, fill(tmp_path / "in", arrived))
    assert isinstance(found, NothingNew)
    lines = found.counts.in_words()
    assert lines == [
        "  2 known under another label, which stays (edgeloop relabel changes it):",
        "    cat/1.jpg: is dog since it was corrected (set/cat/001.jpg)",
        "    cat/5.jpg: is dog (set/dog/005.jpg)",
        "  1 dropped before, and not taken again",
    ]


class OneClosed(IncomingFolder):
    """A folder with a file that nobody may read; for root there is none."""

    def read(self, arrival: Arrival) -> bytes:
        if arrival.path == "cat/closed.jpg":
            raise UnreadableFile("cat/closed.jpg cannot be read.")
        return super().read(arrival)


def test_every_file_of_an_arrival_ends_in_a_count(workspace: Workspace, tmp_path: Path) -> None:
    members = two_classes(20)
    prepared(workspace, members)
    arrived = {
        "loose.jpg": jpeg(8000),
        "cat/known.jpg": members["set/cat/001.jpg"],
        "dog/elsewhere.jpg": members["set/cat/002.jpg"],
        "cat/new.jpg": jpeg(8001),
        "cat/torn.jpg": b"no",
        "cat/closed.jpg": jpeg(8002),
        "readme.txt": b"hi",
    }
    folder = fill(tmp_path / "in", arrived)
    found = ingest(workspace, settings(workspace, "sample"), "sample", OneClosed(folder))
    assert isinstance(found, Ingested)
    assert _sum(found.record) == found.record.files == len(arrived)
    words = "\n".join(in_words(found.record))
    for line in ("1 image added", "1 known", "1 quarantined", "1 known under another label", "1 picture outside", "1 other file"):
        assert line in words
    assert "1 cannot be read: cat/closed.jpg" in words


def _sum(record: IngestRecord) -> int:
    outside = record.outside.pictures if record.outside else 0
    taken = sum(sum(classes.values()) for classes in record.added.values())
    others = len(record.known_elsewhere) + record.dropped + len(record.unreadable) + record.other_files
    return taken + record.known + len(record.quarantined_files) + outside + others


def test_paths_are_found_as_people_write_them_and_others_get_the_near_match(workspace: Workspace) -> None:
    members = {**two_classes(10), "set/cat/a\u0308 b.jpg": jpeg(7000)}
    prepared(workspace, members)
    params = settings(workspace, "sample")
    for text in ("cat/ä b.jpg", "set/cat/ä b.jpg", "/photos/set/cat/ä b.jpg", "./cat/ä b.jpg"):
        assert drop(workspace, params, "sample", [text], "x").record.images[0].path == "set/cat/a\u0308 b.jpg"
    with pytest.raises(InputError, match=r"cat/01.jpg: no such image.*near are.*cat/001.jpg"):
        drop(workspace, params, "sample", ["cat/01.jpg"], "x")
    with pytest.raises(InputError, match=r"001.jpg: 2 images have that name: set/cat/001.jpg, set/dog/001.jpg"):
        drop(workspace, params, "sample", ["001.jpg"], "x")
    with pytest.raises(InputError, match=r"no class 'dgo' .*dog"):
        relabel(workspace, params, "sample", {"cat/001.jpg": "dgo"}, "x")


@pytest.mark.thorough
def test_what_would_empty_a_class_or_a_split_is_refused(workspace: Workspace) -> None:
    prepared(workspace, two_classes(10))
    manifest, params = manifest_of(workspace), settings(workspace, "sample")
    cats = list(manifest.index[manifest["label"] == "cat"])
    with pytest.raises(InputError, match="no image in the class cat"):
        drop(workspace, params, "sample", cats, "x")
    with pytest.raises(InputError, match="no image in the class cat"):
        relabel(workspace, params, "sample", dict.fromkeys(cats, "dog"), "x")
    with pytest.raises(InputError, match="no image in the split val"):
        drop(workspace, params, "sample", list(manifest.index[manifest["split"] == "val"]), "x")
    assert not workspace.ingests("sample").exists()


@pytest.mark.thorough
def test_a_picture_in_two_classes_is_freed_by_either_correction(workspace: Workspace) -> None:
    members = two_classes(20)
    members["set/dog/same.jpg"] = members["set/cat/001.jpg"]
    members["set/dog/same too.jpg"] = members["set/cat/002.jpg"]
    prepared(workspace, members)
    assert manifest_of(workspace).loc[["set/dog/same.jpg", "set/cat/001.jpg"], "split"].isna().all()
    after = dropped(workspace, "dog/same.jpg")
    assert after.loc[["set/cat/001.jpg", "set/dog/same.jpg"], "split"].notna().tolist() == [True, False]
    after = relabelled(workspace, {"dog/same too.jpg": "cat"})
    both = after.loc[["set/dog/same too.jpg", "set/cat/002.jpg"]]
    assert set(both["label"]) == {"cat"}
    assert both["split"].notna().all()
    assert both["split"].nunique() == 1


@pytest.mark.thorough
def test_lookalikes_must_be_corrected_together(workspace: Workspace) -> None:
    near = {"set/cat/near 1.jpg": jpeg(7000, quality=95), "set/cat/near 2.jpg": jpeg(7000, quality=80)}
    prepared(workspace, {**two_classes(20), **near})
    with pytest.raises(InputError, match=r"same picture.*near 1.jpg.*near 2.jpg"):
        relabelled(workspace, {"cat/near 1.jpg": "dog"})
    after = relabelled(workspace, {"cat/near 1.jpg": "dog", "cat/near 2.jpg": "dog"})
    assert set(after.loc[list(near), "label"]) == {"dog"}


def test_a_list_of_corrections(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_text('\ufeffpath,label\n"cat/a, b.jpg",dog\n\ncat/ü.jpg,dog\n', encoding="utf-8")
    assert read_csv(path, 2) == [["cat/a, b.jpg", "dog"], ["cat/ü.jpg", "dog"]]
    path.write_text("cat/1.jpg\n", encoding="utf-8")
    assert read_csv(path, 1) == [["cat/1.jpg"]]
    with pytest.raises(InputError, match="has not the form path,label"):
        read_csv(path, 2)
