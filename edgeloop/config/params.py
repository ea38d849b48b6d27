"""The whole of params.yaml: data sets, the variants that are trained from them, and which of these are built."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from edgeloop.config.data import Prepare, Source, Validate
from edgeloop.config.gates import Gates, merged, unknown_board
from edgeloop.config.old_form import is_old, new_lines
from edgeloop.config.section import Section, Words
from edgeloop.config.steps import Benchmark, Evaluate, Generate, Ingest, Publish, Quantize, Schedules, Watch
from edgeloop.config.training import Train, TrainSettings
from edgeloop.config.variants import (
    ALL,
    RESERVED,
    BoardBenchmark,
    Row,
    Rows,
    Variant,
    by_model,
    chosen,
    declared,
    is_pattern,
    standing_on,
    with_starts,
)
from edgeloop.errors import InputError
from edgeloop.names import Name, same_but_for_case
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import misfit, near_match, read_yaml


class Dataset(Section):
    """One data set: where it comes from, and what each step does with it."""

    title: str | None = None
    license: str | None = None
    source: Source
    prepare: Prepare
    # The key is the step's name; `validate` is also a method of every pydantic model.
    validation: Annotated[Validate, Field(alias="validate")]
    train: Train


class Defaults(Section):
    """What a data set takes where it does not have the key."""

    prepare: Prepare | None = None
    validation: Annotated[Validate | None, Field(alias="validate")] = None
    train: Train | None = None
    variants: Row = Row()


Entry = TypeVar("Entry")
Step = Literal["prepare", "train", "quantize", "generate", "evaluate", "card"]
"""Stages that a pool may do; `fetch` and `validate` keep their outputs between runs, and a benchmark goes where its board is."""
STATED = ("prepare", "validate", "train")
"""The keys of a data set that it may leave to `defaults`."""


class Params(Section):
    """The whole of params.yaml. Which variants and benchmarks there are, and which are built, is asked here and nowhere else."""

    build: Words
    sets: dict[Name, Words] = Field(default_factory=dict)
    pin: Words = ()
    defaults: Defaults = Defaults()
    datasets: dict[Name, Dataset]
    rows: Annotated[dict[str, Rows], Field(alias="variants")] = Field(default_factory=dict)
    quantize: Quantize = Quantize()
    generate: Generate = Generate()
    evaluate: Evaluate = Evaluate()
    benchmark: Benchmark = Benchmark()
    publish: Publish = Publish()
    gates: dict[str, Gates] = Field(default_factory=dict)
    """By a word as in `build`."""
    watch: Watch = Watch()
    ingest: dict[str, Ingest] = Field(default_factory=dict)
    schedules: Schedules = Schedules()
    pools: dict[Name, list[Step]] = Field(default_factory=dict)
    """Which stages other machines do, by the pool of workers; those of a board in another lab follow from lab.yaml."""
    _variants: dict[str, Variant] = PrivateAttr(default_factory=dict)
    _stated: dict[str, frozenset[str]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _completed(cls, tree: Any, handler: ModelWrapValidatorHandler["Params"]) -> "Params":
        """Give every data set what it leaves to `defaults`, and remember what it states itself."""
        if not isinstance(tree, Mapping):
            return handler(tree)
        if is_old(tree):
            said = "each variant has a line of its own, which is the former form; write instead of `variants` and `benchmarks`:"
            raise misfit(("variants",), f"{said}\n{new_lines(tree)}\n")
        defaults, datasets = tree.get("defaults", {}), tree.get("datasets")
        if not isinstance(defaults, Mapping) or not isinstance(datasets, Mapping):
            return handler(tree)
        for name, entry in datasets.items():
            if isinstance(entry, Mapping) and "color" in entry:
                said = f"it is a key of prepare, which makes the images so; write prepare: {{color: {entry['color']}}}"
                raise misfit(("datasets", name, "color"), said)
        given = {step: defaults[step] for step in STATED if step in defaults}
        entries = {name: given | dict(entry) if isinstance(entry, Mapping) else entry for name, entry in datasets.items()}
        made = handler({**tree, "datasets": entries})
        made._stated = {name: frozenset(STATED) & entry.keys() for name, entry in datasets.items()}
        return made

    @model_validator(mode="after")
    def _names_differ(self) -> "Params":
        for section in ("datasets", "pools", "sets"):
            if (pair := same_but_for_case(getattr(self, section))) is not None:
                raise misfit((section, pair[1]), f"'{pair[0]}' differs from it in upper and lower case only")
        for section, names in (("datasets", self.datasets), ("sets", self.sets)):
            for name, why in RESERVED.items():
                if name in names:
                    raise misfit((section, name), f"{why}; call it otherwise")
        if both := [name for name in self.sets if name in self.datasets]:
            raise misfit(("sets", both[0]), "a data set is called so; call the set otherwise")
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
    def _ingests_fit(self) -> "Params":
        for name in self.ingest:
            if name not in self.datasets:
                raise misfit(("ingest", name), f"there is no data set '{name}'{near_match(name, self.datasets)}")
        return self

    @model_validator(mode="after")
    def _variants_fit(self) -> "Params":
        self._variants = declared(self.rows, self.defaults.variants, self.datasets)
        for place, words in self._words():
            for number, word in enumerate(words):
                try:
                    chosen([word], self._variants, {} if place[0] == "sets" else self.sets)
                except LookupError:
                    raise misfit((*place, number), self._no_such(word)) from None
        return self

    @model_validator(mode="after")
    def _gates_fit(self) -> "Params":
        for word, gates in self.gates.items():
            try:
                names = chosen([word], self._variants, self.sets)
            except LookupError:
                raise misfit(("gates", word), self._no_such(word)) from None
            if (found := unknown_board(gates, {name: self._variants[name].boards for name in names})) is not None:
                board, variant = found
                near = near_match(board, self._variants[variant].boards)
                said = f"{variant} is not measured on the board '{board}'{near}; state the limit for variants that are"
                raise misfit(("gates", word, "latency_ms_at_most", board), said)
        return self

    def _words(self) -> Iterator[tuple[tuple[str, ...], Words]]:
        """Where words choose variants."""
        yield from ((("sets", name), words) for name, words in self.sets.items())
        yield ("build",), self.build
        yield ("pin",), self.pin
        for flow in ("retrain", "benchmark"):
            yield ("schedules", flow, "variants"), getattr(self.schedules, flow).variants

    def _no_such(self, word: str) -> str:
        if is_pattern(word):
            return f"no variant is named like '{word}'{near_match(word, [*self.datasets, *self._variants])}"
        return f"there is no variant, data set or set '{word}'{near_match(word, [*self.datasets, *self.sets, *self._variants])}"

    @property
    def variants(self) -> dict[str, Variant]:
        """All that are declared, whether or not they are built."""
        return self._variants

    @property
    def benchmarks(self) -> dict[str, BoardBenchmark]:
        """Of all declared variants."""
        found = (BoardBenchmark(variant=name, board=board) for name, one in self.variants.items() for board in one.boards)
        return {benchmark.id: benchmark for benchmark in found}

    @property
    def built(self) -> list[str]:
        """The variants that `build` chooses."""
        return self.matching(self.build)

    @property
    def trained(self) -> list[str]:
        """The built ones, and those that they start from, which are trained only."""
        return with_starts(self.built, self.variants)

    @property
    def models(self) -> dict[Path, str]:
        """Which variant makes a model, by the model's path in the project."""
        return by_model(self.variants)

    @property
    def pinned(self) -> list[str]:
        """The variants whose model stays as it is."""
        return self.matching(self.pin)

    def matching(self, words: Iterable[str], *, among: Collection[str] | None = None) -> list[str]:
        """The variants that the words choose (`all`, sets, data sets, variants, patterns); with `among` of these only.

        Raises:
            InputError: a word chooses none; the message names the near match, or how to build what is declared only.
        """
        names, given = [], list(words)
        for word in given:
            try:
                names += (found := chosen([word], self.variants, self.sets))
            except LookupError:
                said = self._no_such(word)
                raise InputError(f"In params.yaml {said}.", "List them with: edgeloop names variants") from None
            if among is not None and word != ALL and not set(found) & set(among):
                raise not_built(word)
        picked = set(names) if among is None else set(names) & set(among)
        return [name for name in self.variants if name in picked]

    def gates_of(self, variant: str) -> Gates | None:
        """The rules for a variant, those of all entries that choose it together; None where there are none."""
        return merged(gates for word, gates in self.gates.items() if variant in chosen([word], self.variants, self.sets))

    def standing_on(self, dataset: str) -> list[str]:
        """The built variants that are trained on the data set, and those that start from such a one, however many steps away."""
        touched = standing_on([name for name, one in self.variants.items() if one.dataset == dataset], self.variants)
        return [name for name in self.built if name in touched]

    def stated(self, dataset: str, step: str) -> str:
        """The key of params.yaml that holds what this step does with the data set: its own, or that of `defaults`."""
        return f"datasets.{dataset}.{step}" if step in self._stated.get(dataset, STATED) else f"defaults.{step}"

    def dataset(self, name: str) -> Dataset:
        """The data set of that name.

        Raises:
            InputError: there is none; the message names the near match.
        """
        return _named(self.datasets, "data set", name)

    def variant(self, name: str) -> Variant:
        """The variant of that name.

        Raises:
            InputError: there is none; the message names the near match, or the variants of the data set of that name.
        """
        if name in self.datasets and name not in self.variants:
            of = [one for one, variant in self.variants.items() if variant.dataset == name]
            raise InputError(f"{name} is a data set, and a variant is wanted.", f"Its variants: {', '.join(of) or 'none is declared'}")
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


def not_built(name: str) -> InputError:
    """What to say where something is declared, and `build` does not choose it."""
    return InputError(
        f"{name} is declared in params.yaml, and not built.",
        f"Add it to the list there: build: […, {name}]. Nothing runs by that: edgeloop plan then says what would.",
    )


def _named(section: Mapping[str, Entry], what: str, name: str) -> Entry:
    if name not in section:
        raise InputError(f"There is no {what} '{name}' in params.yaml{near_match(name, section)}.")
    return section[name]
