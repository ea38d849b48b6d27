"""MAX_POOL_2D."""

from dataclasses import dataclass

from edgeloop.codegen.portable.operators.pool import Pool


@dataclass(frozen=True, eq=False, kw_only=True)
class MaxPool(Pool):
    """The largest value under a window."""

    OPERATORS = ("MAX_POOL_2D",)
    KERNEL = "edgeloop_max_pool"
