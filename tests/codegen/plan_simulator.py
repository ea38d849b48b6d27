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
        self.rows_read: set[tuple[int, int]] = set()

    def run(self) -> None:
        if not self.pipeline.streamed:
            self._fill_input()
        for part in self.plan.segments:
            for place in range(part.first, part.last + 1):
                self._scratch(place, write=True)
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
            for tap in stage.taps:
                producer = self.pipeline.producer(tap.buffer)
                if producer is not None and self.done[producer] < self._height(producer):
                    self._until(producer, min(tap.value.height, max(0, row * tap.stride - tap.top + tap.rows)))
            self._scratch(place, write=False)
            self._compute(stage, row)
            self._scratch(place, write=True)
            self.done[place] = row + 1

    def _compute(self, stage: Stage, row: int) -> None:
        taps = [(tap, source) for tap in stage.taps for source in self._window(tap, row)]
        for tap, source in taps:
            self._read(tap, source)
            self.rows_read.add((tap.buffer, source))
        buffer = self.pipeline.buffers[stage.output]
        for byte in range(buffer.row_bytes):
            for tap, source in taps:
                if tap.in_place:
                    self._check(tap.buffer, source * tap.value.row_bytes + byte, 1)
            self._write(stage.output, row * buffer.row_bytes + byte, 1)
        # A kernel may read any of its window until its last output is written, unless it is an elementwise one.
        for tap, source in taps:
            if not tap.in_place:
                self._read(tap, source)

    def _window(self, tap: Tap, row: int) -> list[int]:
        top = row * tap.stride - tap.top
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

    def _scratch(self, place: int, *, write: bool) -> None:
        """What a stage keeps must be there before each row; what is for one row may be overwritten in it."""
        state, temporary = self.plan.state(place), self.plan.temporary(place)
        stage = self.pipeline.stages[place]
        if stage.state_bytes:
            assert state is not None and state.bytes >= stage.state_bytes
            where, names = slice(state.offset, state.offset + state.bytes), np.arange(state.bytes) - (place + 2) * SPAN
            if write:
                self.memory[where] = names
            elif not np.array_equal(self.memory[where], names):
                raise Overwritten(f"the state of stage {place}")
        if stage.temporary_bytes:
            assert temporary is not None and temporary.bytes >= stage.temporary_bytes
            if not write:
                self.memory[temporary.offset : temporary.offset + temporary.bytes] = NOBODY

    def _height(self, place: int) -> int:
        return self.pipeline.buffers[self.pipeline.stages[place].output].height
