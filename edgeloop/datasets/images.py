"""One image file examined: whether it can be used, what is stored of it, and what it looks like."""

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from edgeloop.config import Prepare
from edgeloop.datasets import perceptual
from edgeloop.preprocessing import FORMATS, Pixels, to_rgb

# The longest side that libjpeg writes.
JPEG_SIDE = 65_500
DOES_NOT_DECODE = "does not decode"
NOT_AN_IMAGE = "not an image"
TOO_MANY_BYTES = "too many bytes"
TOO_MANY_PIXELS = "too many pixels"
# What Pillow's readers raise on damaged files; they are many, and each has its own way to stumble.
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    zlib.error,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    AssertionError,
)
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    """Of size and stored pixels: equal for the same picture in another lossless file."""


@dataclass(frozen=True)
class Examined:
    """An image file: either it has a look and bytes to store, or a reason why not."""

    sha256: str | None
    reason: str | None = None
    look: Look | None = None
    stored: bytes = b""
    """An upright RGB JPEG with a short side of at most `short_side`."""


@dataclass(frozen=True)
class _Decoded:
    pixels: Pixels
    width: int
    height: int
    mode: str
    format: str
    storable: bool


def refused(reason: str, detail: str) -> str:
    """A manifest's `reason`: the kind, a colon, and the detail of this image."""
    return f"{reason}: {detail}"


def examine(encoded: bytes, prepare: Prepare) -> Examined:
    """Look at one image file, read by its content. Never raises for what the file holds."""
    sha256 = hashlib.sha256(encoded).hexdigest()
    try:
        decoded = _decode(encoded, prepare)
    except UnidentifiedImageError:
        return Examined(sha256, refused(NOT_AN_IMAGE, _beginning(encoded)))
    except (_TooManyPixels, Image.DecompressionBombError) as error:
        return Examined(sha256, refused(TOO_MANY_PIXELS, str(error)))
    except DECODE_ERRORS as error:
        return Examined(sha256, refused(DOES_NOT_DECODE, str(error) or type(error).__name__))
    stored = encoded if decoded.storable else _jpeg(decoded.pixels, prepare.jpeg_quality)
    return Examined(sha256, None, _look(decoded), stored)


class _TooManyPixels(Exception):
    """The header declares more pixels than the limit."""


def _beginning(encoded: bytes) -> str:
    return f"it begins with {encoded[:16]!r}" if encoded else "it is empty"


def _decode(encoded: bytes, prepare: Prepare) -> _Decoded:
    with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
        width, height = image.size
        if width * height > prepare.limits.image_pixels:
            raise _TooManyPixels(f"{width} x {height}")
        mode, kind = image.mode, image.format or ""
        small = min(width, height) <= prepare.short_side
        if not small:
            # A JPEG is decoded at a half, a quarter or an eighth; twice what is wanted remains for the averaging.
            image.draft("RGB", (2 * prepare.short_side, 2 * prepare.short_side))
        image.load()
        orientation = _orientation(image)
        upright = image if orientation in (1, None) else image.transpose(_UPRIGHT[orientation])
        pixels = _shrunk(np.asarray(to_rgb(upright)), prepare.short_side)
    if max(pixels.shape) > JPEG_SIDE:
        raise _TooManyPixels(f"{width} x {height} is longer than a JPEG can be")
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    storable = small and kind == "JPEG" and mode == "RGB" and orientation == 1
    return _Decoded(pixels, width, height, mode, kind, storable)


def _orientation(image: Image.Image) -> int | None:
    """The EXIF orientation, 1 where there is none, None where it cannot be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODE_ERRORS:
        return None
    return found if found in (1, *_UPRIGHT) else None


def _shrunk(pixels: Pixels, short_side: int) -> Pixels:
    height, width = pixels.shape[:2]
    if min(height, width) <= short_side:
        return pixels
    scale = short_side / min(height, width)
    size = (max(round(width * scale), short_side), max(round(height * scale), short_side))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _look(decoded: _Decoded) -> Look:
    pixels = decoded.pixels
    grey, small = perceptual.luma(pixels), perceptual.miniature(pixels)
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
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
