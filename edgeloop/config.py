"""params.yaml as typed models: what is built, from which data, and how. Unknown keys are refused."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from edgeloop.augmentation import Augmentation
from edgeloop.errors import InputError
from edgeloop.names import Name, same_but_for_case
from edgeloop.times import cron_fault, is_time_zone, time_zones
from edgeloop.userpath import UserPath
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import misfit, near_match, read_yaml

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Network = Literal["fdmobilenet_0.25", "fdmobilenet_0.5", "fdmobilenet_0.75", "fdmobilenet_1.0", "st_fdmobilenet_v1"]
Resolution = Annotated[int, Field(ge=96, le=256, multiple_of=32)]
Resize = Literal["nearest", "bilinear", "area"]
REFIT_BELOW = 10_000


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
    rules: dict[str, Rule] = {}


class Phase(Section):
    """One phase of a training schedule. `head` trains the last layer over cached features; `full` trains everything."""

    mode: Literal["scratch", "head", "full"]
    epochs: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    decay: Literal["cosine", "constant"] = "cosine"
    early_stopping: Positive | None = None
    """After so many epochs in a row without a better one."""
    resolution: Annotated[int, Field(ge=64, le=256, multiple_of=32)] | None = None
    """The side that this phase trains at, where it is not the variant's; it is always scored at the variant's."""

    @model_validator(mode="after")
    def _can_stop_early(self) -> "Phase":
        if self.early_stopping is not None and self.early_stopping >= self.epochs:
            raise ValueError(f"early_stopping: {self.early_stopping} can never end a phase of {self.epochs} epochs")
        if self.resolution is not None and self.mode == "head":
            raise ValueError("a phase of mode head trains over features at the variant's resolution: leave out resolution")
        return self


class TrainSettings(Section):
    """How one variant is trained."""

    phases: Annotated[list[Phase], Field(min_length=1)]
    seed: int = 127
    batch_size: Positive = 64
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    batch_norm_momentum: Annotated[float, Field(gt=0, lt=1)] = 0.9
    weight_average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    resize: Resize = "area"
    input_range: tuple[float, float] = (0.0, 1.0)
    stored_scale: Annotated[float, Field(ge=1, le=2)] = 1.15
    augmentation: list[Augmentation] = []
    final: Literal["auto", "best_epoch", "refit"] = "best_epoch"

    def refits(self, images: int) -> bool:
        """Whether the last weights of a fit on all `images` of train and val are kept, not the best epoch's on train.

        `auto` refits below 10,000 images, unless a phase stops early: there a tenth more images counts, and the best of many
        epochs on some hundred images is chosen by noise. Above, it would double the time for little.
        """
        if self.final == "auto":
            return images < REFIT_BELOW and not any(phase.early_stopping for phase in self.phases)
        return self.final == "refit"

    @model_validator(mode="after")
    def _augmentation_is_of_use(self) -> "TrainSettings":
        if self.augmentation and all(phase.mode == "head" for phase in self.phases):
            raise ValueError(
                "augmentation has no use where all phases are of mode head, which trains over features of the images as they are"
            )
        return self

    @field_validator("input_range")
    @classmethod
    def _ordered(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError("the lower end comes first, e.g. [0, 1] or [-1, 1]")
        return value

    @model_validator(mode="after")
    def _refits_have_a_length(self) -> "TrainSettings":
        if self.final == "refit" and any(phase.early_stopping for phase in self.phases):
            raise ValueError("a refit has no images to stop early by: remove early_stopping, or write final: best_epoch")
        return self


class Override(Section):
    """Training settings of some variants only: those whose network and resolution match (absent: any)."""

    network: Network | None = None
    resolution: Resolution | None = None
    set: Annotated[dict[str, Any], Field(min_length=1)]

    def matches(self, network: str, resolution: int) -> bool:
        return self.network in (None, network) and self.resolution in (None, resolution)


class Train(TrainSettings):
    """The training settings of a data set, and those that differ for some of its variants."""

    overrides: list[Override] = []

    @model_validator(mode="after")
    def _overrides_fit(self) -> "Train":
        for override in self.overrides:
            self._merged([override])
        return self

    def settings(self, network: str, resolution: int) -> TrainSettings:
        """The settings of one variant: these, with every matching override applied in order."""
        return self._merged([override for override in self.overrides if override.matches(network, resolution)])

    def _merged(self, overrides: list[Override]) -> TrainSettings:
        values = self.model_dump(exclude={"overrides"})
        for override in overrides:
            values.update(override.set)
        return TrainSettings.model_validate(values)


class Dataset(Section):
    """One data set: where it comes from, and what each step does with it. `{}` takes a step's defaults."""

    title: str | None = None
    license: str | None = None
    source: Source
    prepare: Prepare
    # The key is the step's name; `validate` is also a method of every pydantic model.
    validation: Annotated[Validate, Field(alias="validate")]
    train: Train


