"""Runs a memory plan byte by byte: every byte remembers who wrote it last, and every read is checked.

Written from what a plan means, not from how it is made: it knows nothing of lags, lower bounds or lifetimes.
"""

import numpy as np
from numpy.typing import NDArray

from edgeloop.codegen.portable.pipeline import Stage, Tap
from edgeloop.codegen.portable.plan import Plan

NOBODY = -1
SPAN = 1 << 32


class Overwritten(AssertionError):
    """A byte was read that someone else has written over."""


class Simulator:
    """One run of the network, then the filling of its next input."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.pipeline = plan, plan.pipeline
        self.memory = np.full(plan.arena_bytes, NOBODY, np.int64)
        self.done = dict.fromkeys(range(len(self.pipeline.stages)), 0)

    def run(self) -> None:
        if not self.pipeline.streamed:
            self._fill_input()
        for part in self.plan.segments:
            self._until(part.last, self._height(part.last))
        if not self.pipeline.streamed:
            self._fill_input()
        output = self.pipeline.buffers[self.pipeline.output]
        for row in range(output.height):
            self._check(self.pipeline.output, row * output.row_bytes, output.row_bytes)

    def _until(self, place: int, rows: int) -> None:
        stage = self.pipeline.stages[place]
        while self.done[place] < rows:
            row = self.done[place]
            count = min(self.plan.batch(place).rows, rows - row)
            for tap in stage.taps:
                producer = self.pipeline.producer(tap.buffer)
                if producer is not None and self.done[producer] < self._height(producer):
                    self._until(producer, min(tap.value.height, max(0, tap.start(row + count - 1) + tap.rows)))
            self._spoil_scratch(place)
            self._compute(stage, row, count)
            self.done[place] = row + count

    def _compute(self, stage: Stage, first: int, count: int) -> None:
        taps = [(tap, row, source) for tap in stage.taps for row in range(first, first + count) for source in self._window(tap, row)]
        for tap, _, source in taps:
            self._read(tap, source)
        for row in range(first, first + count):
            self._write_row(stage, row, [(tap, source) for tap, of, source in taps if of == row and tap.in_place])
        # A kernel may read any of its window until its last output is written, unless it is declared to do otherwise.
        for tap, _, source in taps:
            if not tap.in_place and not tap.read_first:
                self._read(tap, source)

    def _write_row(self, stage: Stage, row: int, in_place: list[tuple[Tap, int]]) -> None:
        """Byte by byte: the byte of the same place is read right before."""
        buffer = self.pipeline.buffers[stage.output]
        for byte in range(buffer.row_bytes):
            for tap, source in in_place:
                self._check(tap.buffer, source * tap.value.row_bytes + byte, 1)
            self._write(stage.output, row * buffer.row_bytes + byte, 1)

    def _window(self, tap: Tap, row: int) -> list[int]:
        top = tap.start(row)
        return [source for source in range(top, top + tap.rows) if 0 <= source < tap.value.height]

    def _read(self, tap: Tap, row: int) -> None:
        self._check(tap.buffer, row * tap.value.row_bytes, tap.value.row_bytes)

    def _fill_input(self) -> None:
        self._write(self.pipeline.input, 0, self.pipeline.buffers[self.pipeline.input].bytes)

    def _place(self, buffer: int, byte: int, count: int) -> slice:
        """Where bytes of a buffer lie; they are of one row where it is a ring."""
        area, row_bytes = self.plan.buffer(buffer), self.pipeline.buffers[buffer].row_bytes
        row, column = divmod(byte, row_bytes)
        begin = area.offset + (byte if area.rows is None else row % area.rows * row_bytes + column)
        end = begin + count
        assert area.offset <= begin and end <= min(area.offset + area.bytes, self.plan.arena_bytes)
        return slice(begin, end)

    def _names(self, buffer: int, byte: int, count: int) -> NDArray[np.int64]:
        return np.arange(byte, byte + count) + buffer * SPAN

    def _write(self, buffer: int, byte: int, count: int) -> None:
        self.memory[self._place(buffer, byte, count)] = self._names(buffer, byte, count)

    def _check(self, buffer: int, byte: int, count: int) -> None:
        if not np.array_equal(self.memory[self._place(buffer, byte, count)], self._names(buffer, byte, count)):
            raise Overwritten(f"bytes {byte} to {byte + count} of buffer {buffer}")

    def _spoil_scratch(self, place: int) -> None:
        """What a kernel works in holds nothing afterwards, and nothing else may be in it."""
        wanted, area = self.plan.batch(place).scratch_bytes, self.plan.scratch(place)
        if wanted:
            assert area is not None and area.bytes >= wanted
            self.memory[area.offset : area.offset + area.bytes] = NOBODY

    def _height(self, place: int) -> int:
        return self.pipeline.buffers[self.pipeline.stages[place].output].height
