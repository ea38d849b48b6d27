"""How much scratch memory the row kernels need, as edgeloop_kernels.h and the C files beside it lay it out."""

from edgeloop.codegen.portable.network import Convolution, Depthwise

GROUP = 4
"""Output columns that are computed together."""
PAIR_BYTES = 32
"""sizeof(edgeloop_channel_pair)."""
RESIDENT_WEIGHT_BYTES = 2048
"""Up to this size, the weights of all output channels are expanded once for a row; as in edgeloop_convolution.c."""
GROUPS = 4
"""Then, so many groups of columns are expanded before they are multiplied; as there."""


def convolution_scratch_bytes(layer: Convolution) -> int:
    """Scratch of edgeloop_convolution_row: expanded input values of groups of columns (of all, if 1x1) and weights."""
    inputs = _padded(layer.weights[0].size)
    channels = layer.weights.shape[0]
    if _is_pointwise(layer):
        return _pointwise_bytes(layer.output.width, inputs)
    pairs = -(-channels // 2)
    resident = pairs * _pair_bytes(inputs) <= RESIDENT_WEIGHT_BYTES
    groups = (GROUPS if resident else 1) * GROUP * inputs * 2
    window = layer.weights.shape[1] * _group_row_bytes(layer)
    return groups + (pairs if resident else 1) * _pair_bytes(inputs) + _aligned(window)


def separable_scratch_bytes(depthwise: Depthwise, rows: int = 1) -> int:
    """Scratch of edgeloop_separable_depthwise and edgeloop_separable_pointwise for `rows` output rows at once.

    It holds 16-bit values between the two layers, and weights.
    """
    return _pointwise_bytes(rows * depthwise.output.width, _padded(depthwise.output.channels))


def mean_scratch_bytes(channels: int) -> int:
    """The sums of edgeloop_mean_add_row."""
    return 4 * channels


def _is_pointwise(layer: Convolution) -> bool:
    window = layer.window
    # As the C code decides; it does not see the vertical stride.
    return (window.height, window.width, window.stride_x) == (1, 1, 1)


def _pointwise_bytes(columns: int, inputs: int) -> int:
    groups = -(-columns // GROUP)
    return groups * GROUP * inputs * 2 + _pair_bytes(inputs)


def _pair_bytes(inputs: int) -> int:
    """What two output channels are made ready as (edgeloop_channel_pair), and their 16-bit weights."""
    return PAIR_BYTES + 2 * inputs * 2


def _group_row_bytes(layer: Convolution) -> int:
    """One row of stored input values under a group of columns."""
    window = layer.window
    return ((GROUP - 1) * window.stride_x + window.width) * int(layer.weights.shape[3])


def _padded(inputs: int) -> int:
    return _aligned(inputs, 4)


def _aligned(size: int, to: int = 8) -> int:
    return -(-size // to) * to