class Variant(Section):
    """What is trained: data set x network x resolution, and the weights it starts from.

    `start` is a file of `models/backbones/`, or a `.keras` (another variant's `model.keras` included), or a Keras 2 `.h5`.
    """

    dataset: str
    network: Network
    resolution: Resolution
    start: Path = Path("models/backbones/scratch.yaml")

    @field_validator("start")
    @classmethod
    def _dvc_knows_it(cls, value: Path) -> Path:
        if value.parts[:1] and value.parts[0].startswith("~"):
            raise ValueError(f"DVC reads this path, too, and does not know ~: write it out, {value.expanduser()}")
        return value

    @property
    def id(self) -> str:
        return f"{self.dataset}-{self.network}-{self.resolution}"


class BoardBenchmark(Section):
    """What is measured where: a variant on a board."""

    dataset: str
    network: Network
    resolution: int
    board: Name
    runs: Literal["quantized", "generated"]
    """The folder of the variant that the board runs."""

    @property
    def variant(self) -> str:
        return f"{self.dataset}-{self.network}-{self.resolution}"

    @property
    def id(self) -> str:
        return f"{self.variant}-{self.board}"


class Quantize(Section):
    """Calibration of the int8 models."""

    calibration_images: Positive = 200
    seed: int = 127


class Generate(Section):
    """What code is generated from the int8 models."""

    target: str = "stm32h7"
    backend: Literal["auto", "portable", "stedgeai"] = "portable"
    stream_input: bool = False
    profile: str | None = None
    tool: UserPath | None = None

    @model_validator(mode="after")
    def _of_use(self) -> "Generate":
        if self.backend == "portable" and (self.profile or self.tool):
            raise ValueError("profile and tool are of use for ST Edge AI Core only: backend is portable")
        if self.backend == "stedgeai" and self.stream_input:
            raise ValueError("stream_input is of use for the portable generator only: backend is stedgeai")
        return self


class Evaluate(Section):
    """How test accuracy is read."""

    top5_from_classes: Positive = 11


class Benchmark(Section):
    """How latency is measured; `images` are run on an emulated board, whose counts need no repetition."""

    threads: Positive = 1
    warmup_runs: Positive = 20
    windows: Annotated[int, Field(ge=5)] = 7
    runs_per_window: Positive = 50
    images: Positive = 16


class Publish(Section):
    """Where cards go: `s3://bucket/prefix` or a folder. `endpoint` is empty for AWS, `local` for `edgeloop store up`."""

    to: str = "s3://edgeloop/cards"
    endpoint: str = "local"
    checksums: Literal["when_supported", "when_required"] = "when_supported"


class Ingest(Section):
    """Where new images of a data set come from by themselves: a folder of class folders, or s3://bucket/prefix."""

    origin: Annotated[str, Field(alias="from")]
    endpoint: str | None = None
    """Of the S3 server, as in `publish`, whose own is taken by default."""
    retrain: bool = True
    """Whether the variants that stand on the data are built again."""
    publish: bool = False
    push: bool = False
    """Whether what is committed goes to the branch's upstream, and its data to the DVC remote: other machines need both."""

    @model_validator(mode="after")
    def _has_something_to_publish(self) -> "Ingest":
        if self.publish and not self.retrain:
            raise ValueError("publish has no use without retrain: there are no new cards")
        return self


BACKBONES = "backbones"
"""The folder beside the data sets' in models/."""
OFF = "off"


