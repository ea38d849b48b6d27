"""How large a model's image is, and of which colours.

A resolution is one number for a square, and WIDTHxHEIGHT, as cameras say it, for any other: 128, 160x120. That is how params.yaml,
names of variants, records and `preprocessing.json` hold it. Arrays have the height first: (height, width, channels).
"""

import re
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BeforeValidator

Color = Literal["rgb", "grey"]
CHANNELS: dict[Color, int] = {"rgb": 3, "grey": 1}
COLORS: dict[int, Color] = {channels: color for color, channels in CHANNELS.items()}
_TWO_SIDES = re.compile(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", re.ASCII)


class Size(NamedTuple):
    """Width and height of an image, in pixels."""

    width: int
    height: int

    @classmethod
    def of(cls, resolution: int | str) -> Self:
        """What a resolution says.

        Raises:
            ValueError: it is neither a number above 0 nor WIDTHxHEIGHT.
        """
        if found := _TWO_SIDES.fullmatch(str(resolution)):
            return cls(int(found[1]), int(found[2]))
        if not re.fullmatch("[1-9][0-9]{0,5}", str(resolution), re.ASCII):
            raise ValueError(f"a resolution is one number for a square, such as 128, or WIDTHxHEIGHT, such as 160x120, not {resolution!r}")
        return cls(int(resolution), int(resolution))

    @property
    def resolution(self) -> int | str:
        """As it is written."""
        return self.width if self.width == self.height else str(self)

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width * self.height

    def scaled(self, factor: float) -> "Size":
        """Both sides times the factor, rounded."""
        return Size(round(self.width * factor), round(self.height * factor))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def _written(given: Any) -> int | str:
    return Size.of(given).resolution


AnyResolution = Annotated[int | str, BeforeValidator(_written)]
"""A number for a square, else WIDTHxHEIGHT; `128x128` is read as 128."""


def image_text(resolution: int | str, color: Color) -> str:
    """Width, height and channels as published cards write them, such as `128x128x3`."""
    return f"{Size.of(resolution)}x{CHANNELS[color]}"
