"""Outlines of petals, leaves and discs in the drawing's own units, and how they are shaded."""

import numpy as np

from edgeloop.datasets.sample.canvas import Canvas, Colour, Points, Pose, mixed, rotation

_SHADES = (1.0, 0.82, 0.62, 0.42)


def petal(length: float, width: float, taper: float) -> Points:
    """A petal from the origin along +y. `taper` from 0.3 (round end) to 1 (pointed end); (2 n, 2)."""
    along = np.linspace(0.0, 1.0, 15)
    profile = along**0.6 * (1 - along) ** taper
    half = width / 2 * profile / np.max(profile)
    return np.concatenate([np.stack([half, along * length], 1), np.stack([-half, along * length], 1)[::-1]])


def disc(radius: float, centre: tuple[float, float] = (0.0, 0.0), squash: float = 1.0) -> Points:
    """A circle, or an ellipse whose height is `squash` of its width; (24, 2)."""
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.asarray(np.stack([np.cos(angle), squash * np.sin(angle)], 1) * radius + np.array(centre), np.float64)


def arc(start: Points, bend: Points, end: Points, count: int = 14) -> Points:
    """A quadratic Bezier curve; (count, 2)."""
    at = np.linspace(0.0, 1.0, count)[:, None]
    return (1 - at) ** 2 * start + 2 * at * (1 - at) * bend + at**2 * end


def band(line: Points, widths: Points) -> Points:
    """The outline of a line that is `widths` wide at each of its points; (2 n, 2)."""
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    offset = across * widths[:, None] / 2
    return np.concatenate([line + offset, (line - offset)[::-1]])


def turned(points: Points, angle: float) -> Points:
    """Points turned about the origin by `angle` rad."""
    return points @ rotation(angle).T


def paint_petal(canvas: Canvas, pose: Pose, outline: Points, tip: Colour, base: Colour) -> None:
    """A petal whose base is the origin: a dark rim, then a gradient from `tip` to `base`, then its middle vein."""
    canvas.fill(pose.place(outline * 1.03), tip * 0.62)
    for shade in _SHADES:
        canvas.fill(pose.place(outline * shade), mixed(base, tip, shade))
    half = len(outline) // 2
    end = outline[half - 1] * 0.7
    canvas.stroke(pose.place(np.stack([end * 0.2, end])), mixed(base, tip, 0.5) * 0.88, 1)


def paint_leaf(canvas: Canvas, pose: Pose, length: float, width: float, colour: Colour) -> None:
    """A leaf along +y with its middle and side veins."""
    canvas.fill(pose.place(petal(length, width, 0.9)), colour * 0.7)
    canvas.fill(pose.place(petal(length, width, 0.9) * np.array([0.9, 0.98])), colour)
    canvas.stroke(pose.place(np.array([[0.0, 0.0], [0.0, length * 0.95]])), colour * 1.25, 2)
    for at in (0.25, 0.4, 0.55):
        for side in (-1, 1):
            vein = np.array([[0.0, at * length], [side * width * 0.3, (at + 0.16) * length]])
            canvas.stroke(pose.place(vein), colour * 1.15, 1)
