"""The five kinds of flower, each a function that paints one at a pose. What tells them apart is their form."""

from collections.abc import Callable

import numpy as np

from edgeloop.datasets.sample.canvas import Canvas, Colour, Pose, mixed
from edgeloop.datasets.sample.palette import green, heart_colour, petal_colour
from edgeloop.datasets.sample.shapes import arc, disc, paint_petal, petal, turned

Painter = Callable[[Canvas, Pose, np.random.Generator], None]


def paint_daisy(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """One row of many narrow, round petals with gaps; a small domed heart."""
    tip, count = petal_colour(rng), int(rng.integers(11, 18))
    width = rng.uniform(0.8, 1.0) * 2.5 / count
    _row(canvas, pose, rng, tip, count, width=width, taper=rng.uniform(0.22, 0.32))
    _heart(canvas, pose, heart_colour(rng), rng.uniform(0.2, 0.27), seeds=30)


def paint_sunflower(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """Two rows of pointed petals around a wide heart full of seeds."""
    tip, count = petal_colour(rng), int(rng.integers(14, 22))
    width = rng.uniform(5.0, 6.0) / count
    _row(canvas, pose, rng, tip * 0.85, count, width=width, taper=1.0, phase=0.5)
    _row(canvas, pose, rng, tip, count, width=width, taper=1.0)
    _heart(canvas, pose, heart_colour(rng), rng.uniform(0.47, 0.56), seeds=110)


def paint_pansy(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """Five broad overlapping petals, two up, two aside, one down; the lower three carry dark marks."""
    lower = petal_colour(rng)
    upper = lower if rng.random() < 0.5 else petal_colour(rng)
    mark = mixed(lower * 0.2, heart_colour(rng) * 0.4, 0.3)
    for angle, length, width, colour in (
        (0.5, 0.98, 1.05, upper),
        (-0.5, 0.98, 1.05, upper),
        (1.7, 0.92, 0.95, lower),
        (-1.7, 0.92, 0.95, lower),
        (np.pi, 0.95, 1.25, lower),
    ):
        angle += rng.normal(0, 0.06)
        outline = turned(petal(length, width * rng.uniform(0.92, 1.06), 0.28), angle)
        paint_petal(canvas, pose, outline, colour, colour * 0.85)
        if colour is lower and abs(angle) > 1.2:
            _marks(canvas, pose, angle, mark, rng)
    canvas.fill(pose.place(disc(0.09)), np.array([235.0, 200.0, 60.0]))


def paint_tulip(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A cup from the side: pointed petals upward, closed at the foot, a stem below."""
    tip = petal_colour(rng)
    base = mixed(tip, petal_colour(rng), rng.uniform(0, 0.5)) * 0.9
    spread = rng.uniform(0.24, 0.4)
    foot = Pose(pose.place(np.array([[0.0, -0.85]]))[0], pose.matrix)
    for angle, length, width, shade in (
        (0.0, 1.62, 0.85, 0.66),
        (spread, 1.66, 0.85, 0.78),
        (-spread, 1.66, 0.85, 0.84),
        (0.0, 1.45, 0.95, 1.0),
    ):
        outline = turned(petal(length, width * rng.uniform(0.92, 1.08), 0.62), angle + rng.normal(0, 0.03))
        paint_petal(canvas, foot, outline, tip * shade, base * shade)


def paint_bell(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """A hanging bell from the side: a calyx on top, a body that widens, five lobes turned out at its mouth."""
    tip = petal_colour(rng)
    mouth, waist = rng.uniform(0.66, 0.8), rng.uniform(0.36, 0.44)
    _lobes(canvas, pose, mouth, tip * 0.55, (-0.3, 0.3))
    canvas.fill(pose.place(disc(mouth * 0.92, (0.0, -0.52), 0.22)), tip * 0.35)
    _stamens(canvas, pose, heart_colour(rng), rng)
    for inset, shade in ((1.0, 0.7), (0.92, 0.86), (0.62, 0.97), (0.3, 1.06)):
        canvas.fill(pose.place(_body(mouth, waist) * np.array([inset, 1.0])), np.minimum(tip * shade, 255))
    _lobes(canvas, pose, mouth, tip * 0.92, (-0.8, 0.0, 0.8))
    for at in (-0.55, 0.0, 0.55):
        rib = arc(np.array([at * 0.2, 0.75]), np.array([at * waist * 1.5, 0.3]), np.array([at * mouth, -0.5]))
        canvas.stroke(pose.place(rib), tip * 0.72, 1)
    calyx = green(rng)
    for angle in (-1.15, 1.15, -0.4, 0.4):
        sepal = turned(petal(0.42, 0.17, 0.9), np.pi + angle) + np.array([0.0, 0.86])
        canvas.fill(pose.place(sepal), calyx * (0.8 + 0.2 * abs(angle)))


PAINTERS: dict[str, Painter] = {
    "bell": paint_bell,
    "daisy": paint_daisy,
    "pansy": paint_pansy,
    "sunflower": paint_sunflower,
    "tulip": paint_tulip,
}
FROM_THE_SIDE = frozenset({"bell", "tulip"})


def _row(
    canvas: Canvas, pose: Pose, rng: np.random.Generator, tip: Colour, count: int, width: float, taper: float, phase: float = 0.0
) -> None:
    """Petals all around, each a little different."""
    base = tip * rng.uniform(0.72, 0.95)
    for index in rng.permutation(count):
        outline = petal(rng.uniform(0.88, 1.02), width * rng.uniform(0.85, 1.1), taper)
        angle = 2 * np.pi * (index + phase) / count + rng.normal(0, 0.05)
        paint_petal(canvas, pose, turned(outline, angle), tip * rng.uniform(0.88, 1.04), base)


def _heart(canvas: Canvas, pose: Pose, colour: Colour, radius: float, seeds: int) -> None:
    """A disc with seeds on a Fermat spiral (Vogel 1979)."""
    canvas.fill(pose.place(disc(radius * 1.06)), colour * 0.55)
    canvas.fill(pose.place(disc(radius)), colour * 0.85)
    number = np.arange(seeds)
    reach = radius * 0.93 * np.sqrt((number + 0.5) / seeds)
    angle = number * np.pi * (3 - np.sqrt(5))
    for x, y in np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1):
        shade = 0.7 if np.hypot(x, y) < radius * 0.45 else 1.2
        canvas.fill(pose.place(disc(radius * 0.85 / np.sqrt(seeds), (x, y))), colour * shade)


def _marks(canvas: Canvas, pose: Pose, angle: float, colour: Colour, rng: np.random.Generator) -> None:
    """The dark blotch of a pansy's petal with rays."""
    canvas.fill(pose.place(turned(petal(rng.uniform(0.42, 0.55), 0.5, 0.5), angle)), colour)
    for offset in np.linspace(-0.4, 0.4, 5):
        ray = turned(np.array([[0.0, 0.1], [0.0, rng.uniform(0.5, 0.66)]]), angle + offset)
        canvas.stroke(pose.place(ray), colour, 1.5)


def _body(mouth: float, waist: float) -> np.ndarray:
    """The outline of a bell from its top (0, 0.85) to its mouth at y = -0.55."""
    height = np.linspace(0.85, -0.55, 16)
    down = (0.85 - height) / 1.4
    half = waist * np.sqrt(1 - (1 - np.minimum(down / 0.45, 1.0)) ** 2) + (mouth - waist) * np.maximum(down - 0.35, 0) ** 2 / 0.42
    return np.concatenate([np.stack([half, height], 1), np.stack([-half, height], 1)[::-1]])


def _lobes(canvas: Canvas, pose: Pose, mouth: float, colour: Colour, places: tuple[float, ...]) -> None:
    """Pointed lobes at the mouth, turned outwards the more they lie aside."""
    for place in places:
        lobe = turned(petal(0.42, mouth * 0.85, 0.7), np.pi + place * 0.9) + np.array([place * mouth * 0.8, -0.42])
        canvas.fill(pose.place(lobe), colour * 0.75)
        canvas.fill(pose.place((lobe - lobe.mean(0)) * 0.86 + lobe.mean(0)), colour)


def _stamens(canvas: Canvas, pose: Pose, colour: Colour, rng: np.random.Generator) -> None:
    for at in (-0.12, 0.02, 0.14):
        end = np.array([at * 2, -0.95 + rng.normal(0, 0.03)])
        canvas.stroke(pose.place(np.array([[at, -0.4], end])), colour, 2)
        canvas.fill(pose.place(disc(0.06, (end[0], end[1]))), colour)
