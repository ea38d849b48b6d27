"""The memory plan: nothing that is still needed is ever written over, and little memory is taken."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_simulator import Overwritten, Simulator
from random_pipelines import random_pipeline, value

from edgeloop.codegen.generate import plan_model
from edgeloop.codegen.portable.pipeline import Batch, Buffer, Pipeline, Stage, Tap
from edgeloop.codegen.portable.plan import Plan, make_plan, rows_bytes


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), streamed=st.booleans())
def test_no_byte_that_is_still_needed_is_overwritten(seed: int, streamed: bool) -> None:
    pipeline = random_pipeline(seed, streamed=streamed)
    plan = make_plan(pipeline)
    simulator = Simulator(plan)
    simulator.run()
    for area in plan.areas:
        assert area.offset % 8 == 0
        assert area.offset + area.bytes <= plan.arena_bytes
    assert rows_bytes(pipeline) <= plan.arena_bytes <= sum(-(-area.bytes // 8) * 8 for area in plan.areas)


def test_equal_pipelines_give_equal_plans() -> None:
    one, other = (make_plan(random_pipeline(7, streamed=False)) for _ in range(2))
    assert (one.areas, one.segments) == (other.areas, other.segments)


def test_output_is_written_over_the_input_that_it_follows() -> None:
    """A 3x3 window of stride 2 over 64 x 8 bytes: the output is half as long, and starts one row before the input."""
    plan = make_plan(_chain([(64, 8), (32, 12)], rows=3, stride=2, top=0))
    # 8 bytes of the network's output, which its next input must leave alone.
    assert plan.arena_bytes == 64 * 8 + _up(12) + 8
    assert plan.buffer(1).offset + _up(12) == plan.buffer(0).offset


def test_wide_middle_is_kept_as_a_ring_of_rows() -> None:
    plan = make_plan(_chain([(32, 8), (32, 64), (32, 8)], rows=3, stride=1, top=1))
    ring = plan.buffer(1)
    assert ring.rows == 3
    assert [(part.first, part.last) for part in plan.segments] == [(0, 1), (2, 2)]
    # When the first output row is written, two inner rows are there and input row 0 is done with: output over input.
    assert plan.arena_bytes == 32 * 8 + 3 * 64


def test_a_row_that_one_stage_may_write_over_is_computed_where_it_writes() -> None:
    """A residual block: the convolution's row lies where the sum's will, so that only the rings of its input and of the sum are kept."""
    small, wide, narrow = value(32, 8, 1), value(32, 64, 1), value(32, 2, 1)
    window, same = partial(Tap, rows=3, top=1), partial(Tap, rows=1, in_place=True)
    stages = (
        Stage(None, (window(0, small),), 1),
        Stage(None, (window(1, wide),), 2),
        Stage(None, (same(1, wide), same(2, wide)), 3),
        Stage(None, (window(3, wide),), 4),
    )
    pipeline = Pipeline((Buffer(small), *(Buffer(wide) for _ in range(3)), Buffer(narrow)), stages, 0, 4)
    plan = make_plan(pipeline)
    Simulator(plan).run()
    assert plan.buffer(2) == plan.buffer(3)
    assert plan.arena_bytes == 32 * 8 + 2 * 3 * 64 + 32 * 2


def test_the_bound_is_the_input_and_what_the_output_must_begin_before_it() -> None:
    """One row of 12 bytes is written before the second input row may go, whatever the kernels work in."""
    chain = _chain([(64, 8), (32, 12)], rows=3, stride=2, top=0)
    assert rows_bytes(chain) == 64 * 8 + 12
    working = dataclasses.replace(chain, stages=tuple(dataclasses.replace(stage, batches=(Batch(1, 64),)) for stage in chain.stages))
    assert rows_bytes(working) == rows_bytes(chain)
    assert make_plan(working).arena_bytes == _up(rows_bytes(chain)) + 64


@pytest.mark.parametrize(("saved", "is_worth_it"), [(1_000, False), (1_000_000, True)])
def test_the_arena_grows_a_little_where_that_saves_enough_instructions(saved: int, is_worth_it: bool) -> None:
    chain = _chain([(64, 80), (32, 120)], rows=3, stride=2, top=0)
    first, *others = chain.stages
    ways = (Batch(1, 104, cost=0), Batch(1, 64, cost=saved))
    plan = make_plan(dataclasses.replace(chain, stages=(dataclasses.replace(first, batches=ways), *others)))
    Simulator(plan).run()
    least = make_plan(dataclasses.replace(chain, stages=(dataclasses.replace(first, batches=ways[1:]), *others)))
    assert plan.arena_bytes - least.arena_bytes == (40 if is_worth_it else 0)


def test_streamed_input_needs_no_frame() -> None:
    resident = _chain([(64, 96), (32, 32), (16, 32), (8, 32)], rows=3, stride=2, top=0)
    streamed = dataclasses.replace(resident, stages=(Stage(None, (), 0), *resident.stages))
    assert make_plan(resident).arena_bytes > 64 * 96
    plan = make_plan(streamed)
    Simulator(plan).run()
    assert plan.buffer(0).rows == 3
    assert plan.arena_bytes < 64 * 96 // 4


def test_output_stays_while_the_next_input_is_filled() -> None:
    pipeline = Pipeline((Buffer(value(4, 8, 1)), Buffer(value(4, 8, 1))), (Stage(None, (Tap(0, value(4, 8, 1), 1),), 1),), 0, 1)
    plan = make_plan(pipeline)
    output, taken = plan.buffer(1), plan.buffer(0)
    assert output.offset + output.bytes <= taken.offset or taken.offset + taken.bytes <= output.offset


@pytest.mark.parametrize(
    ("name", "resolution", "most_kib", "most_streamed_kib"),
    [
        pytest.param("fdmobilenet_0.25", 224, 150.75, 48, marks=pytest.mark.long),
        pytest.param("fdmobilenet_0.25", 128, 53.91, 48, marks=pytest.mark.thorough),
        pytest.param("st_fdmobilenet_v1", 224, 203.17, 60, marks=pytest.mark.long),
        pytest.param("st_fdmobilenet_v1", 128, 71.26, 48, marks=pytest.mark.thorough),
        pytest.param("fdmobilenet_1.0", 224, 200, 110, marks=pytest.mark.long),
    ],
)
def test_networks_take_little_memory_and_no_byte_is_overwritten(
    name: str, resolution: int, most_kib: float, most_streamed_kib: float, network_file: Callable[..., Path]
) -> None:
    """At least 4 % below what ST publishes for STM32H7, input and scratch included."""
    for streamed, most in ((False, most_kib), (True, most_streamed_kib)):
        _, plan = plan_model(network_file(name, resolution), stream_input=streamed)
        Simulator(plan).run()
        assert plan.arena_bytes <= most * 1024


def test_simulator_finds_a_plan_that_is_one_row_short() -> None:
    plan = make_plan(_chain([(32, 8), (32, 64), (32, 8)], rows=3, stride=1, top=1))
    with pytest.raises(Overwritten):
        Simulator(_with_ring(plan, 1, 2)).run()


def _with_ring(plan: Plan, buffer: int, rows: int) -> Plan:
    areas = tuple(dataclasses.replace(area, rows=rows) if area.buffer == buffer else area for area in plan.areas)
    return dataclasses.replace(plan, areas=areas)


def _chain(sizes: list[tuple[int, int]], *, rows: int, stride: int, top: int) -> Pipeline:
    """Buffers of (rows, bytes a row), each read by the stage of the next one; the last one is summed up to 8 bytes."""
    values = [value(height, width, 1) for height, width in sizes]
    buffers = (*(Buffer(made, whole=made is values[-1]) for made in values), Buffer(value(1, 1, 8)))
    stages = [Stage(None, (Tap(place, values[place], rows, stride, top),), place + 1) for place in range(len(sizes) - 1)]
    last = len(values) - 1
    return Pipeline(buffers, (*stages, Stage(None, (Tap(last, values[last], values[last].height),), last + 1)), 0, last + 1)


def _up(size: int) -> int:
    return -(-size // 8) * 8
