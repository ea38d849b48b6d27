"""Augmentation of a batch of pixels: all geometry of an image is one affine warp, all colour one 3x4 matrix.

Every random number of a batch is drawn at once from the given generator, so a batch depends on its seed alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeloop.augmentation import Affine, Augmentation, Color, Crop, Erase, Flip, Mixup, Noise
from edgeloop.preprocessing import Pixels
from edgeloop.resolution import Size

Matrices = NDArray[np.float64]
_LUMA = np.array([0.299, 0.587, 0.114])
_NOISE_BANK = 1 << 20


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to the thread that calls it: images are small, and training uses the cores (a third less CPU, measured)."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class Augmenter:
    """Applies a list of augmentations and brings images, RGB or grey, from the stored size to the model's."""

    def __init__(self, operations: Sequence[Augmentation], resolution: int | str) -> None:
        self._size = Size.of(resolution)
        self._geometry = [op for op in operations if isinstance(op, Flip | Crop | Affine)]
        self._color = [op for op in operations if isinstance(op, Color)]
        self._noise = [op for op in operations if isinstance(op, Noise)]
        self._erase = [op for op in operations if isinstance(op, Erase)]
        self._mixup = [op for op in operations if isinstance(op, Mixup)]
        self._bank = np.random.default_rng(0).standard_normal(_NOISE_BANK).astype(np.float32)

    @property
    def mixes(self) -> bool:
        """Whether images are blended in pairs."""
        return bool(self._mixup)

    def __call__(self, images: Pixels, rng: np.random.Generator) -> Pixels:
        """(n, stored height, stored width, channels) uint8 to (n, height, width, channels) uint8."""
        count, height, width, channels = images.shape
        stored = Size(width, height)
        warps = self._warps(count, stored, rng)
        colors = self._colors(count, channels, rng)
        out = np.empty((count, self._size.height, self._size.width, channels), np.uint8)
        windows = _windows(warps, stored, self._size)
        for index in range(count):
            _place(images[index], warps[index], windows.get(index), out[index])
            if colors is not None:
                cv2.transform(out[index], colors[index], out[index])
        for noise in self._noise:
            self._add_noise(out, noise, rng)
        for erase in self._erase:
            self._erase_rectangles(out, erase, rng)
        return out

    def mixing(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Each image's partner and its own share, both of shape (count,); share 1 where nothing is mixed."""
        share = np.ones(count, np.float32)
        for mixup in self._mixup:
            drawn = rng.beta(mixup.alpha, mixup.alpha, count)
            share = np.maximum(drawn, 1 - drawn).astype(np.float32)
        return rng.permutation(count).astype(np.int32), share

    def _warps(self, count: int, stored: Size, rng: np.random.Generator) -> Matrices:
        """Maps from target to source pixels, (count, 2, 3), composed in coordinates from -0.5 to 0.5.

        What is listed first happens to the image first, so its map stands nearest to the source. Turns and shears are of the
        picture as it is seen, whose width is not the unit of its height.
        """
        width, height = self._size
        to_unit = np.array([[1 / width, 0, 0.5 / width - 0.5], [0, 1 / height, 0.5 / height - 0.5], [0, 0, 1]])
        from_unit = np.array([[stored.width, 0, stored.width / 2 - 0.5], [0, stored.height, stored.height / 2 - 0.5], [0, 0, 1.0]])
        warp = np.broadcast_to(from_unit, (count, 3, 3))
        for op in self._geometry:
            step = _GEOMETRY[type(op)](op, count, rng)
            step[:, 0, 1] *= height / width
            step[:, 1, 0] *= width / height
            warp = warp @ step
        return np.ascontiguousarray((warp @ to_unit)[:, :2])

    def _colors(self, count: int, channels: int, rng: np.random.Generator) -> Matrices | None:
        """Colour maps of shape (count, channels, channels + 1), or None when there is nothing to do.

        Of grey each is what the map of RGB does to an image that is grey in all three: hue and saturation do nothing.
        """
        if not self._color:
            return None
        total = np.broadcast_to(np.eye(4), (count, 4, 4))
        for op in self._color:
            total = _color_matrix(op, count, rng) @ total
        if channels == 1:
            return np.stack([total[:, :1, :3].sum(2), total[:, :1, 3]], 2)
        return np.ascontiguousarray(total[:, :3])

    def _add_noise(self, images: Pixels, noise: Noise, rng: np.random.Generator) -> None:
        size = images[0].size
        for image, std, start in zip(
            images, rng.uniform(0, noise.std * 255, len(images)), rng.integers(0, _NOISE_BANK - size, len(images)), strict=True
        ):
            grain = self._bank[start : start + size].reshape(image.shape) * np.float32(std)
            np.clip(image + grain + np.float32(0.5), 0, 255, out=image, casting="unsafe")

    def _erase_rectangles(self, images: Pixels, erase: Erase, rng: np.random.Generator) -> None:
        count = len(images)
        area, aspect = rng.uniform(*erase.area, count), np.exp(rng.uniform(-0.7, 0.7, count))
        most = self._size
        height = np.clip(np.sqrt(area / aspect) * most.height, 1, most.height).astype(int)
        width = np.clip(np.sqrt(area * aspect) * most.width, 1, most.width).astype(int)
        top, left = (rng.random(count) * (most.height - height + 1)).astype(int), (rng.random(count) * (most.width - width + 1)).astype(int)
        fill = rng.integers(0, 256, (count, images.shape[-1]), dtype=np.uint8)
        for index in np.flatnonzero(rng.random(count) < erase.probability):
            images[index, top[index] : top[index] + height[index], left[index] : left[index] + width[index]] = fill[index]


@dataclass(frozen=True)
class _Window:
    """What a map without rotation or shear shows: a window of whole source pixels, and how it is mirrored."""

    top: int
    bottom: int
    left: int
    right: int
    mirror: int | None
    """As `cv2.flip` takes it; None: not at all."""


def _windows(warps: Matrices, stored: Size, size: Size) -> dict[int, _Window]:
    """The windows of those (count, 2, 3) maps that have neither rotation nor shear and stay inside the image.

    They are brought to whole pixels, half a pixel off at the most: scaling one costs a quarter of a warp.
    """
    aligned = (np.abs(warps[:, 0, 1]) < 1e-9) & (np.abs(warps[:, 1, 0]) < 1e-9)
    scale = np.stack([warps[:, 0, 0], warps[:, 1, 1]], 1)
    first = scale * -0.5 + warps[:, :, 2] + 0.5
    edges = np.rint(np.stack([first, first + scale * np.array(size)], 2)).astype(int)
    low, high = edges.min(2), edges.max(2)
    inside = aligned & (low >= 0).all(1) & (high <= np.array(stored)).all(1) & (high > low).all(1)
    found = {}
    for index in np.flatnonzero(inside):
        (left, top), (right, bottom), (x, y) = low[index].tolist(), high[index].tolist(), (scale[index] < 0).tolist()
        found[int(index)] = _Window(top, bottom, left, right, _MIRRORS[x, y])
    return found


# cv2.flip: 1 is left to right, 0 upside down, -1 both.
_MIRRORS: dict[tuple[bool, bool], int | None] = {(False, False): None, (True, False): 1, (False, True): 0, (True, True): -1}


def _place(image: Pixels, warp: NDArray[np.float64], window: _Window | None, out: Pixels) -> None:
    """Bring one image into `out` (height, width, channels)."""
    size = (out.shape[1], out.shape[0])
    if window is None and out.shape[2] == 1:
        cv2.warpAffine(image, warp, size, out, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101)
        return
    if window is None:
        # With a fourth channel: OpenCV 5 gives the same values in half the time.
        four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
        warped = cv2.warpAffine(four, warp, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101)
        cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, out)
        return
    cv2.resize(image[window.top : window.bottom, window.left : window.right], size, out, interpolation=cv2.INTER_LINEAR)
    if window.mirror is not None:
        cv2.flip(out, window.mirror, out)


