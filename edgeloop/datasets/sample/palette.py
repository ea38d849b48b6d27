"""Colours that all kinds share, so that colour alone does not tell them apart."""

import cv2
import numpy as np

from edgeloop.datasets.sample.canvas import Colour

# Hue in degrees, saturation and value as fractions.
_PETALS = (
    (50, 0.05, 0.97),
    (48, 0.75, 0.97),
    (28, 0.85, 0.96),
    (4, 0.85, 0.88),
    (342, 0.5, 0.95),
    (318, 0.6, 0.85),
    (278, 0.6, 0.8),
    (228, 0.6, 0.9),
)
_HEARTS = ((46, 0.85, 0.92), (28, 0.8, 0.5), (20, 0.6, 0.22), (75, 0.65, 0.55))
_GREENS = ((95, 0.55, 0.5), (112, 0.5, 0.42), (76, 0.6, 0.56), (140, 0.4, 0.45))


def petal_colour(rng: np.random.Generator) -> Colour:
    """A petal's colour: RGB, 0..255."""
    return _one_of(_PETALS, rng)


def heart_colour(rng: np.random.Generator) -> Colour:
    """The colour of a flower's middle."""
    return _one_of(_HEARTS, rng)


def green(rng: np.random.Generator) -> Colour:
    """The colour of a stem or leaf."""
    return _one_of(_GREENS, rng)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """RGB, 0..255, of a hue in degrees and two fractions."""
    pixel = np.array([[[hue % 360, np.clip(saturation, 0, 1), np.clip(value, 0, 1)]]], np.float32)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0], np.float64) * 255


def _one_of(choices: tuple[tuple[float, float, float], ...], rng: np.random.Generator) -> Colour:
    hue, saturation, value = choices[rng.integers(len(choices))]
    return hsv(hue + rng.normal(0, 5), saturation + rng.normal(0, 0.06), value + rng.normal(0, 0.05))
