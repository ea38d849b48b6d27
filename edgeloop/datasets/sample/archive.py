"""The drawn pictures as an archive, laid out as the upstream archives are: `sample/<class>/<class>_0001.jpg`."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edgeloop.config import Drawn
from edgeloop.datasets.sample.picture import KINDS, draw_flower
from edgeloop.errors import DataError
from edgeloop.files import atomic_path
from edgeloop.progress import tracked

_ROOT = "sample"


def draw_archive(drawn: Drawn, target: Path) -> None:
    """Draw the sample set into an uncompressed tar; equal settings give equal bytes.

    Each picture has a generator of its own, so a larger `per_class` adds pictures and leaves the others as they were.
    """
    members = tracked(_members(drawn), "draw the sample set", drawn.per_class * len(KINDS), "images")
    with atomic_path(target) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))


def _members(drawn: Drawn) -> Iterator[tuple[str, bytes]]:
    for kind_index, kind in enumerate(KINDS):
        for index in range(1, drawn.per_class + 1):
            rng = np.random.default_rng([drawn.seed, kind_index, index])
            yield f"{_ROOT}/{kind}/{kind}_{index:04d}.jpg", _picture(kind, rng, drawn.size)


def _picture(kind: str, rng: np.random.Generator, size: int) -> bytes:
    """One picture as a JPEG file."""
    pixels = draw_flower(kind, rng, size)
    quality = int(rng.integers(60, 96))
    done, encoded = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise DataError(f"OpenCV cannot encode a picture of {size} x {size} pixels as JPEG.", "Choose a smaller size.")
    return encoded.tobytes()
