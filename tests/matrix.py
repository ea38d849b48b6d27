"""Cases of a matrix: which of them belong to the short run."""

from collections.abc import Iterable
from typing import Any

import pytest


def first_is_short(cases: Iterable[Any]) -> list[Any]:
    """All cases for `parametrize`, tuples where it names several arguments; those after the first are marked `thorough`."""
    first, *others = cases
    return [first, *(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.thorough) for case in others)]
