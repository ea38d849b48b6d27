"""Prepared data sets in miniature: manifest rows as `prepare` writes them, and shards that hold small pictures."""

import datetime as dt
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from edgeloop.config import Params, Split, Validate, load_params
from edgeloop.datasets.manifest import write_manifest
from edgeloop.files import sha256_file
from edgeloop.records import FetchRecord, Outside, PrepareRecord, provenance
from edgeloop.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("bell", "daisy", "pansy", "sunflower", "tulip")
Row = dict[str, Any]
NOTHING = Outside(pictures=0, places={}, left_out=0, hidden=0, empty_class_folders=[])


def empty_project(folder: Path) -> Workspace:
    """A new folder with the repository's params.yaml."""
    folder.mkdir()
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return Workspace(folder)


def healthy_rows(classes: tuple[str, ...] = CLASSES, per_class: int = 30) -> list[Row]:
    """Rows that keep every rule: 72 % train, 8 % val, 20 % test of each class, all pictures different."""
    return [image_row(label, index, _split(index, per_class)) for label in classes for index in range(per_class)]


def image_row(label: str, index: int, split: str | None, **changed: Any) -> Row:
    """One row, its values drawn from its name; `changed` columns replace them."""
    path = f"sample/{label}/{index:04d}.jpg"
    digest = hashlib.sha256(path.encode()).hexdigest()
    rng = np.random.default_rng(int(digest[:8], 16))
    row: Row = {
        "path": path,
        "label": label,
        "split": split,
        "width": 160,
        "height": 120,
        "mode": "RGB",
        "format": "JPEG",
        "bytes": 5000,
        "sha256": digest,
        "phash": digest[:16],
        "brightness": float(np.clip(rng.normal(120, 20), 70, 170)),
        "sharpness": float(np.clip(rng.lognormal(6, 0.5), 150, 1100)),
        "duplicate_group": None,
        "reason": None,
        "shard": None,
        "offset": None,
        "length": None,
    }
    return row | changed


def quarantined_row(label: str, index: int, reason: str) -> Row:
    """A member that did not decode: nothing is known of it but its bytes."""
    unknown = dict.fromkeys(("width", "height", "mode", "format", "phash", "brightness", "sharpness"))
    return image_row(label, index, None, reason=reason, **unknown)


def prepare(
    workspace: Workspace, rows: list[Row], dataset: str = "sample", stored: bool = False, outside: Outside | None = NOTHING, **also: Any
) -> None:
    """Write the manifest and its record, and where `stored` a shard with a picture for each row; `also` are fields of the record."""
    images = workspace.dataset(dataset).images
    images.mkdir(parents=True, exist_ok=True)
    if stored:
        _store(rows, images / "shards-000.tar")
    write_manifest(pd.DataFrame(rows), workspace.dataset(dataset).manifest)
    _record(workspace, rows, dataset, outside).model_copy(update=also).write(workspace.dataset(dataset).prepare_record)


def _record(workspace: Workspace, rows: list[Row], dataset: str, outside: Outside | None) -> PrepareRecord:
    digest = sha256_file(workspace.dataset(dataset).manifest)
    made = provenance(workspace.root, {}, [], dt.datetime.now(dt.UTC), digest)
    fetched = FetchRecord(dataset=dataset, origin="drawn", bytes=1, sha256="0" * 64, upstream=False, note="drawn", provenance=made)
    return PrepareRecord(
        dataset=dataset,
        archive=fetched,
        manifest_sha256=digest,
        classes=sorted({row["label"] for row in rows}),
        members=len(rows),
        images=len(rows),
        quarantined={},
        outside_class_folders=[],
        outside=outside,
        split_rule="stratified",
        splits={},
        duplicate_groups=0,
        shards=0,
        shard_bytes=0,
        provenance=made,
    )


def params_of(workspace: Workspace, validate: Validate | None = None, split: Split | None = None, dataset: str = "sample") -> Params:
    """The workspace's params.yaml with other rules, or another split, for one data set."""
    params = load_params(workspace)
    declared = params.dataset(dataset)
    changed = declared.model_copy(
        update={
            "validation": validate or declared.validation,
            "prepare": declared.prepare.model_copy(update={"split": split or declared.prepare.split}),
        }
    )
    return params.model_copy(update={"datasets": params.datasets | {dataset: changed}})


def _split(index: int, per_class: int) -> str:
    return "test" if index < 0.2 * per_class else "val" if index < 0.28 * per_class else "train"


def _store(rows: list[Row], shard: Path) -> None:
    """Give each row a picture in the shard, and its place."""
    with tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, row in enumerate(rows):
            colour = np.random.default_rng(number).integers(0, 256, 3)
            content = cv2.imencode(".jpg", np.full((48, 64, 3), colour, np.uint8))[1].tobytes()
            member = tarfile.TarInfo(f"{number:06d}.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
            row |= {"shard": shard.name, "offset": tar.offset - -(-len(content) // 512) * 512, "length": len(content)}
