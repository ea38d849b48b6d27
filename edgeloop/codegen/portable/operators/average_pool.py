"""AVERAGE_POOL_2D."""

from dataclasses import dataclass

from edgeloop.codegen.portable.operators.pool import Pool


@dataclass(frozen=True, eq=False, kw_only=True)
class AveragePool(Pool):
    """The mean of the values under a window."""

    OPERATORS = ("AVERAGE_POOL_2D",)
    KERNEL = "edgeloop_average_pool"