def _matrices(rows: Sequence[Sequence[float | NDArray[np.float64]]], count: int) -> Matrices:
    """(count, k, k) from k x k entries that are numbers or arrays of length `count`."""
    return np.stack([np.stack([np.broadcast_to(np.asarray(entry, float), count) for entry in row], -1) for row in rows], 1)


def _flip(op: Flip, count: int, rng: np.random.Generator) -> Matrices:
    x = 1 - 2 * (rng.random(count) < 0.5 * op.horizontal)
    y = 1 - 2 * (rng.random(count) < 0.5 * op.vertical)
    return _matrices([[x.astype(float), 0, 0], [0, y.astype(float), 0], [0, 0, 1]], count)


def _crop(op: Crop, count: int, rng: np.random.Generator) -> Matrices:
    area = rng.uniform(*op.area, count)
    aspect = np.exp(rng.uniform(np.log(op.aspect[0]), np.log(op.aspect[1]), count))
    width, height = np.minimum(np.sqrt(area * aspect), 1), np.minimum(np.sqrt(area / aspect), 1)
    x, y = rng.uniform(-0.5, 0.5, count) * (1 - width), rng.uniform(-0.5, 0.5, count) * (1 - height)
    return _matrices([[width, 0, x], [0, height, y], [0, 0, 1]], count)


def _affine(op: Affine, count: int, rng: np.random.Generator) -> Matrices:
    happens = rng.random(count) < op.probability
    angle = happens * np.radians(rng.uniform(-op.degrees, op.degrees, count))
    zoom, shear = np.where(happens, rng.uniform(*op.zoom, count), 1), happens * rng.uniform(-op.shear, op.shear, count)
    x, y = happens * rng.uniform(-op.shift, op.shift, count), happens * rng.uniform(-op.shift, op.shift, count)
    cosine, sine = np.cos(angle) / zoom, np.sin(angle) / zoom
    return _matrices([[cosine, cosine * shear - sine, x], [sine, sine * shear + cosine, y], [0, 0, 1]], count)


_GEOMETRY: dict[type, Callable[..., Matrices]] = {Flip: _flip, Crop: _crop, Affine: _affine}


def _color_matrix(op: Color, count: int, rng: np.random.Generator) -> Matrices:
    """Hue (a turn about the grey axis), saturation, contrast about mid-grey and brightness, as (count, 4, 4)."""
    hue = 2 * np.pi * rng.uniform(-op.hue, op.hue, count)
    saturation, contrast = (1 + rng.uniform(-span, span, count) for span in (op.saturation, op.contrast))
    brightness = 255 * rng.uniform(-op.brightness, op.brightness, count)
    cosine, side, cross = np.cos(hue), np.sin(hue) / np.sqrt(3), (1 - np.cos(hue)) / 3
    turn = _matrices([
        [cosine + cross, cross - side, cross + side],
        [cross + side, cosine + cross, cross - side],
        [cross - side, cross + side, cosine + cross],
    ], count)  # fmt: skip
    grey = np.broadcast_to(_LUMA, (3, 3))
    saturate = saturation[:, None, None] * np.eye(3) + (1 - saturation)[:, None, None] * grey
    total = np.zeros((count, 4, 4))
    total[:, :3, :3] = contrast[:, None, None] * (saturate @ turn)
    total[:, :3, 3] = (127.5 * (1 - contrast) + brightness)[:, None]
    total[:, 3, 3] = 1
    return total
