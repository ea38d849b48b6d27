"""The sample set that the project draws itself: five kinds of flower, for the demo and for tests."""

from edgeloop.datasets.sample.archive import draw_archive
from edgeloop.datasets.sample.picture import KINDS, draw_flower

__all__ = ["KINDS", "draw_archive", "draw_flower"]
