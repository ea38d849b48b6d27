"""Which stages may start now: a pure function of the plan, of what became of its stages, and of what is in use."""

from collections.abc import Collection, Mapping, Sequence
from math import inf

from flows.pipeline import PlannedStage

UP_TO_DATE = "up to date"
FAILED = "failed"
NOT_RUN = "not run"
PINNED = "pinned"


def startable(plan: Sequence[PlannedStage], outcomes: Mapping[str, str], running: Collection[str], slots: int) -> list[PlannedStage]:
    """The stages that can be started at this moment, all of them at once.

    A stage is ready when everything that it needs is done and nothing of it failed. Of the ready ones, those that need a
    board come first, because boards are few (not those that run alone: before one of them all others must end); then those
    with the longest chain waiting for them, and of these the longest, so that none of them is left alone at the end
    (R. L. Graham, 1969). Together with the running ones they take no more than `slots` slots, and no two of them the same
    board. A stage that needs more slots than are free holds back those behind it, so that it is not passed over for ever;
    one that waits for its board does not.
    """
    active = [stage for stage in plan if stage.address in running]
    free = slots - sum(_slots(stage, slots) for stage in active)
    boards = {stage.board for stage in active if stage.board}
    chosen = []
    for stage in ready(plan, outcomes, running):
        if stage.board and stage.board in boards:
            continue
        if _slots(stage, slots) > free:
            break
        free -= _slots(stage, slots)
        boards |= {stage.board} if stage.board else set()
        chosen.append(stage)
    return chosen


def blocked(plan: Sequence[PlannedStage], outcomes: Mapping[str, str]) -> list[PlannedStage]:
    """Stages that can never run, because one that they need failed or was not run."""
    lost = {address for address, outcome in outcomes.items() if outcome in (FAILED, NOT_RUN)}
    found = []
    for stage in plan:
        if stage.address not in outcomes and stage.upstream & lost:
            lost.add(stage.address)
            found.append(stage)
    return found


def unchanged(plan: Sequence[PlannedStage], outcomes: Mapping[str, str]) -> list[PlannedStage]:
    """Stages that need no run: pinned ones, and those of which nothing changed and that stand on nothing that was built."""
    same = {address for address, outcome in outcomes.items() if outcome in (UP_TO_DATE, PINNED)}
    found = []
    for stage in plan:
        if stage.address not in outcomes and (stage.pinned or (not stage.reason and stage.upstream <= same)):
            same.add(stage.address)
            found.append(stage)
    return found


def ready(plan: Sequence[PlannedStage], outcomes: Mapping[str, str], running: Collection[str]) -> list[PlannedStage]:
    """The stages that wait for nothing but slots and boards, in the order in which they get them."""
    good = {address for address, outcome in outcomes.items() if outcome not in (FAILED, NOT_RUN)}
    found = [stage for stage in plan if stage.address not in outcomes and stage.address not in running and stage.upstream <= good]
    chains = _chains(plan)
    return sorted(found, key=lambda stage: (stage.board is None or stage.slots is None, -chains[stage.address], *_shortness(stage)))


def _chains(plan: Sequence[PlannedStage]) -> dict[str, int]:
    """How many stages the longest chain has that begins with a stage (the plan lists a stage after its upstream ones)."""
    chains = {stage.address: 1 for stage in plan}
    for stage in reversed(plan):
        for upstream in stage.upstream & chains.keys():
            chains[upstream] = max(chains[upstream], chains[stage.address] + 1)
    return chains


def _shortness(stage: PlannedStage) -> tuple[float, int]:
    """Less for what takes longer: what nobody knows of, then what took most last time; of equals, larger images."""
    return -inf if stage.last_s is None else -stage.last_s, -stage.pixels


def _slots(stage: PlannedStage, slots: int) -> int:
    """What it takes of so many; a stage that asks for more than there are takes them all."""
    return slots if stage.slots is None else min(stage.slots, slots)
