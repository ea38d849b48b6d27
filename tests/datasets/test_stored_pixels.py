"""What `prepare` stores decodes to the same pixels whichever decoder reads it."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeloop.config import Limits
from edgeloop.datasets.archive import read_members
from edgeloop.errors import DataError
from edgeloop.preprocessing import decode, decode_stored


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize(("width", "height"), [(160, 160), (257, 256), (31, 8), (341, 256)])
def test_drawn_jpegs(subsampling: int, width: int, height: int) -> None:
    rng = np.random.default_rng(width + subsampling)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    encoded = io.BytesIO()
    small.save(encoded, "JPEG", quality=92, subsampling=subsampling)
    assert np.array_equal(decode_stored(encoded.getvalue()), decode(encoded.getvalue()))


@pytest.mark.shared
def test_real_photographs(shared: Callable[[str], Path]) -> None:
    seen = 0
    for member in read_members(shared("datasets/food-101.tar.gz"), Limits()):
        if member.path.endswith(".jpg"):
            content = member.read()
            assert np.array_equal(decode_stored(content), decode(content)), member.path
            seen += 1
        if seen == 200:
            break
    assert seen == 200


def test_a_damaged_shard_is_a_clear_error() -> None:
    with pytest.raises(DataError, match="does not decode"):
        decode_stored(b"no picture")
