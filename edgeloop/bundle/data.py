"""The description of the data in a bundle: where the pictures came from, under which terms, what became of them, who is in which split."""

from typing import Literal

from edgeloop.bundle.files import as_json
from edgeloop.bundle.stated import Stated
from edgeloop.records import Outside, RuleResult, SplitCounts
from edgeloop.records.base import Part
from edgeloop.resolution import Color


class Archive(Part):
    """What the pictures were read from."""

    origin: str
    note: str
    upstream: bool
    bytes: int
    sha256: str
    fetched_utc: str


class DataDescription(Part):
    """A data set as a model learned from it. Counts are of images; the pictures themselves are not in the bundle."""

    kind: Literal["data"] = "data"
    dataset: str
    title: str | None
    license: str | None
    revision: str
    """SHA-256 of the manifest, which names each image with its digest, class and split."""
    archive: Archive
    color: Color
    classes: list[str]
    images: int
    """Those in a split."""
    splits: dict[str, SplitCounts]
    split_rule: str
    learned_from: list[str]
    """The splits that the weights have seen."""
    evaluated_on: str
    added_later: int
    relabelled: int
    quarantined: dict[str, int]
    """Left out, by reason."""
    duplicate_groups: int
    """Exact or near ones; each group lies in one split."""
    outside: Outside | None
    calibration_images: int
    calibration_per_class: dict[str, int]
    calibration_sha256: str
    """Of the pixels, in order."""
    accepted: bool
    rules: list[RuleResult]


def describe(stated: Stated) -> bytes:
    """The description, as JSON."""
    prepare, quantize = stated.prepare, stated.quantize
    told = DataDescription(
        dataset=prepare.dataset,
        title=stated.title,
        license=stated.dataset_license,
        revision=prepare.manifest_sha256,
        archive=_archive(stated),
        color=prepare.color,
        classes=prepare.classes,
        images=prepare.images,
        splits=prepare.splits,
        split_rule=prepare.split_rule,
        learned_from=stated.train.learned_from,
        evaluated_on=stated.evaluate.split,
        added_later=prepare.added,
        relabelled=prepare.relabelled,
        quarantined=prepare.quarantined,
        duplicate_groups=prepare.duplicate_groups,
        outside=prepare.outside,
        calibration_images=quantize.calibration_images,
        calibration_per_class=quantize.calibration_per_class,
        calibration_sha256=quantize.calibration_sha256,
        accepted=stated.validate.accepted,
        rules=stated.validate.results,
    )
    return as_json(told.model_dump(mode="json"))


def _archive(stated: Stated) -> Archive:
    archive = stated.prepare.archive
    return Archive(
        origin=archive.origin,
        note=archive.note,
        upstream=archive.upstream,
        bytes=archive.bytes,
        sha256=archive.sha256,
        fetched_utc=archive.provenance.time_utc,
    )
