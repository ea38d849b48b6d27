"""A picture being painted: anti-aliased polygons and strokes on RGB pixels, and where they fell."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels

Points = NDArray[np.float64]
Colour = NDArray[np.float64]
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Pose:
    """Where a drawing lies: its own units (y up, about 1 across from the centre) to pixels (y down)."""

    centre: Points
    matrix: Points

    @classmethod
    def of(cls, centre: Points, radius: float, turn: float = 0.0, tilt: float = 0.0, tilt_axis: float = 0.0) -> "Pose":
        """Turned by `turn` rad, then seen at `tilt` rad from straight above about an axis, then `radius` pixels a unit."""
        axis = rotation(tilt_axis)
        seen = axis @ np.diag([1.0, np.cos(tilt)]) @ axis.T @ rotation(turn)
        return cls(centre, radius * np.diag([1.0, -1.0]) @ seen)

    def place(self, points: Points) -> Points:
        """(n, 2) points in the drawing's units as pixels."""
        return points @ self.matrix.T + self.centre


class Canvas:
    """RGB pixels, uint8 (side, side, 3), and the mask of what was painted, uint8 (side, side)."""

    def __init__(self, ground: Pixels) -> None:
        self.pixels = ground.copy()
        self.mask = np.zeros(ground.shape[:2], np.uint8)

    def fill(self, points: Points, colour: Colour) -> None:
        """Paint a polygon of (n, 2) pixel coordinates."""
        fixed = [_fixed(points)]
        cv2.fillPoly(self.pixels, fixed, _scalar(colour), cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.fillPoly(self.mask, fixed, 255, cv2.LINE_AA, _SUBPIXEL_BITS)

    def stroke(self, points: Points, colour: Colour, width: float) -> None:
        """Paint an open line through (n, 2) pixel coordinates, `width` pixels wide."""
        thickness = max(1, round(width))
        fixed = [_fixed(points)]
        cv2.polylines(self.pixels, fixed, False, _scalar(colour), thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.polylines(self.mask, fixed, False, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def rotation(angle: float) -> Points:
    """The 2 x 2 matrix that turns by `angle` rad, counter-clockwise where y is up."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with a `share` of `other`."""
    return one * (1 - share) + other * share


def _fixed(points: Points) -> NDArray[np.int32]:
    return np.round(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _scalar(colour: Colour) -> tuple[float, ...]:
    return tuple(min(max(value, 0.0), 255.0) for value in colour.tolist())
