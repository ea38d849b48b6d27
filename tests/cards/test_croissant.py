"""The data set of a card as Croissant metadata: its own reader takes it, and reads the manifest by it."""

import shutil
from collections import Counter
from pathlib import Path

import mlcroissant
import pytest
from card_records import Story

from edgeloop.cards.croissant import croissant
from edgeloop.datasets.manifest import read_manifest
from edgeloop.records import PrepareRecord
from edgeloop.workspace import Workspace

FLOWERS = "flowers-fdmobilenet_0.25-128"


def described(workspace: Workspace, story: Story, name: str) -> tuple[mlcroissant.Dataset, PrepareRecord]:
    """The description as it is read back: from the project's folder, which its addresses start at."""
    params, dataset = story.write(workspace), workspace.dataset(name)
    prepare = PrepareRecord.read(dataset.prepare_record)
    path = workspace.root / "croissant.json"
    path.write_text(croissant(params.dataset(name), prepare, dataset), encoding="utf-8")
    return mlcroissant.Dataset(path), prepare


def test_it_is_valid_and_holds_what_the_record_says(workspace: Workspace) -> None:
    told, prepare = described(workspace, Story(variant=FLOWERS, upstream=True, origin="x", note="the upstream archive"), "flowers")
    issues = told.metadata.ctx.issues
    assert issues.errors == set()
    assert [warning for warning in issues.warnings if "citeAs" not in warning] == [], "who is to be cited is in no record"
    archive, manifest = told.metadata.distribution
    assert (archive.sha256, archive.content_url) == (
        prepare.archive.sha256,
        "http://download.tensorflow.org/example_images/flower_photos.tgz",
    )
    assert manifest.sha256 == prepare.manifest_sha256
    assert told.metadata.license == ["https://spdx.org/licenses/CC-BY-2.0"]
    assert [record["classes/name"] for record in told.records("classes")] == prepare.classes
    splits = {record["splits/name"]: record["splits/images"] for record in told.records("splits")}
    assert splits == {name: counts.images for name, counts in prepare.splits.items()}


def test_its_reader_reads_the_images_from_the_manifest(workspace: Workspace) -> None:
    told, _ = described(workspace, Story(), "sample")
    rows = read_manifest(workspace.dataset("sample").manifest)
    read = [(record["images/path"], record["images/label"]) for record in told.records("images")]
    assert len(read) == len(rows) > 0
    labels = Counter(label.decode() for _, label in read)
    assert labels == Counter(rows["label"])


@pytest.mark.parametrize("story", [Story(), Story(variant="food-fdmobilenet_0.25-128", note="not the upstream archive", origin="y")])
def test_an_archive_that_is_not_the_declared_one_gets_no_address(workspace: Workspace, story: Story) -> None:
    told, _ = described(workspace, story, story.variant.partition("-")[0])
    assert [one.name for one in told.metadata.distribution] == ["manifest"]


def test_equal_records_give_equal_bytes(workspace: Workspace, tmp_path: Path) -> None:
    described(workspace, Story(), "sample")
    once = shutil.copy(workspace.root / "croissant.json", tmp_path / "once.json")
    described(workspace, Story(), "sample")
    assert (workspace.root / "croissant.json").read_bytes() == Path(once).read_bytes()
