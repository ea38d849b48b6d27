"""A depthwise convolution and the 1x1 convolution behind it: the values in between are never stored as int8."""

from edgeloop.codegen.portable.fusion import Fusion
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators.convolution import Convolution
from edgeloop.codegen.portable.operators.depthwise import Depthwise
from edgeloop.codegen.portable.operators.tiles import filled, tile_bytes
from edgeloop.codegen.portable.pipeline import Batch, Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value

BETWEEN_BYTES = 12_800
"""16-bit values between two layers that one call computes at most: they are read once for every two output channels, and the
data cache of a Cortex-M7 has 16 KiB."""
COLUMNS = 32
"""Columns that one call may compute all the same: below that, unpacking weights takes more than the cache wins."""
GROUP_COLUMNS = 4
"""The kernel computes so many columns together, and once more as much to unpack its weights."""


class Separable(Fusion[Depthwise, Convolution]):
    """Both in two calls of one kernel, several rows at once where rows are short."""

    KINDS = (Depthwise, Convolution)
    KERNEL = "edgeloop_separable"
    SHOWS_BETWEEN = True

    @classmethod
    def fits(cls, first: Depthwise, second: Convolution, network: Network) -> bool:  # noqa: ARG003
        return second.is_pointwise

    @property
    def observed_row_bytes(self) -> int:
        return self.first.output.row_bytes

    def tap(self, buffer: int, value: Value) -> Tap:
        window = self.first.window
        return Tap(buffer, value, window.height, window.stride_y, window.top, read_first=True, padded=True)

    def batches(self) -> tuple[Batch, ...]:
        height, width = self.output.height, self.output.width
        columns = max(COLUMNS, BETWEEN_BYTES // (2 * self.first.output.channels))
        most = max(1, min(height, columns // width))
        best_first = sorted(range(1, most + 1), key=lambda rows: (_columns_paid(height, width, rows), rows))
        # Beyond one row at a time, only what pays.
        counts = [*best_first[: best_first.index(1)], 1]
        return tuple(Batch(rows, separable_scratch_bytes(self.first, rows)) for rows in counts)

    def statements(self, site: Site) -> list[str]:
        """Both halves; the observer is shown the rows between them, which are computed for it alone."""
        first, second = site.structure(self.first), site.structure(self.second)
        window = f"{site.taps[0].stride}u, input, {site.count}"
        return [
            *site.window("const int8_t"),
            f"SHOW_BETWEEN({first}, {window});",
            *site.marked(self.first, [f"edgeloop_separable_depthwise({first}, {window}, {site.scratch});"]),
            *site.marked(self.second, [f"edgeloop_separable_pointwise({first}, {second}, {site.count}, output, {site.scratch});"]),
        ]

    @property
    def shown(self) -> list[tuple[Layer, str]]:
        return [(self.first, "BETWEEN"), (self.second, "output")]


def separable_scratch_bytes(depthwise: Depthwise, rows: int = 1) -> int:
    """16-bit values of `rows` rows between the two layers, and weights."""
    return tile_bytes(rows * depthwise.output.width, filled(depthwise.output.channels))


def _columns_paid(height: int, width: int, rows: int) -> int:
    """What all rows cost in calls of so many rows, in columns: groups are computed whole, and each call unpacks weights."""
    calls = [min(rows, height - row) for row in range(0, height, rows)]
    return sum((-(-count * width // GROUP_COLUMNS) + 1) * GROUP_COLUMNS for count in calls)
