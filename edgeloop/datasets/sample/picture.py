"""One picture: a flower at a random pose in a scene, under some light, taken by an imperfect camera."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeloop.datasets.sample.canvas import Canvas, Pose
from edgeloop.datasets.sample.kinds import FROM_THE_SIDE, PAINTERS
from edgeloop.datasets.sample.scene import background, blurred, clouds, foreground, stem
from edgeloop.errors import InputError
from edgeloop.preprocessing import Pixels
from edgeloop.yamlfile import near_match

KINDS = tuple(sorted(PAINTERS))
_SUPERSAMPLED = 2


def draw_flower(kind: str, rng: np.random.Generator, size: int) -> Pixels:
    """Draw one flower of a kind: RGB, uint8 (size, size, 3). The same state of `rng` gives the same picture.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in PAINTERS:
        raise InputError(f"There is no kind of flower '{kind}'{near_match(kind, KINDS)}.")
    side = size * _SUPERSAMPLED
    ground = background(side, rng)
    canvas = Canvas(ground)
    _flower(canvas, kind, side, rng)
    shaded = _over_shadow(canvas, ground, side, rng)
    foreground(shaded, side, rng)
    small = np.asarray(cv2.resize(shaded.pixels, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    return _taken(_lit(small, rng), rng)


def _flower(canvas: Canvas, kind: str, side: int, rng: np.random.Generator) -> None:
    """The flower and its stem, at a pose that leaves most of it in the picture."""
    radius = side * rng.uniform(0.34, 0.48)
    centre = side * (0.5 + rng.uniform(-0.08, 0.08, 2)) - np.array([0, side * 0.04])
    if kind in FROM_THE_SIDE:
        pose = Pose.of(centre, radius, turn=rng.normal(0, 0.25), tilt=rng.uniform(0, 0.5), tilt_axis=rng.choice([0, np.pi / 2]))
    else:
        turn = rng.normal(0, 0.35) if kind == "pansy" else rng.uniform(0, 2 * np.pi)
        pose = Pose.of(centre, radius, turn=turn, tilt=rng.uniform(0, 0.7), tilt_axis=rng.uniform(0, np.pi))
    _stem_of(canvas, kind, pose, side, rng)
    PAINTERS[kind](canvas, pose, rng)


def _stem_of(canvas: Canvas, kind: str, pose: Pose, side: int, rng: np.random.Generator) -> None:
    """From the foot of the flower downwards; a bell hangs from an arch."""
    aside = np.array([rng.choice([-1, 1]) * side * rng.uniform(0.25, 0.5), -side * rng.uniform(0.1, 0.3)])
    foot = {"bell": np.array([[0.0, 0.8]]), "tulip": np.array([[0.0, -0.82]])}.get(kind, np.zeros((1, 2)))
    start = pose.place(foot)[0]
    bend = start + aside if kind == "bell" else start + np.array([rng.normal(0, 0.08), 0.3]) * side
    stem(canvas, start, bend, side, side * rng.uniform(0.015, 0.035), rng)


def _over_shadow(canvas: Canvas, ground: Pixels, side: int, rng: np.random.Generator) -> Canvas:
    """The painted flower over its ground, which takes the flower's soft shadow."""
    shift = np.array([[1, 0, rng.normal(0, 0.03) * side], [0, 1, rng.uniform(0, 0.06) * side]])
    shadow = blurred(np.asarray(cv2.warpAffine(canvas.mask, shift, (side, side)), np.uint8), side * 0.02)
    keep = cv2.merge([255 - (shadow * rng.uniform(0, 0.55)).astype(np.uint8)] * 3)
    shaded = cv2.multiply(ground, keep, scale=1 / 255)
    return Canvas(np.asarray(cv2.copyTo(canvas.pixels, canvas.mask, shaded), np.uint8))


def _lit(pixels: Pixels, rng: np.random.Generator) -> NDArray[np.float32]:
    """Exposure, colour temperature, a light from one side, dapples and contrast: float32, 0..255 and a little beyond."""
    size = len(pixels)
    across = np.linspace(-1, 1, size, dtype=np.float32)
    angle, slope = rng.uniform(0, 2 * np.pi), np.float32(rng.uniform(0, 0.3))
    light = 1 + slope * (np.float32(np.cos(angle)) * across[None, :] + np.float32(np.sin(angle)) * across[:, None])
    dapples = 1 + np.float32(rng.uniform(0, 0.25)) * clouds(size, rng, (4, 8))
    warmth = rng.normal(0, 0.06)
    gain = rng.uniform(0.75, 1.15) * np.array([1 + warmth, 1 + rng.normal(0, 0.02), 1 - warmth])
    lit = pixels * light[:, :, None] * dapples * gain.astype(np.float32)
    return np.asarray((lit - 118) * np.float32(rng.uniform(0.7, 1.1)) + 118, np.float32)


def _taken(lit: NDArray[np.float32], rng: np.random.Generator) -> Pixels:
    """The camera's focus and noise."""
    focused = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 1.0))
    noise = np.float32(rng.uniform(1, 7)) * rng.standard_normal(lit.shape, np.float32)
    return np.clip(focused + noise, 0, 255).astype(np.uint8)
