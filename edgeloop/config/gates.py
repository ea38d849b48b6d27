"""`gates` in params.yaml: what a variant must keep to become champion. None are declared by default, and nothing is judged then."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from edgeloop.config.section import Fraction, Section

Size = Annotated[float, Field(gt=0)]
Wanted = Literal["allowed", "refused"]


class AgainstChampion(Section):
    """On the same images as the champion: `better` must be shown, or a loss of `margin` or more excluded (docs/gates.md)."""

    rule: Literal["not worse", "better"] = "not worse"
    margin: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Of accuracy, a fraction."""

    @model_validator(mode="after")
    def _margin_fits(self) -> "AgainstChampion":
        if self.rule == "not worse" and self.margin is None:
            raise ValueError("`not worse` needs a margin, the loss of accuracy that is excluded: margin: 0.02 is two points")
        if self.rule == "better" and self.margin is not None:
            raise ValueError("margin is of use for `not worse` only")
        return self


class Gates(Section):
    """The rules for some variants; what is not stated is not judged. Accuracies are of the int8 per-channel model on `test`."""

    top1_at_least: Fraction | None = None
    drop_at_most: Fraction | None = None
    """Top-1 of the float model less that of int8."""
    ram_kib_at_most: Size | None = None
    flash_kib_at_most: Size | None = None
    latency_ms_at_most: dict[str, Size] = Field(default_factory=dict)
    """By board."""
    agreement_at_least: Fraction | None = None
    """Share of the compared images on which a board predicts the class that the host does; of the board with the lowest."""
    unstable: Wanted = "allowed"
    warnings: Wanted = "allowed"
    """Those of the data set's validation."""
    champion: AgainstChampion | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Gates":
        if not self.model_fields_set:
            raise ValueError("it states no rule")
        return self


def merged(entries: Iterable[Gates]) -> Gates | None:
    """The rules of several entries together; where two state the same rule, the later one counts. None without entries."""
    stated: dict[str, Any] = {}
    for entry in entries:
        stated |= {name: getattr(entry, name) for name in entry.model_fields_set}
    return Gates.model_construct(_fields_set=set(stated), **stated) if stated else None


def unknown_board(gates: Gates, boards: Mapping[str, Iterable[str]]) -> tuple[str, str] | None:
    """The first board with a limit on which one of the variants is not measured, and that variant; `boards`: by variant."""
    return next(((board, name) for board in gates.latency_ms_at_most for name, own in boards.items() if board not in own), None)
