"""A segment: consecutive stages of which only the last one's output is stored whole; the others keep a few rows.

The last stage is asked for its rows in order; each stage first pulls, from those it reads, what its next row needs. Who
computes which row when follows from that alone, so the sizes of rings and the overlap that is safe are found by going
through it, row by row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edgeloop.codegen.portable.pipeline import Batch, Pipeline, Tap
from edgeloop.codegen.portable.placement import aligned

MOST_STAGES = 16
"""In one segment: far beyond this no memory is won, and the search would take long."""


@dataclass(frozen=True)
class KernelCall:
    """One call of a kernel."""

    stage: int
    row: int
    rows: int


@dataclass(frozen=True)
class Segment:
    """Stages `first` to `last` of a pipeline, both included."""

    first: int
    last: int
    rings: dict[int, int]
    """Rows that each inner buffer keeps, but for those of `homes`."""
    homes: dict[int, int]
    """Inner buffers each row of which is computed in the place of the row, of another buffer, that it is needed for."""
    batch: Batch
    """How the last stage computes its rows; the others compute one row at a time."""
    lags: dict[int, int]
    """For each buffer from outside that is read here: by how many bytes, at least, the output must start before it to be
    written over it as it is read. Negative where the output may even start behind it."""


def pull_order(pipeline: Pipeline, first: int, last: int, batch: Batch) -> Iterator[KernelCall]:
    """The rows of a segment in the order in which they are computed."""
    inner = {pipeline.stages[place].output: place for place in range(first, last)}
    done = dict.fromkeys(range(first, last + 1), 0)

    def until(place: int, rows: int) -> Iterator[KernelCall]:
        while done[place] < rows:
            count = min(batch.rows, rows - done[place]) if place == last else 1
            for tap in pipeline.stages[place].taps:
                if tap.buffer in inner:
                    yield from until(inner[tap.buffer], tap.end(done[place] + count - 1))
            yield KernelCall(place, done[place], count)
            done[place] += count

    yield from until(last, pipeline.buffers[pipeline.stages[last].output].height)


def segment(pipeline: Pipeline, first: int, last: int, batch: Batch | None = None) -> Segment | None:
    """The segment of these stages, or None where they cannot be one; its last stage computes one row at a time, or `batch`."""
    if not _can_be(pipeline, first, last):
        return None
    walk = _Walk(pipeline, first, last, batch or pipeline.stages[last].single)
    plain = walk.segment({})
    homes = walk.homes(plain)
    return min(plain, walk.segment(homes), key=walk.bytes) if homes else plain


class _Walk:
    """Goes through the rows of a segment in the order in which they are computed."""

    def __init__(self, pipeline: Pipeline, first: int, last: int, batch: Batch) -> None:
        self._pipeline, self._first, self._last, self._batch = pipeline, first, last, batch
        self._readers = _readers(pipeline, first, last)
        self._inner = {pipeline.stages[place].output for place in range(first, last)}
        self._calls = list(pull_order(pipeline, first, last, batch))

    def segment(self, homes: dict[int, int]) -> Segment:
        """The rings and lags that the walk asks for where these rows are computed in the place of others."""
        rings = dict.fromkeys(sorted(self._inner - homes.keys()), 1)
        # What is read to its end before the first row is written does not hinder at all.
        lags = {buffer: -self._pipeline.buffers[buffer].bytes for buffer in sorted(self._readers.keys() - self._inner)}
        done = dict.fromkeys(range(self._first, self._last + 1), 0)
        for call in self._calls:
            output = self._pipeline.stages[call.stage].output
            home = homes.get(output, output)
            if home in rings:
                rings[home] = max(rings[home], self._rows_kept(home, call, done))
            else:
                for buffer in lags:
                    lags[buffer] = max(lags[buffer], self._lag(buffer, home, call, done))
            done[call.stage] += call.rows
        return Segment(self._first, self._last, rings, homes, self._batch, lags)

    def homes(self, plain: Segment) -> dict[int, int]:
        """Values of which one row is kept, for one stage that may write over it: it is computed where that stage's row will lie."""
        found: dict[int, int] = {}
        for buffer in (buffer for buffer, rows in plain.rings.items() if rows == 1):
            (place, tap), *others = self._readers[buffer]
            home = self._pipeline.stages[place].output
            if (
                not others
                and tap.in_place
                and tap.value.row_bytes == self._pipeline.buffers[buffer].row_bytes
                and home not in found.values()
            ):
                found[buffer] = home
        return {buffer: _end_of_chain(found, home) for buffer, home in found.items()}

    def bytes(self, part: Segment) -> int:
        """What the rings take, and what the output must begin before what it is written over."""
        rings = sum(aligned(rows * self._pipeline.buffers[buffer].row_bytes) for buffer, rows in part.rings.items())
        return rings + max([0, *part.lags.values()])

    def _rows_kept(self, buffer: int, call: KernelCall, done: dict[int, int]) -> int:
        """The ring must reach from the new row back to the oldest one that any reader still needs for its next row."""
        needed = [tap.first(done[place]) for place, tap in self._readers[buffer] if done[place] < _height(self._pipeline, place)]
        return max([1, *(call.row + 1 - row for row in needed)])

    def _lag(self, buffer: int, written: int, call: KernelCall, done: dict[int, int]) -> int:
        """By how many bytes, at least, the segment's output must begin before a buffer that these rows may be written over."""
        # Let the output begin `lag` bytes before the input. These rows are written up to output byte `end`, which is input
        # byte end - lag; that must not lie beyond `kept`, the first input row that is still to be read:
        # end - lag <= kept * row_bytes. The lag of the segment is the largest that any call asks for.
        end = (call.row + call.rows) * self._pipeline.buffers[written].row_bytes
        lags = [-self._pipeline.buffers[buffer].bytes]
        for place, tap in self._readers[buffer]:
            if done[place] < _height(self._pipeline, place):
                kept = _kept(tap, call) if place == call.stage == self._last else tap.first(done[place])
                lags.append(end - kept * tap.value.row_bytes)
        return max(lags)


def _end_of_chain(homes: dict[int, int], buffer: int) -> int:
    while buffer in homes:
        buffer = homes[buffer]
    return buffer


def _kept(tap: Tap, call: KernelCall) -> int:
    """The first row of its input that a stage must still find as it was when it writes the rows of `call`."""
    if tap.in_place:
        # A byte is read before the byte of the same place is written.
        return call.row + call.rows
    return tap.first(call.row + call.rows) if tap.read_first else tap.first(call.row)


def _can_be(pipeline: Pipeline, first: int, last: int) -> bool:
    """Whether only the last stage's output is read outside, and the others are read at all and may be rings."""
    if last - first >= MOST_STAGES:
        return False
    for place in range(first, last):
        buffer = pipeline.stages[place].output
        readers = [reader for reader, _ in pipeline.readers(buffer)]
        if pipeline.buffers[buffer].whole or buffer == pipeline.output or not readers or max(readers) > last:
            return False
    return True


def _readers(pipeline: Pipeline, first: int, last: int) -> dict[int, list[tuple[int, Tap]]]:
    """What is read in the segment, by which of its stages, and how."""
    readers: dict[int, list[tuple[int, Tap]]] = {}
    for place in range(first, last + 1):
        for tap in pipeline.stages[place].taps:
            readers.setdefault(tap.buffer, []).append((place, tap))
    return readers


def _height(pipeline: Pipeline, stage: int) -> int:
    return pipeline.buffers[pipeline.stages[stage].output].height
