"""Scratch memory of the kernels that multiply in tiles, as edgeloop_tile.h lays it out."""

GROUP = 4
"""Output columns that are computed together."""
PAIR_BYTES = 32
"""sizeof(edgeloop_channel_pair)."""


def tile_bytes(columns: int, inputs: int) -> int:
    """Groups of so many columns in all, as 16-bit values, and one pair of output channels with its weights."""
    return -(-columns // GROUP) * GROUP * inputs * 2 + pair_bytes(inputs)


def pair_bytes(inputs: int) -> int:
    """What two output channels are made ready as (edgeloop_channel_pair), and their 16-bit weights."""
    return PAIR_BYTES + 2 * inputs * 2


def filled(inputs: int) -> int:
    """A number of inputs filled up to whole words of stored values (edgeloop_filled)."""
    return aligned(inputs, 4)


def aligned(size: int, to: int = 8) -> int:
    """`size` rounded up."""
    return -(-size // to) * to
