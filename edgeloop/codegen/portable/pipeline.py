"""What the memory planner sees: stages that compute rows of buffers from windows of rows of other buffers.

A stage is one layer, or several that are computed together; a buffer holds one value, or several that share their bytes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from edgeloop.codegen.portable.values import Value

if TYPE_CHECKING:
    from edgeloop.codegen.portable.layer import Layer
    from edgeloop.codegen.portable.work import Work


@dataclass(frozen=True, eq=False)
class Buffer:
    """Bytes that one stage writes row by row."""

    value: Value
    """The value that the stage computes; what shares its bytes is read through taps."""
    whole: bool = False
    """It may not be kept as a ring of rows: it is read as one vector, or some of its rows are read by nothing."""

    @property
    def height(self) -> int:
        return self.value.height

    @property
    def row_bytes(self) -> int:
        return self.value.row_bytes

    @property
    def bytes(self) -> int:
        return self.value.bytes


@dataclass(frozen=True, eq=False)
class Tap:
    """How a stage reads one of its inputs: for output row y the rows y * stride - top and the `rows - 1` after it."""

    buffer: int
    """Its place in the pipeline's buffers."""
    value: Value
    """As the stage sees it; after a reshape other rows than the buffer's own."""
    rows: int
    stride: int = 1
    """0 where every output row needs the same ones."""
    top: int = 0
    in_place: bool = False
    """Byte i of output row y needs no byte before i of input row y, and rows are of equal length: the output may take
    the input's very place."""
    read_first: bool = False
    """All that is read for some output rows is read before the first byte of them is written."""
    padded: bool = False
    """Rows above and below the input are read as well, as missing ones."""
    starts: tuple[int, ...] | None = None
    """For each output row the first input row, never falling, where no stride says it; the layer's structure has it as `rows`."""

    def start(self, row: int) -> int:
        """The first row that output row `row` reads, whether it is there or not."""
        if self.starts is None:
            return row * self.stride - self.top
        return self.starts[row] if row < len(self.starts) else self.value.height

    def first(self, row: int) -> int:
        """The first input row, of those there are, that output row `row` and all later ones need."""
        return min(max(self.start(row), 0), self.value.height)

    def end(self, row: int) -> int:
        """One past the last input row that output row `row` needs."""
        return min(max(self.start(row) + self.rows, 0), self.value.height)


@dataclass(frozen=True)
class Batch:
    """Output rows that are computed by one call of a kernel."""

    rows: int
    scratch_bytes: int
    """What the kernel needs while it runs; stages that take turns share it."""
    width: int = 0
    """Columns of a row that are computed together, where the kernel is told."""
    cost: int = 0
    """About how many instructions more all rows take this way than they take in any; to compare ways of one stage, and plans."""


@dataclass(frozen=True, eq=False)
class Stage:
    """What is computed together, one output row at a time."""

    work: "Work | None"
    """None for the reader of a streamed input."""
    taps: tuple[Tap, ...]
    output: int
    """Its place in the pipeline's buffers."""
    batches: tuple[Batch, ...] = (Batch(1, 0),)
    """How its kernel can compute a whole output, the best way first; the last one is of one row and takes the least memory."""

    @property
    def layers(self) -> "tuple[Layer, ...]":
        return self.work.layers if self.work else ()

    @property
    def single(self) -> Batch:
        """One row at a time, the only way where the output is a ring, in the least memory."""
        return self.batches[-1]

    def one_row(self, scratch_bytes: int) -> Batch:
        """The best way to compute one row at a time that does with so much memory, or else the one with the least."""
        fitting = (batch for batch in self.batches if batch.rows == 1 and batch.scratch_bytes <= scratch_bytes)
        return next(fitting, self.single)


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Stages in an order in which each comes after those it reads from."""

    buffers: tuple[Buffer, ...]
    stages: tuple[Stage, ...]
    input: int
    """The buffer of the network's input; a stage writes it only where rows are streamed in."""
    output: int

    @property
    def streamed(self) -> bool:
        return self.producer(self.input) is not None

    def producer(self, buffer: int) -> int | None:
        """The stage that writes a buffer, or None for a resident input."""
        return self._producers.get(buffer)

    def readers(self, buffer: int) -> list[tuple[int, Tap]]:
        """The stages that read a buffer, in order, each with its tap; a stage may read it twice."""
        return self._readers.get(buffer, [])

    @cached_property
    def _producers(self) -> dict[int, int]:
        return {stage.output: place for place, stage in enumerate(self.stages)}

    @cached_property
    def _readers(self) -> dict[int, list[tuple[int, Tap]]]:
        readers: dict[int, list[tuple[int, Tap]]] = {}
        for place, stage in enumerate(self.stages):
            for tap in stage.taps:
                readers.setdefault(tap.buffer, []).append((place, tap))
        return readers
