"""Every kind of image file becomes upright RGB, or gets a reason why it cannot be used."""

import io
import struct
import zlib

import numpy as np
import pytest
from datasets_in_miniature import encoded, jpeg, picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgeloop.config import Limits, Prepare
from edgeloop.datasets.images import Examined, Look, examine
from edgeloop.preprocessing import Pixels, colored, decode

PREPARE = Prepare(short_side=64)


def look_of(content: bytes, prepare: Prepare = PREPARE) -> tuple[Look, Pixels]:
    found = examine(content, prepare)
    assert found.reason is None
    assert found.look is not None
    return found.look, decode(found.stored)


def reason_of(content: bytes, prepare: Prepare = PREPARE) -> str:
    found = examine(content, prepare)
    assert found == Examined(found.sha256, found.reason)
    assert found.reason is not None
    return found.reason


def close(pixels: Pixels, image: Image.Image, levels: float = 8.0) -> bool:
    other = np.asarray(image.convert("RGB").resize((pixels.shape[1], pixels.shape[0]), Image.Resampling.BOX), np.float32)
    return bool(np.abs(pixels.astype(np.float32) - other).mean() < levels)


def test_a_small_upright_rgb_jpeg_is_stored_as_it_is() -> None:
    content = jpeg(1)
    assert examine(content, PREPARE).stored == content


def test_a_large_jpeg_is_made_smaller_and_keeps_its_shape() -> None:
    image = picture(1, 1000, 600)
    look, pixels = look_of(encoded(image, quality=95))
    assert (look.width, look.height) == (1000, 600)
    assert pixels.shape == (64, 107, 3)
    assert close(pixels, image)


def test_a_small_image_is_never_enlarged() -> None:
    assert look_of(encoded(picture(1, 20, 10), "PNG"))[1].shape == (10, 20, 3)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "MPO"])
def test_formats_are_told_by_content(kind: str) -> None:
    several = {"save_all": True, "append_images": [picture(7)]} if kind == "MPO" else {}
    look, pixels = look_of(encoded(picture(2), kind, **several))
    assert look.format == kind
    assert close(pixels, picture(2), levels=12)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "I;16", "YCbCr"])
def test_pixel_formats_become_rgb(mode: str) -> None:
    image = picture(3)
    sixteen = np.asarray(image.convert("L")).astype(np.uint16) * 257
    stored = Image.fromarray(sixteen) if mode == "I;16" else image.convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    look, pixels = look_of(encoded(stored, kind))
    assert look.mode == mode
    assert pixels.shape == (48, 64, 3)
    expected = image if mode in ("P", "CMYK", "RGBA", "YCbCr") else image.convert("L")
    assert close(pixels, expected, levels=130 if mode == "1" else 25)


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    look, pixels = look_of(encoded(picture(3).convert("CMYK"), "JPEG"))
    assert look.mode == "CMYK"
    assert close(pixels, picture(3), levels=25)


def test_transparency_shows_white() -> None:
    clear = picture(1).convert("RGBA")
    clear.putalpha(0)
    assert look_of(encoded(clear, "PNG"))[1].min() > 250


