"""The memory plan: which buffers are stored whole, which as rings of rows, and where everything lies in one arena.

A pure function of the pipeline. The stages are cut into segments (see `segment`) so that the largest segment takes as
little as possible; among cuts that reach that, as few stages as possible are computed row by row in turns.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgeloop.codegen.portable.pipeline import Batch, Pipeline, Stage, Tap
from edgeloop.codegen.portable.placement import ALIGNMENT, Block, aligned, place
from edgeloop.codegen.portable.segment import MOST_STAGES, Segment, segment

CUTS = 12
"""Ways to cut that are laid out, those with the least bound first."""
ROOM, ROOM_BEYOND, ROOM_BYTES = 1.03, 1.0125, 896
"""For speed the arena may grow: up to so many times the bound that `rows_bytes` gives, or so many times itself where it is beyond
that, but not by more bytes than this."""
WORTH = 200
"""Instructions of an inference that a further byte must save."""


@dataclass(frozen=True)
class Area:
    """A piece of the arena, and the segments during which it is in use."""

    offset: int
    bytes: int
    first: int
    last: int
    buffer: int | None
    """None for scratch."""
    rows: int | None
    """Rows of a ring; None for what is stored whole, and for scratch."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Where everything lies. All offsets are multiples of 8 bytes."""

    pipeline: Pipeline
    segments: tuple[Segment, ...]
    areas: tuple[Area, ...]
    arena_bytes: int

    def buffer(self, buffer: int) -> Area:
        """The area of a buffer; one that is computed in the place of another has that one's."""
        home = next((part.homes[buffer] for part in self.segments if buffer in part.homes), buffer)
        return next(area for area in self.areas if area.buffer == home)

    def segment(self, stage: int) -> Segment:
        """The segment that a stage is in."""
        return next(part for part in self.segments if part.first <= stage <= part.last)

    def batch(self, stage: int) -> Batch:
        """How a stage computes its rows."""
        part = self.segment(stage)
        return part.batch if stage == part.last else self.pipeline.stages[stage].one_row(_shared(self.pipeline, part))

    def pulls(self, stage: int) -> list[tuple[int, Tap]]:
        """The stages of its own segment from which a stage must first ask for rows, each with its tap."""
        first, taps = self.segment(stage).first, self.pipeline.stages[stage].taps
        producers = ((self.pipeline.producer(tap.buffer), tap) for tap in taps)
        return [(producer, tap) for producer, tap in producers if producer is not None and producer >= first]

    def scratch(self, stage: int) -> Area | None:
        """What the kernels of the stage's segment work in, one after the other; None where they need nothing."""
        number = self.segments.index(self.segment(stage))
        return next((area for area in self.areas if area.buffer is None and area.first == number), None)


Cut = list[tuple[int, int]]
"""First and last stage of each segment."""
Crossing = list[list[int]]
"""For each stage, the buffers that were written before it (or hold the input) and are read by it or later."""


def make_plan(pipeline: Pipeline) -> Plan:
    """The plan with the smallest arena that the search finds; equal pipelines give equal plans."""
    parts = _segments(pipeline)
    crossing = _crossing(pipeline)
    needed = {ends: _least_bytes(pipeline, part, crossing) for ends, part in parts.items()}
    least = _least_peak(len(pipeline.stages), needed)
    best: Plan | None = None
    for peak in sorted(size for size in set(needed.values()) if size >= least)[:CUTS]:
        # A cut with a larger peak may still have the smaller arena, because placing leaves gaps. But every further cut takes at
        # least `peak`: once an arena is that small, none can be smaller.
        if best is not None and best.arena_bytes <= aligned(peak):
            break
        segments = tuple(parts[ends] for ends in _fewest_rings(len(pipeline.stages), needed, peak))
        found = _laid_out(pipeline, segments, peak)
        if best is None or found.arena_bytes < best.arena_bytes:
            best = found
    if best is None:
        raise ValueError("a pipeline without stages has no plan")
    return _with_batches(best)


