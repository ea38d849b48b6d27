"""The variants that params.yaml declares, by rows of networks x resolutions, and the words that choose some of them.

A word is `all`, a set of `sets`, a data set, a variant, or a pattern of variants (`flowers-*-128`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from edgeloop.config.section import Network, Resolution, Section, Some, listed
from edgeloop.names import Name, is_name
from edgeloop.resolution import AnyResolution
from edgeloop.workspace import BACKBONES, VariantPaths, Workspace
from edgeloop.yamlfile import misfit, near_match

ALL = "all"
SCRATCH = "scratch"
_SIGNS = frozenset("*?[")
Item = TypeVar("Item")


def _once(given: tuple[Item, ...]) -> tuple[Item, ...]:
    if twice := [item for item in given if given.count(item) > 1]:
        raise PydanticCustomError("twice", "'{item}' is named twice", {"item": twice[0]})
    return given


class Row(Section):
    """Some variants of a data set: each of `networks` at each of `resolutions`. What is not said is as `defaults` has it.

    `start`: a data set (its model of the same network and resolution), the beginning of a file's name in models/backbones/
    (`st-food101` for st-food101-NETWORK-RESOLUTION.yaml), `scratch`, or a path: another .yaml, a .keras, or a Keras 2 .h5.
    """

    networks: Annotated[Some[Network], Field(min_length=1)] = ("fdmobilenet_0.25",)
    resolutions: Annotated[Some[Resolution], Field(min_length=1)] = (128,)
    start: str = SCRATCH
    boards: Annotated[Some[Name], Field(min_length=1)] = ("host",)

    @field_validator("networks", "resolutions", "boards")
    @classmethod
    def _named_once(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return _once(given)

    @field_validator("start")
    @classmethod
    def _dvc_knows_it(cls, value: str) -> str:
        if value.startswith("~"):
            raise ValueError(f"DVC reads this path, too, and does not know ~: write it out, {Path(value).expanduser()}")
        return value

    def over(self, defaults: "Row") -> "Row":
        """This row, with the defaults where it says nothing."""
        return defaults.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})


Rows = Annotated[tuple[Row, ...], BeforeValidator(listed)]


class Variant(Section):
    """What is trained: data set x network x resolution, the weights it starts from, and the boards it is measured on."""

    dataset: str
    network: Network
    resolution: AnyResolution
    start: Path
    boards: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.dataset}-{self.network}-{self.resolution}"

    def paths(self, workspace: Workspace) -> VariantPaths:
        """Where what is made of it lies."""
        return workspace.variant(self.dataset, self.network, self.resolution)


class BoardBenchmark(Section):
    """What is measured where: a variant on a board."""

    variant: str
    board: str

    @property
    def id(self) -> str:
        return f"{self.variant}-{self.board}"


def declared(rows: Mapping[str, Sequence[Row]], defaults: Row, datasets: Collection[str]) -> dict[str, Variant]:
    """Every variant, by its name, in the order of the file; a data set without rows has those of `defaults`.

    Raises:
        PydanticCustomError: a row is of no data set, a variant is declared twice, or a start leads nowhere or in a circle.
    """
    for name in rows:
        if name not in datasets:
            raise misfit(("variants", name), f"there is no data set '{name}'{near_match(name, datasets)}")
    found: dict[str, Variant] = {}
    places: dict[str, tuple[str | int, ...]] = {}
    for dataset in datasets:
        for number, row in enumerate(rows.get(dataset, (Row(),))):
            for variant in _of_row(dataset, row.over(defaults), datasets):
                place = ("variants", dataset, number) if dataset in rows else ("defaults", "variants")
                if variant.id in found:
                    raise misfit(place, f"{variant.id} is declared a second time; {'.'.join(map(str, places[variant.id]))} has it")
                found[variant.id], places[variant.id] = variant, place
    _check_starts(found, places)
    return found


def chosen(words: Iterable[str], variants: Mapping[str, Variant], sets: Mapping[str, Sequence[str]]) -> list[str]:
    """The variants that the words choose, each once, in the order of `variants`.

    Raises:
        LookupError: with the first word that chooses none.
    """
    picked: set[str] = set()
    for word in words:
        more = set(chosen(sets[word], variants, {})) if word in sets else {name for name in variants if _is_meant(word, variants[name])}
        if not more and word != ALL:
            raise LookupError(word)
        picked |= more
    return [name for name in variants if name in picked]


def with_starts(names: Iterable[str], variants: Mapping[str, Variant]) -> list[str]:
    """These variants and all that they start from, however many steps away, in the order of `variants`."""
    makers, found, more = by_model(variants), set[str](), set(names)
    while more:
        found |= more
        more = {maker for name in more if (maker := makers.get(variants[name].start)) is not None} - found
    return [name for name in variants if name in found]


def standing_on(names: Iterable[str], variants: Mapping[str, Variant]) -> list[str]:
    """These variants and all that start from one of them, however many steps away, in the order of `variants`."""
    makers, found = by_model(variants), set(names)
    while more := {name for name, variant in variants.items() if makers.get(variant.start) in found} - found:
        found |= more
    return [name for name in variants if name in found]


def is_pattern(word: str) -> bool:
    """Whether it is neither a name nor a path."""
    return not _SIGNS.isdisjoint(word)


def _is_meant(word: str, variant: Variant) -> bool:
    return word in (ALL, variant.dataset, variant.id) or (is_pattern(word) and fnmatchcase(variant.id, word))


def _of_row(dataset: str, row: Row, datasets: Collection[str]) -> Iterator[Variant]:
    for network, resolution in product(row.networks, row.resolutions):
        start = _start(row.start, network, resolution, datasets)
        yield Variant(dataset=dataset, network=network, resolution=resolution, start=start, boards=row.boards)


def _start(word: str, network: str, resolution: int | str, datasets: Collection[str]) -> Path:
    if not is_name(word):
        return Path(word)
    if word in datasets:
        return Workspace(Path()).variant(word, network, resolution).model
    own = "" if word == SCRATCH else f"-{network}-{resolution}"
    return Workspace(Path()).backbones / f"{word}{own}.yaml"


def by_model(variants: Mapping[str, Variant]) -> dict[Path, str]:
    """Who makes a model, by its path in the project."""
    return {variant.paths(Workspace(Path())).model: name for name, variant in variants.items()}


def _check_starts(variants: Mapping[str, Variant], places: Mapping[str, tuple[str | int, ...]]) -> None:
    makers, datasets = by_model(variants), {variant.dataset for variant in variants.values()}
    for name, variant in variants.items():
        path = variant.start.parts
        if path[:1] == ("models",) and len(path) > 2 and path[1] in datasets and variant.start not in makers:
            known = [str(model) for model, maker in makers.items() if variants[maker].dataset == path[1]]
            raise misfit(places[name], f"{name} starts from {variant.start}, which no variant makes{near_match(str(variant.start), known)}")
        way = [name]
        while (before := makers.get(variants[way[-1]].start)) is not None:
            if before in way:
                raise misfit(places[name], f"the starts go in a circle: {' <- '.join([*way, before])}")
            way.append(before)


RESERVED = {
    BACKBONES: f"models/{BACKBONES} holds the starting weights",
    SCRATCH: "it is a start",
    ALL: "it is the word for all of them",
}
"""What no data set and no set may be called, and why."""