class Schedules(Section):
    """When flows run by themselves: a cron line of five fields, or `off`."""

    timezone: str = "UTC"
    retrain: str = OFF
    benchmark: str = OFF
    ingest: str = OFF

    @field_validator("retrain", "benchmark", "ingest")
    @classmethod
    def _is_a_cron_line(cls, line: str) -> str:
        if line != OFF and (reason := cron_fault(line)) is not None:
            raise ValueError(f"'{line}' is neither a cron line of five fields (such as '0 2 * * *', at 2 every night) nor off: {reason}")
        return line

    @field_validator("timezone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        if not is_time_zone(name):
            raise ValueError(f"'{name}' is no time zone of the IANA's list{near_match(name, time_zones())}")
        return name


Step = Literal["prepare", "train", "quantize", "generate", "evaluate", "card"]
"""Stages that a pool may do; `fetch` and `validate` keep their outputs between runs, and a benchmark goes where its board is."""


class Params(Section):
    """The whole of params.yaml."""

    datasets: dict[Name, Dataset]
    variants: dict[str, Variant]
    benchmarks: dict[str, BoardBenchmark] = {}
    quantize: Quantize = Quantize()
    generate: Generate = Generate()
    evaluate: Evaluate = Evaluate()
    benchmark: Benchmark = Benchmark()
    publish: Publish = Publish()
    ingest: dict[str, Ingest] = {}
    schedules: Schedules = Schedules()
    pools: dict[Name, list[Step]] = {}
    """Which stages other machines do, by the pool of workers; those of a board in another lab follow from lab.yaml."""

    @model_validator(mode="after")
    def _names_differ(self) -> "Params":
        for section in ("datasets", "pools"):
            if (pair := same_but_for_case(getattr(self, section))) is not None:
                raise misfit((section, pair[1]), f"'{pair[0]}' differs from it in upper and lower case only")
        if BACKBONES in self.datasets:
            raise misfit(("datasets", BACKBONES), f"models/{BACKBONES} holds the starting weights; call the data set otherwise")
        return self

    @model_validator(mode="after")
    def _pools_fit(self) -> "Params":
        seen: dict[str, str] = {}
        for pool, steps in self.pools.items():
            for step in steps:
                if step in seen:
                    raise misfit(("pools", pool), f"'{step}' goes to the pool '{seen[step]}' already")
                seen[step] = pool
        return self

    @model_validator(mode="after")
    def _variants_fit(self) -> "Params":
        for name, variant in self.variants.items():
            if variant.dataset not in self.datasets:
                raise misfit(("variants", name), f"there is no data set '{variant.dataset}'{near_match(variant.dataset, self.datasets)}")
            if name != variant.id:
                raise misfit(("variants", name), f"by its own fields it is named {variant.id}")
        return self

    @model_validator(mode="after")
    def _ingests_fit(self) -> "Params":
        for name in self.ingest:
            if name not in self.datasets:
                raise misfit(("ingest", name), f"there is no data set '{name}'{near_match(name, self.datasets)}")
        return self

    @model_validator(mode="after")
    def _benchmarks_fit(self) -> "Params":
        for name, benchmark in self.benchmarks.items():
            if benchmark.variant not in self.variants:
                near = near_match(benchmark.variant, self.variants)
                raise misfit(("benchmarks", name), f"there is no variant '{benchmark.variant}'{near}")
            if name != benchmark.id:
                raise misfit(("benchmarks", name), f"by its own fields it is named {benchmark.id}")
        measured = {benchmark.variant for benchmark in self.benchmarks.values()}
        for name, variant in self.variants.items():
            if name not in measured:
                fields = f"dataset: {variant.dataset}, network: {variant.network}, resolution: {variant.resolution}"
                line = f"{name}-host: {{{fields}, board: host, runs: quantized}}"
                raise misfit(("variants", name), f"it is measured nowhere; add a line to `benchmarks`, for example:\n  {line}")
        return self

    def dataset(self, name: str) -> Dataset:
        """The data set of that name.

        Raises:
            InputError: there is none; the message names the near match.
        """
        if name not in self.datasets:
            raise InputError(f"There is no data set '{name}' in params.yaml{near_match(name, self.datasets)}.")
        return self.datasets[name]

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            InputError: there is none; the message names the near match.
        """
        if name not in self.variants:
            raise InputError(f"There is no variant '{name}' in params.yaml{near_match(name, self.variants)}.")
        return self.variants[name]

    def board_benchmark(self, name: str) -> BoardBenchmark:
        """The benchmark of that name.

        Raises:
            InputError: there is none; the message names the near match.
        """
        if name not in self.benchmarks:
            raise InputError(f"There is no benchmark '{name}' in params.yaml{near_match(name, self.benchmarks)}.")
        return self.benchmarks[name]

    def train_settings(self, variant: Variant) -> TrainSettings:
        """How that variant is trained, its overrides applied."""
        return self.datasets[variant.dataset].train.settings(variant.network, variant.resolution)


def load_params(workspace: Workspace) -> Params:
    """Read the workspace's params.yaml.

    Raises:
        ConfigError: with file, line and the near match of every key that does not fit.
    """
    return read_yaml(workspace.params, Params)
