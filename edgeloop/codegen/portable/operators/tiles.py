"""Scratch memory of the kernels that multiply in tiles, as edgeloop_tile.h lays it out."""

PAIR_BYTES = 32
"""sizeof(edgeloop_channel_pair)."""


def cut_columns(columns: int) -> int:
    """Columns of the groups of four and three that a row of columns is cut into: more than it has where it has 1, 2 or 5."""
    return {1: 3, 2: 3, 5: 6}.get(columns, columns)


def row_bytes(columns: int, inputs: int) -> int:
    """The groups of a row of columns, as 16-bit values."""
    return cut_columns(columns) * inputs * 2


def pair_bytes(inputs: int) -> int:
    """What two output channels are made ready as (edgeloop_channel_pair), and their 16-bit weights."""
    return PAIR_BYTES + 2 * inputs * 2


def filled(inputs: int) -> int:
    """A number of inputs filled up to whole words of stored values (edgeloop_filled)."""
    return aligned(inputs, 4)


def aligned(size: int, to: int = 8) -> int:
    """`size` rounded up."""
    return -(-size // to) * to


def halves(most: int) -> list[int]:
    """`most`, and what is left of it after it was halved once, twice, ... : down to 1."""
    return [-(-most // (1 << bits)) for bits in range((most - 1).bit_length() + 1)]
