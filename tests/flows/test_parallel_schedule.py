"""What may start: never more than the slots, never a board twice, never before what it needs, and everything in the end."""

import heapq
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.pipeline import PlannedStage
from flows.schedule import FAILED, NOT_RUN, UP_TO_DATE, blocked, ready, startable, unchanged

SLOTS: list[int | None] = [1, 1, 1, 2, 3, None]
BOARDS = [None, None, "h7", "n6"]


@st.composite
def plans(draw: st.DrawFn, slots: list[int | None] = SLOTS, boards: list[str | None] = BOARDS) -> list[PlannedStage]:
    """Stages that each need some of the ones before them."""
    count = draw(st.integers(1, 25))
    return [
        PlannedStage(
            address=f"s{number}",
            upstream=frozenset(f"s{earlier}" for earlier in draw(st.sets(st.integers(0, number - 1), max_size=3)))
            if number
            else frozenset(),
            reason=draw(st.sampled_from(["changed", None])),
            slots=draw(st.sampled_from(slots)),
            board=draw(st.sampled_from(boards)),
        )
        for number in range(count)
    ]


def need(stage: PlannedStage, slots: int) -> int:
    return slots if stage.slots is None else min(stage.slots, slots)


def simulate(plan: list[PlannedStage], slots: int, seconds: dict[str, int], failing: set[str]) -> tuple[dict[str, str], int]:
    """Run the plan by the clock; returns the outcomes and the time when the last stage ended."""
    outcomes: dict[str, str] = {}
    running: list[tuple[int, str]] = []
    now = 0
    stages = {stage.address: stage for stage in plan}
    while len(outcomes) < len(plan):
        outcomes |= {stage.address: NOT_RUN for stage in blocked(plan, outcomes)}
        outcomes |= {stage.address: UP_TO_DATE for stage in unchanged(plan, outcomes)}
        active = {address for _, address in running}
        chosen = startable(plan, outcomes, active, slots)
        assert_nobody_is_passed_over(plan, chosen, ready(plan, outcomes, active), active)
        for stage in chosen:
            assert all(outcomes[upstream] not in (FAILED, NOT_RUN) for upstream in stage.upstream)
            heapq.heappush(running, (now + seconds[stage.address], stage.address))
        held = [stages[address] for _, address in running]
        boards = [stage.board for stage in held if stage.board]
        assert sum(need(stage, slots) for stage in held) <= slots
        assert len(boards) == len(set(boards))
        assert running or len(outcomes) == len(plan), "nothing runs and nothing may start"
        if running:
            now, address = heapq.heappop(running)
            outcomes[address] = FAILED if address in failing else "ran"
    return outcomes, now


def assert_nobody_is_passed_over(
    plan: list[PlannedStage], chosen: list[PlannedStage], waiting: list[PlannedStage], active: set[str]
) -> None:
    """A stage that has its board does not see one start that is behind it in the queue, however little that takes."""
    used = {stage.board for stage in plan if stage.address in active} | {stage.board for stage in chosen}
    left = [place for place, stage in enumerate(waiting) if stage not in chosen and (stage.board is None or stage.board not in used)]
    assert all(waiting.index(stage) < min(left, default=len(waiting)) for stage in chosen)


def durations(plan: list[PlannedStage], data: st.DataObject) -> dict[str, int]:
    """Seconds that the stages take; nothing is up to date."""
    return {stage.address: data.draw(st.integers(1, 9)) for stage in plan}


def longest_chain(plan: list[PlannedStage], seconds: dict[str, int]) -> int:
    chains: dict[str, int] = {}
    for stage in plan:
        chains[stage.address] = seconds[stage.address] + max((chains[one] for one in stage.upstream), default=0)
    return max(chains.values())


def all_changed(plan: list[PlannedStage]) -> list[PlannedStage]:
    return [replace(stage, reason="changed") for stage in plan]


@given(plans([1], [None]), st.integers(1, 5), st.data())
def test_without_weights_and_boards_the_makespan_keeps_grahams_bound(plan: list[PlannedStage], slots: int, data: st.DataObject) -> None:
    """R. L. Graham, Bounds on multiprocessing timing anomalies (1969): work / m + (1 - 1/m) * longest chain."""
    seconds = durations(plan, data)
    _, makespan = simulate(all_changed(plan), slots, seconds, set())
    assert makespan * slots <= sum(seconds.values()) + (slots - 1) * longest_chain(plan, seconds)


@given(plans(), st.integers(1, 5), st.data())
def test_with_weights_and_boards_no_slot_idles_without_a_reason(plan: list[PlannedStage], slots: int, data: st.DataObject) -> None:
    """While a stage of the chain that ends last waits, its board works, or so many slots that the widest stage does not fit."""
    seconds = durations(plan, data)
    _, makespan = simulate(all_changed(plan), slots, seconds, set())
    work = sum(seconds[stage.address] * need(stage, slots) for stage in plan)
    on_boards = sum(seconds[stage.address] for stage in plan if stage.board)
    widest = max(need(stage, slots) for stage in plan)
    assert makespan <= longest_chain(plan, seconds) + work / (slots - widest + 1) + on_boards


