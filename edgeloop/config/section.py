"""What all parts of params.yaml and lab.yaml have in common: strict sections, and the values that several of them take."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Network = Literal["fdmobilenet_0.25", "fdmobilenet_0.5", "fdmobilenet_0.75", "fdmobilenet_1.0", "st_fdmobilenet_v1"]
Resolution = Annotated[int, Field(ge=96, le=256, multiple_of=32)]
Resize = Literal["nearest", "bilinear", "area"]
Item = TypeVar("Item")


def listed(given: Any) -> Any:
    """One thing is a list of one."""
    return list(given) if isinstance(given, list | tuple) else [given]


Some = Annotated[tuple[Item, ...], BeforeValidator(listed)]
"""A list; one thing may stand without brackets."""
Words = Some[str]
"""What chooses variants (edgeloop/config/variants.py)."""


class Section(BaseModel):
    """A part of params.yaml: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