def test_a_palette_with_a_transparent_colour_shows_white_there() -> None:
    image = Image.new("P", (32, 32), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 16, 32))
    pixels = look_of(encoded(image, "PNG", transparency=0))[1]
    assert pixels[:, :12].min() > 240
    assert pixels[:, 20:, 2].min() > 200 > pixels[:, 20:, 0].max()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """The sensor's picture of each orientation, shown upright, is the same picture."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = picture(5, 60, 40)
    exif = Image.Exif()
    exif[0x0112] = orientation
    sensor = upright.transpose(undo[orientation]) if orientation > 1 else upright
    look, pixels = look_of(encoded(sensor, "JPEG", exif=exif, quality=95))
    assert (look.width, look.height) == (60, 40)
    assert close(pixels, upright)


def test_an_orientation_that_makes_no_sense_is_not_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    content = encoded(picture(5), "JPEG", exif=exif)
    found = examine(content, PREPARE)
    assert found.reason is None
    assert found.stored != content
    assert close(decode(found.stored), picture(5))


def test_damaged_exif_does_not_matter() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(picture(5), "JPEG", exif=exif)
    at = content.index(b"Exif") + 6
    assert close(look_of(content[:at] + b"\xff" * 8 + content[at + 8 :])[1], picture(5))


def test_what_is_no_image_says_how_it_begins() -> None:
    assert reason_of(b"") == "not an image: it is empty"
    assert reason_of(b"hello world") == "not an image: it begins with b'hello world'"


def test_postscript_is_no_image() -> None:
    """Pillow would run an external program for it."""
    assert reason_of(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n").startswith("not an image")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "GIF"])
def test_a_file_that_is_cut_off_does_not_decode(kind: str) -> None:
    content = encoded(picture(1, 200, 150), kind)
    assert reason_of(content[: len(content) // 2]).startswith("does not decode: ")


def test_a_header_of_huge_dimensions_is_refused_without_decoding() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    assert reason_of(content).startswith("too many pixels: ")


def test_the_limit_on_pixels_holds() -> None:
    limited = Prepare(limits=Limits(image_pixels=63 * 48))
    assert reason_of(jpeg(1), limited) == "too many pixels: 64 x 48"


def test_an_image_that_is_too_long_for_a_jpeg_is_refused() -> None:
    assert reason_of(encoded(Image.new("L", (70_000, 3)), "PNG")) == "too many pixels: 70000 x 3 is longer than a JPEG can be"


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_tiny_images_are_images(size: tuple[int, int]) -> None:
    assert look_of(encoded(Image.new("RGB", size), "PNG"))[1].shape[:2] == size[::-1]


def test_equal_pixels_in_another_file_are_recognised() -> None:
    png, bmp = (examine(encoded(picture(1), kind), PREPARE) for kind in ("PNG", "BMP"))
    assert png.look is not None
    assert bmp.look is not None
    assert png.sha256 != bmp.sha256
    assert png.look.pixels_sha256 == bmp.look.pixels_sha256


def test_alike_pictures_have_alike_hashes_and_others_do_not() -> None:
    image = picture(9, 300, 200)
    first = look_of(encoded(image, quality=95))[0]
    smaller = look_of(encoded(image.resize((150, 100)), quality=60))[0]
    other = look_of(jpeg(10, 300, 200))[0]
    assert (first.phash ^ smaller.phash).bit_count() <= 4
    assert (first.phash ^ other.phash).bit_count() >= 12


def test_brightness_and_sharpness_say_what_they_mean() -> None:
    black, white = (look_of(encoded(Image.new("RGB", (32, 32), colour)))[0] for colour in ("black", "white"))
    assert (black.brightness, white.brightness) == (0, 255)
    assert (black.phash, black.sharpness) == (0, 0)
    checks = Image.fromarray(((np.indices((64, 64)).sum(0) // 4 % 2) * 255).astype(np.uint8))
    sharp, blurred = (look_of(encoded(image, "PNG"))[0] for image in (checks, checks.resize((16, 16)).resize((64, 64))))
    assert sharp.sharpness > 4 * blurred.sharpness


WHOLE = {kind: encoded(picture(1), kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(st.sampled_from(sorted(WHOLE)), st.binary(min_size=1, max_size=40), st.integers(0, 400))
def test_whatever_a_file_holds_it_is_examined_without_failing(kind: str, junk: bytes, at: int) -> None:
    content = io.BytesIO(WHOLE[kind])
    content.seek(at)
    content.write(junk)
    found = examine(content.getvalue(), Prepare(limits=Limits(image_pixels=1_000_000)))
    assert (found.look is None) == (found.reason is not None)


@pytest.mark.parametrize("size", [(1, 1), (40, 1), (1, 40), (300, 200)])
def test_a_grey_data_set_stores_grey_by_the_stated_formula(size: tuple[int, int]) -> None:
    coloured = picture(4, *size)
    found = examine(encoded(coloured, "PNG"), PREPARE.model_copy(update={"color": "grey", "jpeg_quality": 100}))
    assert found.look is not None and (found.look.width, found.look.height, found.look.mode) == (*size, "RGB")
    with Image.open(io.BytesIO(found.stored)) as stored:
        assert stored.mode == "L"
        if min(size) <= PREPARE.short_side:
            assert np.abs(np.asarray(stored, int) - colored(np.asarray(coloured), "grey")[..., 0]).max() <= 2


def test_a_grey_jpeg_is_stored_as_it_is_in_a_grey_data_set_only() -> None:
    given = encoded(picture(5, 60, 40).convert("L"))
    assert examine(given, PREPARE.model_copy(update={"color": "grey"})).stored == given
    assert examine(given, PREPARE).stored != given