@given(plans(), st.integers(1, 5), st.data())
def test_every_plan_comes_to_an_end_within_its_limits(plan: list[PlannedStage], slots: int, data: st.DataObject) -> None:
    seconds = {stage.address: data.draw(st.integers(1, 9)) for stage in plan}
    failing = data.draw(st.sets(st.sampled_from([stage.address for stage in plan])))
    outcomes, _ = simulate(plan, slots, seconds, failing)
    for stage in plan:
        before = {outcomes[address] for address in stage.upstream}
        assert (outcomes[stage.address] == NOT_RUN) == bool(before & {FAILED, NOT_RUN})
        if stage.reason and not before & {FAILED, NOT_RUN}:
            assert outcomes[stage.address] == (FAILED if stage.address in failing else "ran")


def matrix(variants: int, boards: int) -> tuple[list[PlannedStage], dict[str, int]]:
    """As dvc.yaml has them: train, quantize, a benchmark on each board, card."""
    plan, seconds = [PlannedStage("prepare", frozenset(), "new", slots=None)], {"prepare": 5}
    for v in range(variants):
        plan += [PlannedStage(f"train{v}", frozenset({"prepare"}), "new"), PlannedStage(f"quantize{v}", frozenset({f"train{v}"}), "new")]
        plan += [PlannedStage(f"bench{v}-{b}", frozenset({f"quantize{v}"}), "new", board=f"b{b}") for b in range(boards)]
        plan += [PlannedStage(f"card{v}", frozenset(f"bench{v}-{b}" for b in range(boards)), "new")]
        seconds |= {f"train{v}": 20 + v, f"quantize{v}": 3, f"card{v}": 2} | {f"bench{v}-{b}": 4 + b for b in range(boards)}
    return plan, seconds


def test_twelve_variants_on_six_boards_take_little_more_than_the_lower_bound() -> None:
    plan, seconds = matrix(12, 6)
    for slots in (1, 2, 3, 4):
        work = sum(seconds[stage.address] * need(stage, slots) for stage in plan) / slots
        boards = max(sum(seconds[stage.address] for stage in plan if stage.board == f"b{b}") for b in range(6))
        chain = 5 + 31 + 3 + 9 + 2
        _, makespan = simulate(plan, slots, seconds, set())
        assert makespan <= 1.15 * max(work, boards, chain)


FOUR_VARIANTS = {"0.25-128": 27, "0.25-224": 65, "v1-128": 40, "v1-224": 70}
"""Minutes of a training, two at once on two cores, as measured on the flowers."""


def four_trainings(known: bool) -> list[PlannedStage]:
    return [
        PlannedStage(name, frozenset(), "changed", last_s=60.0 * minutes if known else None, pixels=int(name[-3:]) ** 2)
        for name, minutes in FOUR_VARIANTS.items()
    ]


@pytest.mark.parametrize("known", [True, False])
def test_the_longest_of_several_trainings_is_not_left_alone_at_the_end(known: bool) -> None:
    _, makespan = simulate(four_trainings(known), 2, FOUR_VARIANTS, set())
    assert makespan <= 1.1 * sum(FOUR_VARIANTS.values()) / 2


def test_what_nobody_knows_of_begins_before_what_is_known() -> None:
    plan = [PlannedStage(name, frozenset(), "changed", last_s=last) for name, last in (("a", 5.0), ("b", 9.0), ("c", None), ("d", 0.0))]
    assert [stage.address for stage in ready(plan, {}, set())] == ["c", "b", "a", "d"]


def test_a_stage_that_needs_everything_is_not_passed_over_for_ever() -> None:
    big = PlannedStage("big", frozenset(), "new", slots=None)
    plan = [big, *(PlannedStage(f"small{number}", frozenset(), "new") for number in range(9))]
    assert [stage.address for stage in startable(plan, {}, set(), 2)] == ["big"]
    assert startable(plan, {}, {"small0"}, 2) == []


def test_a_benchmark_that_runs_alone_lets_longer_chains_begin_first() -> None:
    """Else a core would be idle while the other one ends a training of an hour."""
    bench = PlannedStage("bench", frozenset(), "new", slots=None, board="host")
    plan = [PlannedStage("train", frozenset(), "new"), bench, PlannedStage("quantize", frozenset(), "new")]
    plan += [PlannedStage("card", frozenset({"bench"}), "new"), PlannedStage("evaluate", frozenset({"quantize"}), "new")]
    plan += [PlannedStage("table", frozenset({"evaluate"}), "new")]
    assert [stage.address for stage in startable(plan, {}, {"train"}, 2)] == ["quantize"]


def test_a_stage_that_waits_for_its_board_holds_nobody_back() -> None:
    plan = [PlannedStage(name, frozenset(), "new", board=board) for name, board in (("a", "h7"), ("b", "h7"), ("c", None))]
    assert [stage.address for stage in startable(plan, {}, {"a"}, 2)] == ["c"]
