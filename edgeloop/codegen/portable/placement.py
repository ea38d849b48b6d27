"""Where blocks of memory lie in one arena, so that what lives at the same time does not overlap, except as allowed.

Placing is NP-hard in general; networks have some tens of blocks, for which a few orders of "lowest place that is free",
improved by a seeded local search, reach the lower bound or come near it.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ALIGNMENT = 8
TRIALS, COMPARISONS = 400, 400_000
"""Moves of one block that are tried; fewer where there are many blocks, because each compares every block with every other."""
TURNED = 0.3
"""Of the moves, those that send a block to the other end."""
SEED = 127


@dataclass(frozen=True)
class Block:
    """Bytes that are needed from one point of time to another, both included."""

    bytes: int
    first: int
    last: int


Allowed = Mapping[tuple[int, int], int]
"""For (output, input), two blocks by index: the output may overlap the input if it starts at least so many bytes before."""


@dataclass(frozen=True)
class Placement:
    """The offset of each block, and the size of the whole."""

    offsets: tuple[int, ...]
    bytes: int


def place(blocks: Sequence[Block], allowed: Allowed, apart: frozenset[tuple[int, int]], enough_bytes: int) -> Placement:
    """Place the blocks; the search stops as soon as the arena is no larger than `enough_bytes`.

    `apart` holds pairs that must not overlap although they live at different times. Equal arguments give equal results.
    """
    ceiling = aligned(enough_bytes)
    starts = [(order, high) for order in _orders(blocks) for high in (frozenset[int](), frozenset(range(0, len(blocks), 2)))]
    best, order, high = min(
        ((_placed(blocks, allowed, apart, order, high, ceiling), order, high) for order, high in starts), key=lambda found: found[0].bytes
    )
    randomness = random.Random(SEED)
    for _ in range(min(TRIALS, COMPARISONS // len(blocks) ** 2) if len(blocks) > 2 else 0):
        if best.bytes <= ceiling:
            break
        changed, turned = list(order), high
        if randomness.random() < TURNED:
            turned = high ^ {randomness.randrange(len(blocks))}
        else:
            moved = changed.pop(randomness.randrange(len(changed)))
            changed.insert(randomness.randrange(len(changed) + 1), moved)
        found = _placed(blocks, allowed, apart, changed, turned, ceiling)
        if found.bytes <= best.bytes:  # equal ones, too: a plateau is walked over
            best, order, high = found, changed, turned
    return best


def aligned(size: int) -> int:
    """`size` rounded up to the alignment of blocks."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _orders(blocks: Sequence[Block]) -> list[list[int]]:
    """By size; against time by end and by beginning, so that an output is placed before the input that it may lie below; and with time."""
    places = range(len(blocks))
    return [
        sorted(places, key=lambda place: (-blocks[place].bytes, -blocks[place].first)),
        sorted(places, key=lambda place: (-blocks[place].last, -blocks[place].bytes)),
        sorted(places, key=lambda place: (-blocks[place].first, -blocks[place].bytes)),
        sorted(places, key=lambda place: (blocks[place].first, -blocks[place].bytes)),
    ]


def _placed(
    blocks: Sequence[Block], allowed: Allowed, apart: frozenset[tuple[int, int]], order: Sequence[int], high: frozenset[int], ceiling: int
) -> Placement:
    """Each block in turn at the lowest place that those before it leave; those of `high` at the highest one below `ceiling`."""
    offsets: dict[int, int] = {}
    for block in order:
        blocked = sorted(
            _blocked(blocks, allowed, block, other, offset)
            for other, offset in offsets.items()
            if _meet(blocks[block], blocks[other]) or (block, other) in apart or (other, block) in apart
        )
        offset = _highest(blocked, ceiling - blocks[block].bytes) if block in high else -1
        offsets[block] = offset if offset >= 0 else _lowest(blocked)
    end = max((offset + blocks[block].bytes for block, offset in offsets.items()), default=0)
    return Placement(tuple(offsets[block] for block in range(len(blocks))), aligned(end))


Intervals = Sequence[tuple[int, int]]
"""Open intervals of offsets, sorted."""


def _lowest(blocked: Intervals) -> int:
    """The lowest offset in none of the intervals."""
    offset = 0
    # Sorted by their lower ends: once the offset is past an interval, no later one reaches below that interval's beginning.
    for low, high in blocked:
        if low < offset < high:
            offset = aligned(high)
    return offset


def _highest(blocked: Intervals, most: int) -> int:
    """The highest offset up to `most` in none of the intervals; negative where there is none."""
    offset = most // ALIGNMENT * ALIGNMENT
    for low, high in sorted(blocked, key=lambda interval: -interval[1]):
        if low < offset < high:
            offset = low // ALIGNMENT * ALIGNMENT
    return offset


def _meet(one: Block, other: Block) -> bool:
    return one.first <= other.last and other.first <= one.last


def _blocked(blocks: Sequence[Block], allowed: Allowed, block: int, other: int, offset: int) -> tuple[int, int]:
    """The open interval of offsets that `block` cannot have where `other` lies at `offset`."""
    # `other` has the bytes from offset to offset + bytes(other). A block at x meets it if and only if
    # offset - bytes(block) < x < offset + bytes(other). Where one may be written over the other, beginning `lag` bytes before it is enough.
    before, after = blocks[block].bytes, blocks[other].bytes
    if (block, other) in allowed:
        before = min(before, allowed[block, other])
    if (other, block) in allowed:
        after = min(after, allowed[other, block])
    return offset - before, offset + after
