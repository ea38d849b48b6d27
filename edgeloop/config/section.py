"""What all parts of params.yaml and lab.yaml have in common: strict sections, and the values that several of them take."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from edgeloop.resolution import AnyResolution, Size

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Network = Literal[
    "fdmobilenet_0.25",
    "fdmobilenet_0.5",
    "fdmobilenet_0.75",
    "fdmobilenet_1.0",
    "st_fdmobilenet_v1",
    "mobilenet_v1_0.25",
    "mobilenet_v1_0.5",
    "mobilenet_v1_0.75",
    "mobilenet_v1_1.0",
    "mobilenet_v2_0.35",
    "mobilenet_v2_0.5",
    "mobilenet_v2_0.75",
    "mobilenet_v2_1.0",
]
Resize = Literal["nearest", "bilinear", "area"]
Item = TypeVar("Item")
SIDES = range(16, 1025)
"""Of an image that is trained on."""


def _trainable(resolution: int | str) -> int | str:
    if not all(side in SIDES for side in Size.of(resolution)):
        raise ValueError(f"both sides of a resolution are between {SIDES[0]} and {SIDES[-1]} pixels")
    return resolution


Resolution = Annotated[AnyResolution, AfterValidator(_trainable)]
"""Of what is trained: one number for a square, else WIDTHxHEIGHT."""


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
