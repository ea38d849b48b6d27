"""A data set in params.yaml: where it comes from, how it is prepared, and which rules it must keep."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from edgeloop.config.section import Fraction, Positive, Section, Sha256
from edgeloop.resolution import Color
from edgeloop.userpath import UserPath


class Drawn(Section):
    """The sample set that the project draws itself."""

    per_class: Positive = 120
    size: Positive = 160
    seed: int = 127


class Source(Section):
    """Where a data set comes from: exactly one of `address`, `folder` and `drawn`."""

    address: str | None = None
    bytes: Positive | None = None
    sha256: Sha256 | None = None
    folder: UserPath | None = None
    drawn: Drawn | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if sum(origin is not None for origin in (self.address, self.folder, self.drawn)) != 1:
            raise ValueError("give exactly one of address (an archive's URL or path), folder (of class folders) and drawn")
        if self.address is not None and "://" in self.address and self.sha256 is None:
            raise ValueError("an address needs the sha256 of the archive")
        if self.address is None and (self.bytes or self.sha256):
            raise ValueError("bytes and sha256 are those of an archive at an address: a folder, or what is drawn, has none")
        return self


class Split(Section):
    """How images are divided into `train`, `val` and `test`.

    `keras`: the published model zoo's rule (Keras `image_dataset_from_directory`); `official`: the lists that the
    archive holds (`meta/train.json`, `meta/test.json`), `stratified` where it has none, which the record then says;
    `folders`: the archive's own folders for training, validation and test, and a share of those for training where it
    has none for the others; `stratified`: the same share of each class.
    """

    rule: Literal["keras", "official", "folders", "stratified"] = "stratified"
    seed: int = 127
    test_fraction: Fraction = 0.2
    val_fraction: Fraction = 0.1


class Limits(Section):
    """What an archive and its images may take."""

    members: Positive = 1_000_000
    total_bytes: Positive = 64_000_000_000
    image_bytes: Positive = 64_000_000
    image_pixels: Positive = 100_000_000
    compression_ratio: Positive = 200


class Layout(Section):
    """Where the class folders of an archive are; with nothing set, directly in the folder that holds most pictures."""

    root: str | None = None
    """The folder of the archive that holds the class folders."""
    nested: bool = False
    """Whether pictures in folders below a class folder belong to the class."""
    merge: bool = False
    """Whether the folders for training, validation and test are one set, which `split` divides anew."""

    @field_validator("root")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        return value if value is None else "/".join(part for part in value.split("/") if part not in ("", "."))


class Prepare(Section):
    """How images become shards and a manifest."""

    color: Color = "rgb"
    """What the images are stored as, and what the networks of the data set take: RGB, or grey of one channel."""
    short_side: Positive = 256
    jpeg_quality: Annotated[int, Field(ge=50, le=100)] = 92
    near_duplicate_bits: Annotated[int, Field(ge=0, le=16)] = 4
    near_duplicate_rms: Annotated[float, Field(ge=0, le=64)] = 12.0
    layout: Layout = Layout()
    split: Split = Split()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _layout_fits_the_split(self) -> "Prepare":
        if self.split.rule == "folders" and self.layout.merge:
            raise ValueError("layout.merge and the split rule 'folders' exclude each other: one merges the folders, one keeps them apart")
        if self.split.rule == "keras" and (self.layout.merge or self.layout.nested):
            raise ValueError("the split rule 'keras' knows plain class folders only; take 'stratified' with layout.nested or layout.merge")
        return self

    @property
    def takes_split_folders(self) -> bool:
        """Whether class folders may lie in folders for training, validation and test."""
        return self.layout.merge or self.split.rule == "folders"


class Rule(Section):
    """Bounds of one validation rule, and what happens when they do not hold."""

    at_least: float | None = None
    at_most: float | None = None
    severity: Literal["error", "warning"] = "error"


class Validate(Section):
    """The declared rules of a data set. `rules` adds to, or replaces, the defaults of the validation suite by name."""

    classes: list[str] | None = None
    class_count: Positive | None = None
    rules: dict[str, Rule] = Field(default_factory=dict)
