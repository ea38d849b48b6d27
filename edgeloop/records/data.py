"""Records of data sets: fetch, prepare, ingest, validate."""

from typing import Literal

from pydantic import Field

from edgeloop.records.base import Part, Record
from edgeloop.resolution import Color


class FetchRecord(Record):
    """Where an archive came from."""

    kind: Literal["fetch"] = "fetch"
    dataset: str
    origin: str
    """The address that the archive was taken from, `drawn`, or the path in the project; of a file or folder elsewhere its name."""
    bytes: int
    sha256: str
    upstream: bool
    """Whether this is the upstream archive, by its SHA-256."""
    note: str
    """`the upstream archive`, `not the upstream archive`, `packed from a folder` or `drawn by edgeloop`."""
    given: bool = False
    """Whether the user gave it (`--from`) in place of the declared source."""
    hidden: int | None = None
    """Hidden files of the folder that were not packed; null for an archive, and in records of before this was counted."""


class SplitCounts(Part):
    """Images of one split, by class name."""

    images: int
    per_class: dict[str, int]


class Outside(Part):
    """What is in no class folder, counted."""

    pictures: int
    """Files with the name of a picture."""
    places: dict[str, int]
    """These by the folder that they lie in; empty: at the top."""
    left_out: int
    """Pictures that do not lie below `prepare.layout.root`, where that is declared; not among `pictures`."""
    hidden: int
    """Hidden files, and what desktop systems leave behind."""
    empty_class_folders: list[str]
    """Folders beside the class folders in which no picture lies directly, or, where `nested`, at all."""


class Exchanged(Part):
    """What changed since another first archive took the place of the one before, in images by split (`none`: quarantined)."""

    known: dict[str, int]
    """Content and name are as before."""
    added: dict[str, int]
    """Not known before."""
    removed: dict[str, int]
    changed: dict[str, int]
    """Another content under the same name."""
    moved: dict[str, int]
    """The same content under another name."""
    outside: int = 0
    """Files in no class folder."""

    def in_words(self) -> str:
        """All counts in a line."""
        counts = self.model_dump(exclude={"outside"}).items()
        said = ", ".join(f"{sum(images.values())} {name}{_where(images)}" for name, images in counts)
        return f"{said}, {self.outside} files outside a class folder" if self.outside else said


def _where(counts: dict[str, int]) -> str:
    return f" ({', '.join(f'{split} {count}' for split, count in counts.items())})" if counts else ""


class PrepareRecord(Record):
    """What came out of an archive."""

    kind: Literal["prepare"] = "prepare"
    dataset: str
    color: Color = "rgb"
    """Of what is stored."""
    archive: FetchRecord
    manifest_sha256: str
    classes: list[str]
    members: int
    added: int = 0
    """Those of `members` that later ingests added."""
    images: int
    """Images that are in a split."""
    quarantined: dict[str, int]
    """Count of quarantined members by reason."""
    outside_class_folders: list[str]
    """Other members that are in no class folder (licence texts, lists); in records of before `outside`, all of them."""
    outside: Outside | None = None
    """Null in records of before this was counted."""
    split_rule: str
    """The rule that was applied, and why it is not the declared one where it is not."""
    splits: dict[str, SplitCounts]
    relabelled: int = 0
    """Images whose class is not that of their folder, but what somebody said that it is (`edgeloop relabel`)."""
    exchanged: Exchanged | None = None
    """Null where the first archive was never exchanged."""
    duplicate_groups: int
    shards: int
    shard_bytes: int


class QuarantinedFile(Part):
    """An incoming file that was not added."""

    path: str
    """In the incoming folder."""
    bytes: int
    sha256: str | None
    """Null for a file that is too large to be read."""
    reason: str


class KnownElsewhere(Part):
    """An incoming file that the data set has under another label."""

    path: str
    """In the incoming folder."""
    label: str
    """Its class folder there."""
    known: str
    """The path in the manifest."""
    known_label: str
    corrected: bool
    """Whether somebody has given the image that label (`edgeloop relabel`)."""


class IngestRecord(Record):
    """What became of incoming images."""

    kind: Literal["ingest"] = "ingest"
    dataset: str
    number: int
    source: str
    files: int
    """All incoming files."""
    added: dict[str, dict[str, int]]
    """Images by split and class."""
    known: int
    """Files whose bytes the data set has under that label, had quarantined before, or that came twice."""
    known_elsewhere: list[KnownElsewhere] = Field(default_factory=list)
    """Files whose bytes the data set has under another label."""
    dropped: int = 0
    """Files that somebody took out before (`edgeloop drop`)."""
    unreadable: list[str] = Field(default_factory=list)
    """Files that could not be read."""
    other_files: int = 0
    """Files outside the class folders that are no pictures."""
    quarantined: dict[str, int]
    """Count by reason."""
    quarantined_files: list[QuarantinedFile]
    outside_class_folders: list[str]
    """Other files that are in no class folder; in records of before `outside`, all of them."""
    outside: Outside | None = None
    """Null in records of before this was counted."""
    archive: str | None
    """File name of the archive below data/<dataset>/additions, which has its digest; null where nothing was added."""
    rejected_archive: str | None
    """File name of the archive of quarantined files below data/<dataset>/rejected."""
    revision_before: str
    """SHA-256 of the manifest."""
    revision_after: str


Correction = Literal["relabel", "drop", "split anew"]


class CorrectedImage(Part):
    """An image that somebody corrected."""

    path: str
    """In the manifest."""
    sha256: str
    split: str | None
    """Null where it was quarantined."""
    before: str
    """Its class."""
    after: str | None
    """Null where it was taken out."""


class CorrectionRecord(Record):
    """What somebody corrected in a data set, and why."""

    kind: Literal["correction"] = "correction"
    dataset: str
    number: int
    action: Correction
    reason: str
    images: list[CorrectedImage]
    archive: str
    """File name of the archive below data/<dataset>/additions that remembers it."""
    revision_before: str | None
    """SHA-256 of the manifest; null where it was not there."""
    revision_after: str


class RuleResult(Part):
    """The outcome of one validation rule."""

    name: str
    description: str
    severity: Literal["error", "warning"]
    holds: bool
    observed: float | str | None
    expected: str
    failed_rows: int


class ValidateRecord(Record):
    """The outcome of a data set's suite."""

    kind: Literal["validate"] = "validate"
    dataset: str
    manifest_sha256: str
    previous_manifest_sha256: str | None
    accepted: bool
    results: list[RuleResult]
