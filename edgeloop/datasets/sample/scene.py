"""What surrounds a flower: the ground behind it, things that are no flowers, and leaves before it."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeloop.datasets.sample.canvas import Canvas, Colour, Pose
from edgeloop.datasets.sample.palette import green, hsv, petal_colour
from edgeloop.datasets.sample.shapes import arc, band, disc, paint_leaf
from edgeloop.preprocessing import Pixels

Ground = Callable[[int, np.random.Generator], Pixels]


def background(side: int, rng: np.random.Generator) -> Pixels:
    """One of the grounds with distractors on it, more or less out of focus: uint8 (side, side, 3)."""
    grounds = (_grass, _soil, _sky, _leaves, _lights, _planks)
    canvas = Canvas(grounds[rng.integers(len(grounds))](side, rng))
    for _ in range(rng.integers(0, 4)):
        _distractor(canvas, side, rng)
    return blurred(canvas.pixels, side * rng.choice([0.005, 0.01, 0.02, 0.03]))


def stem(canvas: Canvas, start: NDArray[np.float64], bend: NDArray[np.float64], side: int, width: float, rng: np.random.Generator) -> None:
    """A stem from `start` (pixels) by way of `bend` to the lower edge, with up to two leaves."""
    colour = green(rng)
    line = arc(start, bend, np.array([bend[0] + rng.normal(0, side * 0.12), side * 1.05]))
    widths = np.full(len(line), width)
    canvas.fill(band(line, widths), colour * 0.7)
    canvas.fill(band(line, widths * 0.55), colour)
    for _ in range(rng.integers(0, 3)):
        foot = line[rng.integers(6, len(line) - 1)]
        pose = Pose.of(foot, side * rng.uniform(0.2, 0.4), turn=rng.choice([-1, 1]) * rng.uniform(0.3, 1.3))
        paint_leaf(canvas, pose, 1.0, rng.uniform(0.25, 0.5), green(rng))


def foreground(canvas: Canvas, side: int, rng: np.random.Generator) -> None:
    """Blades or a leaf that hide a part of the flower, in half of the pictures."""
    choice = rng.random()
    if choice < 0.3:
        for _ in range(rng.integers(1, 4)):
            _blade(canvas, side, rng, rng.uniform(0.02, 0.05))
    elif choice < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        foot = side * (0.5 + 0.62 * np.array([np.cos(angle), np.sin(angle)]))
        inwards = np.pi / 2 - angle + rng.normal(0, 0.3)
        paint_leaf(canvas, Pose.of(foot, side * rng.uniform(0.35, 0.55), turn=inwards), 1.0, rng.uniform(0.3, 0.5), green(rng))


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian blur of `sigma` pixels; a wide one is done on a smaller picture, which looks the same and is quicker."""
    if sigma < 2.5:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(sigma, 0.3)), np.uint8)
    side = len(pixels)
    small = cv2.resize(pixels, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def clouds(side: int, rng: np.random.Generator, cells: tuple[int, ...]) -> NDArray[np.float32]:
    """Smooth noise, the sum of one layer for each number of cells a side: float32 (side, side, 1), mostly within +-1."""
    layers = [
        cv2.resize(rng.normal(0, 1, (count, count)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC) for count in cells
    ]
    total = sum((layer / (1 + index) for index, layer in enumerate(layers)), np.zeros((side, side), np.float32))
    return np.asarray(total / len(cells), np.float32)[:, :, None]


def _tinted(colour: Colour, noise: NDArray[np.float32], contrast: float) -> Pixels:
    """A colour made lighter and darker by noise of shape (side, side, 1)."""
    levels = [np.clip(np.float32(level) * (1 + contrast * noise[:, :, 0]), 0, 255).astype(np.uint8) for level in colour]
    return np.asarray(cv2.merge(levels), np.uint8)


def _grass(side: int, rng: np.random.Generator) -> Pixels:
    canvas = Canvas(_tinted(green(rng) * 0.7, clouds(side, rng, (3, 9)), 0.3))
    for _ in range(110):
        _blade(canvas, side, rng, rng.uniform(0.006, 0.02))
    return canvas.pixels


def _soil(side: int, rng: np.random.Generator) -> Pixels:
    colour = hsv(rng.uniform(18, 36), rng.uniform(0.25, 0.5), rng.uniform(0.3, 0.6))
    canvas = Canvas(_tinted(colour, clouds(side, rng, (5, 24, 90)), 0.5))
    for _ in range(rng.integers(10, 40)):
        _stone(canvas, side, rng, rng.uniform(0.008, 0.04))
    return canvas.pixels


def _sky(side: int, rng: np.random.Generator) -> Pixels:
    top, low = hsv(rng.uniform(200, 222), rng.uniform(0.3, 0.65), rng.uniform(0.6, 0.95)), hsv(rng.uniform(190, 215), 0.15, 0.95)
    fall = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    sky = top.astype(np.float32) * (1 - fall) + low.astype(np.float32) * fall
    cover = np.clip(clouds(side, rng, (3, 7, 15)) * 1.6, 0, 0.9)
    return np.asarray(np.clip(sky * (1 - cover) + 245 * cover, 0, 255), np.uint8)


def _leaves(side: int, rng: np.random.Generator) -> Pixels:
    canvas = Canvas(_tinted(green(rng) * 0.4, clouds(side, rng, (4,)), 0.3))
    for _ in range(26):
        pose = Pose.of(rng.uniform(-0.1, 1.1, 2) * side, side * rng.uniform(0.18, 0.4), turn=rng.uniform(0, 2 * np.pi))
        paint_leaf(canvas, pose, 1.0, rng.uniform(0.35, 0.6), green(rng) * rng.uniform(0.55, 1.05))
    return canvas.pixels


def _lights(side: int, rng: np.random.Generator) -> Pixels:
    base = green(rng) if rng.random() < 0.6 else petal_colour(rng) * 0.5
    canvas = Canvas(_tinted(base * 0.7, clouds(side, rng, (2, 4)), 0.5))
    for _ in range(rng.integers(8, 22)):
        colour = green(rng) if rng.random() < 0.5 else petal_colour(rng)
        canvas.fill(disc(side * rng.uniform(0.02, 0.09)) + rng.uniform(0, 1, 2) * side, colour * rng.uniform(0.6, 1))
    return blurred(canvas.pixels, side * 0.02)


def _planks(side: int, rng: np.random.Generator) -> Pixels:
    colour = hsv(rng.uniform(15, 40), rng.uniform(0.05, 0.45), rng.uniform(0.35, 0.85))
    grain = cv2.resize(rng.normal(0, 1, (40, 4)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)[:, :, None]
    pixels = _tinted(colour, grain + clouds(side, rng, (3,)), 0.12)
    step = side // int(rng.integers(3, 7))
    for at in range(int(rng.integers(step)), side, step):
        pixels[at : at + max(2, side // 100)] //= 3
    return np.ascontiguousarray(pixels if rng.random() < 0.5 else pixels.transpose(1, 0, 2))


def _distractor(canvas: Canvas, side: int, rng: np.random.Generator) -> None:
    """A leaf, a stone, a twig or a spot in a petal's colour."""
    place = rng.uniform(0, 1, 2) * side
    match int(rng.integers(4)):
        case 0:
            paint_leaf(canvas, Pose.of(place, side * rng.uniform(0.15, 0.35), turn=rng.uniform(0, 6.28)), 1.0, 0.45, green(rng))
        case 1:
            _stone(canvas, side, rng, rng.uniform(0.03, 0.09))
        case 2:
            line = arc(place, rng.uniform(0, 1, 2) * side, rng.uniform(0, 1, 2) * side)
            canvas.stroke(line, hsv(25, 0.45, rng.uniform(0.2, 0.45)), side * rng.uniform(0.008, 0.02))
        case _:
            canvas.fill(disc(side * rng.uniform(0.04, 0.12), squash=rng.uniform(0.5, 1)) + place, petal_colour(rng) * rng.uniform(0.7, 1))


def _stone(canvas: Canvas, side: int, rng: np.random.Generator, radius: float) -> None:
    place, squash = rng.uniform(0, 1, 2) * side, rng.uniform(0.5, 0.9)
    colour = hsv(rng.uniform(20, 60), rng.uniform(0.02, 0.25), rng.uniform(0.3, 0.8))
    canvas.fill(disc(side * radius, squash=squash) + place, colour * 0.6)
    canvas.fill(disc(side * radius * 0.8, squash=squash) + place - side * radius * 0.12, colour)


def _blade(canvas: Canvas, side: int, rng: np.random.Generator, width: float) -> None:
    """A blade of grass from below the picture."""
    foot = np.array([rng.uniform(-0.1, 1.1), rng.uniform(0.8, 1.3)]) * side
    tip = foot + np.array([rng.normal(0, 0.22), -rng.uniform(0.4, 1.0)]) * side
    line = arc(foot, np.array([foot[0], (foot[1] + tip[1]) / 2]), tip, 9)
    canvas.fill(band(line, np.linspace(1, 0.05, 9) * width * side), green(rng) * rng.uniform(0.7, 1.2))
