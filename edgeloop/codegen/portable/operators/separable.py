"""A depthwise convolution and the 1x1 convolution behind it: the values in between are never stored as int8."""

from edgeloop.codegen.portable.fusion import Fusion
from edgeloop.codegen.portable.layer import Layer
from edgeloop.codegen.portable.network import Network
from edgeloop.codegen.portable.operators.convolution import Convolution
from edgeloop.codegen.portable.operators.depthwise import Depthwise
from edgeloop.codegen.portable.operators.tiles import filled, halves, pair_bytes, row_bytes
from edgeloop.codegen.portable.pipeline import Batch, Tap
from edgeloop.codegen.portable.stages import Site
from edgeloop.codegen.portable.values import Value

BETWEEN_BYTES = 12_800
"""16-bit values between two layers that one call computes at most: they are read once for every two output channels, and the
data cache of a Cortex-M7 has 16 KiB."""
COLUMNS = 32
"""Columns that one call may compute all the same: below that, unpacking weights takes more than the cache wins."""
WEIGHT_COST = 1
"""Instructions that it takes to unpack a weight."""


class Separable(Fusion[Depthwise, Convolution]):
    """Both in two calls of one kernel, several rows at once where rows are short."""

    KINDS = (Depthwise, Convolution)
    KERNEL = "edgeloop_separable"
    SHOWS_BETWEEN = True

    @classmethod
    def fits(cls, first: Depthwise, second: Convolution, network: Network) -> bool:  # noqa: ARG003
        return second.is_pointwise and first.has_tiles

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
        ways = [(rows, tiles) for rows in range(1, most + 1) for tiles in halves(self.first.tiles)]
        best_first = sorted(ways, key=lambda way: (self._cost(*way), way))
        least = (1, 1)
        # Beyond the way that takes the least memory, only what pays.
        chosen = [*best_first[: best_first.index(least)], least]
        return tuple(Batch(rows, separable_scratch_bytes(self.first, rows, tiles), cost=self._cost(rows, tiles)) for rows, tiles in chosen)

    def _cost(self, rows: int, tiles: int) -> int:
        """About how many instructions all rows take in calls of `rows` rows, but for those that they always take."""
        calls = -(-self.output.height // rows)
        return self.output.height * self.first.cost(rows, tiles) + calls * self.second.weight_bytes * WEIGHT_COST

    def statements(self, site: Site) -> list[str]:
        """Both halves; the observer is shown the rows between them, which are computed for it alone."""
        first, second = site.structure(self.first), site.structure(self.second)
        window = f"{site.taps[0].stride}u, input, {site.count}"
        scratch = f"{site.scratch_bytes}, {site.scratch}"
        return [
            *site.window("const int8_t"),
            f"SHOW_BETWEEN({first}, {window}, {scratch});",
            *site.marked(self.first, [f"edgeloop_separable_depthwise({first}, {window}, {scratch});"]),
            *site.marked(self.second, [f"edgeloop_separable_pointwise({first}, {second}, {site.count}, output, {site.scratch});"]),
        ]

    @property
    def shown(self) -> list[tuple[Layer, str]]:
        return [(self.first, "BETWEEN"), (self.second, "output")]


def separable_scratch_bytes(depthwise: Depthwise, rows: int, tiles: int) -> int:
    """16-bit values of `rows` rows between the two layers, and behind them what each of the two works with."""
    channels = filled(depthwise.output.channels)
    return rows * row_bytes(depthwise.output.width, channels) + max(depthwise.plane_bytes(rows, tiles), pair_bytes(channels))
