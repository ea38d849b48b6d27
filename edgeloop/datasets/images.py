"""One image file examined: whether it can be used, what is stored of it, and what it looks like."""

import hashlib
import io
from dataclasses import dataclass

import cv2
import numpy as np

from edgeloop.config import Prepare
from edgeloop.datasets import perceptual
from edgeloop.decoding import TOO_MANY_PIXELS, Decoded, Pixels, decode_file
from edgeloop.errors import PictureError
from edgeloop.preprocessing import as_picture, colored
from edgeloop.resolution import Color

# The longest side that libjpeg writes.
JPEG_SIDE = 65_500
MODES: dict[Color, str] = {"rgb": "RGB", "grey": "L"}
"""Pillow's names."""


@dataclass(frozen=True)
class Look:
    """A decoded image."""

    width: int
    height: int
    mode: str
    format: str
    phash: int
    brightness: float
    sharpness: float
    thumbnail: Pixels
    """(16, 16, 3) uint8 RGB."""
    pixels_sha256: str
    """The digest of size and stored pixels: equal for the same picture in another lossless file."""


@dataclass(frozen=True)
class Examined:
    """An image file: either it has a look and bytes to store, or a reason why not."""

    sha256: str | None
    reason: str | None = None
    look: Look | None = None
    stored: bytes = b""
    """An upright JPEG, RGB or grey, with a short side of at most `short_side`."""


def refused(reason: str, detail: str) -> str:
    """A manifest's `reason`: the kind, a colon, and the detail of this image."""
    return f"{reason}: {detail}"


def examine(encoded: bytes, prepare: Prepare) -> Examined:
    """Look at one image file, read by its content. Never raises for what the file holds."""
    sha256 = hashlib.sha256(encoded).hexdigest()
    try:
        decoded = decode_file(encoded, prepare.limits, prepare.short_side)
        pixels = _shrunk(colored(decoded.pixels, prepare.color), prepare.short_side)
        _check_storable(decoded, pixels)
    except PictureError as error:
        return Examined(sha256, refused(error.kind, error.detail))
    stored = encoded if _is_stored_form(decoded, prepare) else _jpeg(pixels, prepare.jpeg_quality)
    return Examined(sha256, None, _look(decoded, pixels), stored)


def _check_storable(decoded: Decoded, pixels: Pixels) -> None:
    if max(pixels.shape) > JPEG_SIDE:
        raise PictureError(TOO_MANY_PIXELS, f"{decoded.width} x {decoded.height} is longer than a JPEG can be")


def _is_stored_form(decoded: Decoded, prepare: Prepare) -> bool:
    """Whether the file itself can be stored."""
    small = min(decoded.width, decoded.height) <= prepare.short_side
    return small and (decoded.format, decoded.mode, decoded.orientation) == ("JPEG", MODES[prepare.color], 1)


def _shrunk(pixels: Pixels, short_side: int) -> Pixels:
    height, width = pixels.shape[:2]
    if min(height, width) <= short_side:
        return pixels
    scale = short_side / min(height, width)
    size = (max(round(width * scale), short_side), max(round(height * scale), short_side))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8).reshape(size[1], size[0], -1)


def _look(decoded: Decoded, pixels: Pixels) -> Look:
    shown = pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)
    grey, small = perceptual.luma(shown), perceptual.miniature(shown)
    digest = hashlib.sha256(f"{decoded.width}x{decoded.height}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return Look(
        width=decoded.width,
        height=decoded.height,
        mode=decoded.mode,
        format=decoded.format,
        phash=perceptual.perceptual_hash(small),
        brightness=perceptual.brightness(grey),
        sharpness=perceptual.sharpness(grey),
        thumbnail=perceptual.thumbnail(small),
        pixels_sha256=digest.hexdigest(),
    )


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    buffer = io.BytesIO()
    as_picture(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
