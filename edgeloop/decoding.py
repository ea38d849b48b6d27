"""The one decoder of image files: told by content, within limits, upright, as RGB; what it cannot use it says in one way.

Nothing else opens an image with Pillow, whose own limits and warnings are switched off for the process: the limits here
are those of params.yaml, and what matters about a file is in the error.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffTags, UnidentifiedImageError

from edgeloop.config import Limits
from edgeloop.errors import PictureError

Pixels = NDArray[np.uint8]
# Formats that hold photographs (JPEG includes MPO). Others that Pillow knows run external programs (EPS) or hold none.
FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "GIF", "TIFF", "PPM")
DOES_NOT_DECODE = "does not decode"
NOT_AN_IMAGE = "not an image"
TOO_MANY_BYTES = "too many bytes"
TOO_MANY_PIXELS = "too many pixels"
UNKNOWN_RANGE = "unknown range of values"
LIMITS = Limits()
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
_ON_ITS_SIDE = (5, 6, 7, 8)
_BITS_PER_SAMPLE, _PHOTOMETRIC = TiffTags.lookup(258).value, TiffTags.lookup(262).value
_WHITE_IS_ZERO = 0

Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Decoded:
    """A decoded image file."""

    pixels: Pixels
    """Upright RGB, (height, width, 3); smaller than the file says where that was asked for."""
    width: int
    """Upright, as the file says."""
    height: int
    mode: str
    """Pillow's name of the pixel format as found."""
    format: str
    orientation: int | None
    """By EXIF; 1 where it says none, None where it cannot be read."""


def decode_file(encoded: bytes, limits: Limits = LIMITS, short_side: int | None = None) -> Decoded:
    """Decode the bytes of any image file.

    EXIF orientation is applied; grey, CMYK, palette and alpha become RGB (alpha over white), 16-bit values keep their
    high byte. With `short_side`, a JPEG may be decoded smaller, but not below twice that.

    Raises:
        PictureError: it is no image, does not decode, exceeds `limits.image_pixels`, or holds values of unknown range.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            return _decoded(image, limits, short_side)
    except UnidentifiedImageError:
        raise PictureError(NOT_AN_IMAGE, _beginning(encoded)) from None
    except DECODE_ERRORS as error:
        raise PictureError(DOES_NOT_DECODE, str(error) or type(error).__name__) from error


def _decoded(image: Image.Image, limits: Limits, short_side: int | None) -> Decoded:
    width, height = image.size
    if width * height > limits.image_pixels:
        raise PictureError(TOO_MANY_PIXELS, f"{width} x {height}")
    mode, kind = image.mode, image.format or ""
    if short_side is not None and min(width, height) > short_side:
        # A JPEG is decoded at a half, a quarter or an eighth; twice what is wanted remains for the averaging.
        image.draft("RGB", (2 * short_side, 2 * short_side))
    image.load()
    orientation = _orientation(image)
    upright = _to_rgb(image)
    if orientation not in (1, None):
        upright = upright.transpose(_UPRIGHT[orientation])
    if orientation in _ON_ITS_SIDE:
        width, height = height, width
    return Decoded(np.asarray(upright), width, height, mode, kind, orientation)


def _beginning(encoded: bytes) -> str:
    return f"it begins with {encoded[:16]!r}" if encoded else "it is empty"


def _orientation(image: Image.Image) -> int | None:
    """Only this entry is read: writing EXIF anew, as Pillow's `exif_transpose` does, fails for entries that nobody needs."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODE_ERRORS:
        return None
    return found if found in (1, *_UPRIGHT) else None


def _to_rgb(image: Image.Image) -> Image.Image:
    """The image as RGB; transparent pixels show white."""
    if image.mode == "RGB":
        return image
    if image.mode[0] in "IF":
        return Image.fromarray(_high_byte(image)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    return image.convert("RGB")


def _high_byte(image: Image.Image) -> Pixels:
    """Grey of more than 8 bits, whose white is known where it has up to 16 bits without a sign."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    elif image.mode == "I" and image.format == "PPM":
        bits = 16  # Pillow scales whatever maximum the file states
    else:
        found = f"{image.format} of mode {image.mode}"
        raise PictureError(UNKNOWN_RANGE, f"{found} does not say which value is white; save it with 8 or 16 bits")
    grey = np.asarray(values >> (bits - 8), np.uint8)
    return ~grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey
