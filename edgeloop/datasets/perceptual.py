"""What a picture looks like, in numbers: perceptual hash, thumbnail, brightness and sharpness."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeloop.preprocessing import Pixels

MINIATURE_SIDE = 32
THUMBNAIL_SIDE = 16
# Coefficients of a flat picture are rounding noise: without this its hash would be, too.
COEFFICIENT_DECIMALS = 3


def _cosines(frequencies: range, size: int) -> NDArray[np.float64]:
    """Rows of the orthonormal DCT-II matrix: shape (frequencies, size)."""
    angles = np.pi / size * np.outer(np.array(frequencies), np.arange(size) + 0.5)
    return np.asarray(np.cos(angles) * np.sqrt(2 / size), np.float64)


_LOW = _cosines(range(1, 9), MINIATURE_SIDE)


def luma(pixels: Pixels) -> Pixels:
    """ITU-R BT.601 luma of (height, width, 3) RGB: uint8 of shape (height, width)."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def miniature(pixels: Pixels) -> Pixels:
    """The picture averaged to 32x32: uint8 of shape (32, 32, 3)."""
    return np.asarray(cv2.resize(pixels, (MINIATURE_SIDE, MINIATURE_SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def perceptual_hash(small: Pixels) -> int:
    """The 64-bit DCT hash of a picture's miniature, as pHash has it (Zauner 2010).

    Bit i says whether the i-th of the luma's 8x8 lowest frequencies (the constant row and column left out) lies above
    their median. Alike pictures differ in few bits.
    """
    low = (_LOW @ luma(small).astype(np.float64) @ _LOW.T).round(COEFFICIENT_DECIMALS).ravel()
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def thumbnail(small: Pixels) -> Pixels:
    """The miniature averaged to 16x16: uint8 of shape (16, 16, 3)."""
    return np.asarray(cv2.resize(small, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def brightness(grey: Pixels) -> float:
    """Mean luma, 0..255."""
    return float(cv2.mean(grey)[0])


def sharpness(grey: Pixels) -> float:
    """Variance of the Laplacian of the luma: low for a blurred or flat picture."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0] ** 2)
