"""The one decoder: the same pixels and the same reasons for every step that reads image files."""

import io
import re
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from datasets_in_miniature import encoded, picture
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edgeloop.config import Limits, Prepare
from edgeloop.datasets.images import examine
from edgeloop.decoding import decode_file
from edgeloop.errors import PictureError
from edgeloop.preprocessing import decode

RAMP = np.tile(np.linspace(0, 1, 96), (96, 1))
DEEP: NDArray[np.uint16] = (RAMP * 65535).astype(np.uint16)
SHALLOW: NDArray[np.uint8] = (DEEP >> 8).astype(np.uint8)


def turned(*entries: bytes, values: bytes = b"") -> bytes:
    """A JPEG whose EXIF turns it by a quarter and holds these entries besides, with `values` behind them."""
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    directory = struct.pack("<H", 1 + len(entries)) + orientation + b"".join(entries) + struct.pack("<I", 0)
    return encoded(picture(5, 60, 40), exif=b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory + values)


def tiff(values: NDArray[np.generic], order: str = "<", **tags: int) -> bytes:
    """An uncompressed grey TIFF of any type of values, in either order of bytes, with other tags (`t262=0`)."""
    height, width = values.shape
    bits = values.dtype.itemsize * 8
    content = values.astype(values.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height, 279: len(content), 273: 0}
    entries |= {int(name[1:]): value for name, value in tags.items()}
    entries[273] = 8 + 2 + 12 * len(entries) + 4
    packed = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(entries))
    return head + packed + struct.pack(f"{order}I", 0) + content


def packed_12_bits(values: NDArray[np.integer]) -> bytes:
    """Two values of 12 bits in three bytes, high bits first, in a TIFF."""
    pairs = values.reshape(values.shape[0], -1, 2).astype(np.uint32)
    joined = (pairs[..., 0] << 12) | pairs[..., 1]
    rows = np.stack([joined >> 16, joined >> 8 & 255, joined & 255], axis=-1).astype(np.uint8)
    return tiff(rows.reshape(values.shape[0], -1), t256=values.shape[1], t258=12)


def pgm(values: NDArray[np.integer], most: int) -> bytes:
    return f"P5\n{values.shape[1]} {values.shape[0]}\n{most}\n".encode() + values.astype(">u2").tobytes()


def huge(side: int) -> bytes:
    """A PNG that declares a square of black and white pixels and holds none."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def reason_of(content: bytes) -> str:
    with pytest.raises(PictureError) as refused:
        decode_file(content)
    assert not re.search("object at 0x", str(refused.value))
    return refused.value.kind


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    ("entry", "values"),
    [
        (struct.pack("<HHII", 0x011A, 10, 1, 38), struct.pack("<ii", -1, 0)),  # a resolution of -1/0, as some phones write
        (struct.pack("<HHII", 0x011A, 5, 1, 38), struct.pack("<II", 1, 0)),
        (struct.pack("<HHII", 0x9286, 2, 4_000_000_000, 38), b"far beyond the end"),
        (struct.pack("<HHII", 0x8769, 4, 1, 8), b""),  # a directory that is its own part
    ],
)
def test_a_picture_is_turned_whatever_else_its_exif_states(entry: bytes, values: bytes) -> None:
    content = turned(entry, values=values)
    found = examine(content, Prepare())
    assert found.look is not None
    assert (found.look.width, found.look.height) == (40, 60)
    assert decode(content).shape == (60, 40, 3)
    assert np.abs(decode(content).astype(int) - decode(found.stored)).mean() < 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("PNG", encoded(Image.fromarray(DEEP), "PNG")),
        ("TIFF", tiff(DEEP)),
        ("TIFF, big-endian", tiff(DEEP, ">")),
        ("TIFF, white is zero", tiff(65535 - DEEP, t262=0)),
        ("TIFF of 12 bits", packed_12_bits(DEEP >> 4)),
        ("PGM", pgm(DEEP, 65535)),
        ("PGM of 10 bits", pgm(DEEP >> 6, 1023)),
    ],
)
def test_grey_of_up_to_16_bits_keeps_its_shades_in_every_container(name: str, content: bytes) -> None:
    pixels = decode(content)
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert np.abs(pixels[..., 0].astype(int) - SHALLOW).max() <= 1
    look = examine(content, Prepare()).look
    assert look is not None
    assert abs(look.brightness - 127.5) < 2


@pytest.mark.parametrize(
    "content",
    [
        encoded(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF"),
        tiff(DEEP.astype(np.uint32)),
        tiff((DEEP // 2).astype(np.int16), t339=2),
        b"Pf\n96 96\n-1.0\n" + RAMP.astype("<f4").tobytes(),
    ],
    ids=["float", "int32", "uint32", "signed 16 bits", "PFM"],
)
def test_values_whose_range_is_unknown_are_refused_and_not_clipped(content: bytes) -> None:
    assert reason_of(content) == "unknown range of values"
    assert str(examine(content, Prepare()).reason).startswith("unknown range of values: ")


def test_what_is_no_image_is_said_by_its_beginning() -> None:
    assert reason_of(b"\0\5\x16\7" + b"x" * 60) == "not an image"
    assert reason_of(encoded(picture(1))[:200]) == "does not decode"


def test_only_our_own_limit_on_pixels_counts_and_nothing_is_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reason_of(huge(9_600)) == "does not decode", "within the limit of 100 million pixels, but Pillow would warn"
        assert reason_of(huge(10_001)) == "too many pixels"
        assert reason_of(huge(60_000)) == "too many pixels"
        assert str(examine(huge(99), Prepare(limits=Limits(image_pixels=98 * 98))).reason) == "too many pixels: 99 x 99"


def test_the_console_stays_clear_of_notes_about_files(tmp_path: Path) -> None:
    (tmp_path / "odd.tif").write_bytes(tiff(SHALLOW, t282=4_000_000_000)[:-4000])
    (tmp_path / "odd.jpg").write_bytes(turned(struct.pack("<HHII", 0x9286, 2, 4_000_000_000, 38)))
    reads = "from pathlib import Path; from edgeloop.datasets.images import examine; from edgeloop.config import Prepare\n"
    reads += "print([examine(path.read_bytes(), Prepare()).reason is None for path in sorted(Path().iterdir())])"
    done = subprocess.run([sys.executable, "-W", "default", "-c", reads], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[True, False]\n", "")


WHOLE = [
    *(encoded(picture(1), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP")),
    *(tiff(DEEP), tiff(DEEP, ">"), pgm(DEEP, 65535)),
    *(turned(), turned(struct.pack("<HHII", 0x011A, 10, 1, 38))),
]


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(st.sampled_from(WHOLE), st.binary(min_size=1, max_size=40), st.integers(0, 300))
def test_whatever_a_file_holds_both_ways_of_reading_it_agree(whole: bytes, junk: bytes, at: int) -> None:
    content = io.BytesIO(whole)
    content.seek(at)
    content.write(junk)
    found = examine(content.getvalue(), Prepare(limits=Limits(image_pixels=1_000_000)))
    try:
        pixels = decode_file(content.getvalue(), Limits(image_pixels=1_000_000)).pixels
    except PictureError as error:
        assert found.reason == str(error)
    else:
        assert found.reason is None
        assert pixels.dtype == np.uint8