def _with_batches(plan: Plan) -> Plan:
    """The same plan with as much scratch memory as there is room for anyway, and a little more where that saves enough instructions."""
    most = min(plan.arena_bytes + ROOM_BYTES, int(max(ROOM * rows_bytes(plan.pipeline), ROOM_BEYOND * plan.arena_bytes)))
    numbers = range(len(plan.segments))
    saved = [_saved(plan.pipeline.stages[part.last]) for part in plan.segments]
    # A segment that takes the room may leave none to the next one: some orders are tried.
    orders = [[*numbers], [*reversed(numbers)], sorted(numbers, key=lambda number: -saved[number])]
    found = [_in_order(plan, order, room) for room in (plan.arena_bytes, most // ALIGNMENT * ALIGNMENT) for order in orders]
    return min(found, key=lambda one: (_cost(one) + WORTH * one.arena_bytes, one.arena_bytes))


def _in_order(plan: Plan, order: list[int], room: int) -> Plan:
    """The plan in which one segment after the other got the best way to compute its rows that `room` bytes hold."""
    crossing = _crossing(plan.pipeline)
    for number in order:
        part = plan.segments[number]
        for batch in plan.pipeline.stages[part.last].batches[:-1]:
            changed = segment(plan.pipeline, part.first, part.last, batch)
            if changed is None or _least_bytes(plan.pipeline, changed, crossing) > room:
                continue
            found = _laid_out(plan.pipeline, (*plan.segments[:number], changed, *plan.segments[number + 1 :]), room)
            if found.arena_bytes <= room:
                plan = found
                break
    # The search was content with anything up to `room`.
    peak = max(_least_bytes(plan.pipeline, part, crossing) for part in plan.segments)
    return min(plan, _laid_out(plan.pipeline, plan.segments, peak), key=lambda one: one.arena_bytes)


def _cost(plan: Plan) -> int:
    """What the chosen ways take."""
    return sum(plan.batch(stage).cost for stage in range(len(plan.pipeline.stages)))


def _saved(stage: Stage) -> int:
    """What the best way takes less than the one that takes the least memory."""
    return stage.single.cost - stage.batches[0].cost


def rows_bytes(pipeline: Pipeline) -> int:
    """The least memory of any cut if kernels needed none to work in, and placing left no gaps: a bound of the arena's size."""
    bare = replace(pipeline, stages=tuple(replace(stage, batches=(Batch(1, 0),)) for stage in pipeline.stages))
    crossing = _crossing(bare)
    return _least_peak(len(bare.stages), {ends: _least_bytes(bare, part, crossing) for ends, part in _segments(bare).items()})


def _crossing(pipeline: Pipeline) -> Crossing:
    found: Crossing = [[] for _ in pipeline.stages]
    for buffer in range(len(pipeline.buffers)):
        born, readers = pipeline.producer(buffer), pipeline.readers(buffer)
        if readers:
            for place in range(0 if born is None else born + 1, readers[-1][0] + 1):
                found[place].append(buffer)
    return found


def _segments(pipeline: Pipeline) -> dict[tuple[int, int], Segment]:
    """Every segment that there could be, by its first and last stage."""
    count = len(pipeline.stages)
    found = {
        (first, last): segment(pipeline, first, last) for first in range(count) for last in range(first, min(first + MOST_STAGES, count))
    }
    return {ends: part for ends, part in found.items() if part is not None}


def _least_peak(count: int, needed: dict[tuple[int, int], int]) -> int:
    """The smallest maximum over segments, over all ways to cut the stages."""
    # peaks[n] is the least peak of the first n stages: their last segment begins somewhere, and the peak before it is known.
    peaks = [0]
    for last in range(count):
        peaks.append(min(max(peaks[first], needed[first, last]) for first in range(last + 1) if (first, last) in needed))
    return peaks[-1]


def _fewest_rings(count: int, needed: dict[tuple[int, int], int], peak: int) -> Cut:
    """The cut with the fewest stages in segments with others, of those whose segments all take at most `peak`."""
    # As in _least_peak; among equals in rings the one whose segments take least together, which leaves the placement most room.
    cuts: list[tuple[int, int, Cut] | None] = [(0, 0, [])]
    for last in range(count):
        found: list[tuple[int, int, Cut]] = []
        for first in range(last + 1):
            before = cuts[first]
            if before is not None and needed.get((first, last), peak + 1) <= peak:
                found.append((before[0] + last - first, before[1] + needed[first, last], [*before[2], (first, last)]))
        cuts.append(min(found, default=None))
    chosen = cuts[-1]
    return chosen[2] if chosen is not None else []


def _least_bytes(pipeline: Pipeline, part: Segment, crossing: Crossing) -> int:
    """What the segment takes at least while it runs: what lives through it, what it reads, writes and keeps."""
    written = pipeline.stages[part.last].output
    ending: list[int] = []
    through = 0
    for buffer in crossing[part.first]:
        if pipeline.readers(buffer)[-1][0] > part.last or not _may_overlap(pipeline, written, buffer):
            through += pipeline.buffers[buffer].bytes
        else:
            ending.append(buffer)
    size = pipeline.buffers[written].bytes
    return through + _overlapped(pipeline, part, size, ending) + _inner_bytes(pipeline, part)


def _overlapped(pipeline: Pipeline, part: Segment, size: int, ending: list[int]) -> int:
    """The least extent of an output of `size` bytes and the inputs that it may be written over."""
    sizes = [pipeline.buffers[buffer].bytes for buffer in ending]
    if len(ending) == 1:
        # The output begins `lag` bytes before the input, so together they reach from there to the input's end, or to the
        # output's own where that is farther. Never worse than one behind the other. With a negative lag (read before anything
        # is written) the smaller lies within the larger.
        return min(size + sizes[0], max(size, sizes[0] + max(part.lags[ending[0]], 0)))
    # Several inputs lie beside each other until the segment ends; at best the output lies over them.
    return max(size, sum(sizes))


def _may_overlap(pipeline: Pipeline, output: int, buffer: int) -> bool:
    """Whether `output` may be written over `buffer`, which its own segment reads last.

    The network's output may not lie over its input where the caller fills that: the output must stay readable meanwhile.
    """
    return pipeline.streamed or (output, buffer) != (pipeline.output, pipeline.input)


def _inner_bytes(pipeline: Pipeline, part: Segment) -> int:
    """What is needed in the segment only."""
    return sum(aligned(size) for size in (*_rings(pipeline, part).values(), _shared(pipeline, part)))


def _rings(pipeline: Pipeline, part: Segment) -> dict[int, int]:
    """Bytes of each inner buffer."""
    return {buffer: rows * pipeline.buffers[buffer].row_bytes for buffer, rows in part.rings.items()}


def _shared(pipeline: Pipeline, part: Segment) -> int:
    """Bytes that the segment's kernels work in, one after the other."""
    inner = [pipeline.stages[stage].single.scratch_bytes for stage in range(part.first, part.last)]
    return max([*inner, part.batch.scratch_bytes])


def _laid_out(pipeline: Pipeline, segments: tuple[Segment, ...], bound: int) -> Plan:
    """The plan of these segments."""
    areas = [*_whole_areas(pipeline, segments)]
    for number, part in enumerate(segments):
        areas.extend(Area(0, size, number, number, buffer, part.rings[buffer]) for buffer, size in _rings(pipeline, part).items())
        if shared := _shared(pipeline, part):
            areas.append(Area(0, shared, number, number, None, None))
    index = {area.buffer: number for number, area in enumerate(areas) if area.buffer is not None}
    allowed = {
        (index[pipeline.stages[part.last].output], index[buffer]): lag
        for number, part in enumerate(segments)
        for buffer, lag in part.lags.items()
        if areas[index[buffer]].last == number and _may_overlap(pipeline, pipeline.stages[part.last].output, buffer)
    }
    apart = frozenset() if pipeline.streamed else frozenset({(index[pipeline.output], index[pipeline.input])})
    placement = place([Block(area.bytes, area.first, area.last) for area in areas], allowed, apart, bound)
    moved = tuple(replace(area, offset=offset) for area, offset in zip(areas, placement.offsets, strict=True))
    return Plan(pipeline, segments, moved, placement.bytes)


def _whole_areas(pipeline: Pipeline, segments: tuple[Segment, ...]) -> Iterator[Area]:
    """The resident input and each segment's output, from the segment that makes it to the last one that reads it."""
    number_of = {stage: number for number, part in enumerate(segments) for stage in range(part.first, part.last + 1)}
    born = {pipeline.stages[part.last].output: number for number, part in enumerate(segments)}
    if not pipeline.streamed:
        born[pipeline.input] = 0
    for buffer, first in sorted(born.items()):
        last = max([first, *(number_of[reader] for reader, _ in pipeline.readers(buffer))])
        yield Area(0, pipeline.buffers[buffer].bytes, first, last, buffer, None)
