"""The whole of params.yaml: data sets, the variants that are trained from them, and the boards that these are measured on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from edgeloop.config.data import Prepare, Source, Validate
from edgeloop.config.section import Network, Resolution, Section
from edgeloop.config.steps import Benchmark, Evaluate, Generate, Ingest, Publish, Quantize, Schedules
from edgeloop.config.training import Train, TrainSettings
from edgeloop.errors import InputError
from edgeloop.names import Name, same_but_for_case
from edgeloop.workspace import VariantPaths, Workspace
from edgeloop.yamlfile import misfit, near_match, read_yaml


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

    def paths(self, workspace: Workspace) -> VariantPaths:
        """Where what is made of it lies."""
        return workspace.variant(self.dataset, self.network, self.resolution)


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


Entry = TypeVar("Entry")
BACKBONES = "backbones"
"""The folder beside the data sets' in models/."""
Step = Literal["prepare", "train", "quantize", "generate", "evaluate", "card"]
"""Stages that a pool may do; `fetch` and `validate` keep their outputs between runs, and a benchmark goes where its board is."""


class Params(Section):
    """The whole of params.yaml."""

    datasets: dict[Name, Dataset]
    variants: dict[str, Variant]
    benchmarks: dict[str, BoardBenchmark] = Field(default_factory=dict)
    quantize: Quantize = Quantize()
    generate: Generate = Generate()
    evaluate: Evaluate = Evaluate()
    benchmark: Benchmark = Benchmark()
    publish: Publish = Publish()
    ingest: dict[str, Ingest] = Field(default_factory=dict)
    schedules: Schedules = Schedules()
    pools: dict[Name, list[Step]] = Field(default_factory=dict)
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
        return _named(self.datasets, "data set", name)

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            InputError: there is none; the message names the near match.
        """
        return _named(self.variants, "variant", name)

    def board_benchmark(self, name: str) -> BoardBenchmark:
        """The benchmark of that name.

        Raises:
            InputError: there is none; the message names the near match.
        """
        return _named(self.benchmarks, "benchmark", name)

    def train_settings(self, variant: Variant) -> TrainSettings:
        """How that variant is trained, its overrides applied."""
        return self.datasets[variant.dataset].train.settings(variant.network, variant.resolution)


def load_params(workspace: Workspace) -> Params:
    """Read the workspace's params.yaml.

    Raises:
        ConfigError: with file, line and the near match of every key that does not fit.
    """
    return read_yaml(workspace.params, Params)


def _named(section: Mapping[str, Entry], what: str, name: str) -> Entry:
    if name not in section:
        raise InputError(f"There is no {what} '{name}' in params.yaml{near_match(name, section)}.")
    return section[name]
