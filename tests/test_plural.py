"""Counts and sizes in sentences."""

import pytest

from edgeloop.plural import in_bytes, many


@pytest.mark.parametrize(("count", "said"), [(0, "0 classes"), (1, "1 class"), (1200, "1,200 classes")])
def test_a_count(count: int, said: str) -> None:
    assert many(count, "class") == said


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 byte"), (999, "999 bytes"), (1500, "1.5 kB"), (87_500_000, "87.5 MB"), (1_234_500_000_000, "1,234.5 GB")]
)
def test_a_size(count: int, said: str) -> None:
    assert in_bytes(count) == said
