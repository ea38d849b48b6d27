"""The tables of a run as rows, and the words in them: pure functions. Prefect's UI renders the cells as Markdown and wraps none."""

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from edgeloop.markup import text as literal
from edgeloop.plural import many
from flows.pipeline import GRAPH, PlannedStage
from flows.schedule import FAILED, ready

Row = dict[str, Any]
"""What became of a stage: `stage`, `outcome`, `why`, `took_s` (None where nothing ran), `tries` and `warnings`."""

ANEW = "asked for anew"
PIN = "pinned in params.yaml: it stays as it is"
SAME = "nothing that it depends on changed"
BUILT_ON = "something that it stands on was built"
REPEAT = "Repeat it with: "
OUTPUT = "\nThe end of its output:\n"
HOLDS = "at work"
NOT_READY = "not ready: what it needs is not built yet"
MOST_OUTPUT = 4
WIDTH = 48
"""Characters in a line of a cell."""


def plan_rows(plan: Sequence[PlannedStage]) -> list[Row]:
    """What will run and why, what may have to, and what is cached."""
    runs: dict[str, str] = {}
    rows = []
    for stage in plan:
        behind = sorted((stage.upstream & runs.keys()) - {GRAPH})
        if stage.pinned:
            rows.append({"stage": f"`{stage.address}`", "plan": "pinned", "why": PIN})
        elif stage.reason:
            runs[stage.address] = "run"
            rows.append({"stage": f"`{stage.address}`", "plan": "run", "why": stage.reason})
        elif behind:
            runs[stage.address] = "run if changed"
            rows.append({"stage": f"`{stage.address}`", "plan": "run if changed", "why": f"stands on {_listed(behind)}"})
        else:
            rows.append({"stage": f"`{stage.address}`", "plan": "cached", "why": SAME})
    return rows


def plan_words(plan: Sequence[PlannedStage], slots: int | None = None) -> str:
    """The plan in a line, with the CPU slots that it has."""
    kinds = [row["plan"] for row in plan_rows(plan)]
    counted = [f"{kinds.count(kind)} {words}" for kind, words in _KINDS.items() if kind in kinds]
    return f"{many(len(plan), 'stage')}: {', '.join(counted)}" + (f"; {slots} CPU slots" if slots else "")


def _listed(addresses: Sequence[str]) -> str:
    """The first two, and how many more."""
    shown = ", ".join(f"`{address}`" for address in addresses[:2])
    return shown if len(addresses) <= 2 else f"{shown} and {len(addresses) - 2} more"


_KINDS = {"run": "to run", "run if changed": "to run if what they stand on changes", "cached": "cached", "pinned": "pinned"}


def result_rows(rows: Sequence[Row], links: Mapping[str, Iterable[str]], task_runs: Mapping[str, UUID]) -> list[Row]:
    """What became of each stage, how long it took, and what there is to see."""
    return [
        {
            "stage": named(row["stage"], task_runs),
            "outcome": row["outcome"] + (f", {row['tries']} tries" if row["tries"] > 1 else ""),
            "took": seconds(row["took_s"]),
            "why": "\n".join(wrapped(line) for line in (headline(str(row["why"])), *(f"warning: {said}" for said in row["warnings"]))),
            "see": "\n".join(links.get(row["stage"], ())),
        }
        for row in rows
    ]


def result_words(rows: Sequence[Row]) -> str:
    """The results in a line."""
    outcomes = [str(row["outcome"]) for row in rows]
    warned = sum(len(row["warnings"]) for row in rows)
    counted = [f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes)]
    return f"{many(len(rows), 'stage')}: " + ", ".join([*counted, *([f"{many(warned, 'warning')}"] if warned else [])])


def failure_rows(rows: Sequence[Row], links: Mapping[str, Iterable[str]], task_runs: Mapping[str, UUID]) -> list[Row]:
    """What failed, why, and the command that repeats it."""
    return [
        {
            "stage": named(row["stage"], task_runs),
            "why": "\n".join(wrapped(line.strip()) for line in reason(str(row["why"])).splitlines()),
            "repeat it with": f"`{repeat_command(str(row['why']))}`",
            "tries": row["tries"],
            "see": "\n".join(links.get(row["stage"], ())),
        }
        for row in rows
        if row["outcome"] == FAILED
    ]


def repeat_command(why: str) -> str:
    """The command that a stage's error names at its end."""
    return why.rpartition(REPEAT)[2].strip()


def named(address: str, task_runs: Mapping[str, UUID]) -> str:
    """The stage, with a link to its task run where it has one; plain, Markdown takes it for a mail address."""
    return f"[{address}](/runs/task-run/{task_runs[address]})" if address in task_runs else f"`{address}`"


def board_rows(plan: Sequence[PlannedStage], outcomes: Mapping[str, str], running: Collection[str], told: Mapping[str, str]) -> list[Row]:
    """For each board who has it, who waits for it in which place, which of its stages are not ready, and which are done.

    `told` is what running stages last printed of their progress, or about a queue outside this run.
    """
    places = _places(plan, outcomes, running)
    taken = {stage.board for stage in plan if stage.address in running}
    rows = []
    for stage in (one for one in plan if one.board):
        address, board = stage.address, str(stage.board)
        if address in running:
            order, place, state = 0, HOLDS, told.get(address, "has it")
        elif address in places:
            order, place, state = places[address], str(places[address]), "waits for it" if board in taken else "waits for CPU slots"
        elif address not in outcomes:
            order, place, state = len(plan), "", NOT_READY
        else:
            order, place, state = len(plan) + 1, "", outcomes[address]
        rows.append((board, order, {"board": board, "place": place, "stage": address, "state": wrapped(state)}))
    return [row for *_, row in sorted(rows, key=lambda entry: entry[:2])]


def _places(plan: Sequence[PlannedStage], outcomes: Mapping[str, str], running: Collection[str]) -> dict[str, int]:
    """Which place a stage that is ready has in the queue of its board."""
    queues: dict[str, int] = {}
    places = {}
    for stage in ready(plan, outcomes, running):
        if stage.board:
            places[stage.address] = queues[stage.board] = queues.get(stage.board, 0) + 1
    return places


def board_words(rows: Sequence[Row]) -> str:
    """The boards in a line."""
    on_boards = sum(row["place"] == HOLDS for row in rows)
    waiting = sum(str(row["place"]).isdigit() for row in rows)
    done = sum(row["place"] == "" and row["state"] != NOT_READY for row in rows)
    boards = len({row["board"] for row in rows})
    return f"{many(boards, 'board')}, {many(len(rows), 'benchmark')}: {on_boards} at work, {waiting} waiting in a queue, {done} done"


def seconds(took_s: float | None) -> str:
    """For people; nothing where nothing ran."""
    if took_s is None:
        return ""
    if took_s < 60:
        return f"{took_s:.1f} s"
    minutes, rest = divmod(round(took_s), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def reason(why: str) -> str:
    """Without the command that repeats it, and with little of the output where the stage said nothing better."""
    said, _, output = why.rpartition(f"\n  {REPEAT}")[0].partition(OUTPUT)
    return "\n".join([said, *output.splitlines()[-MOST_OUTPUT:]])


def headline(why: str) -> str:
    """Its first line, which says what happened."""
    return why.partition("\n")[0]


def wrapped(text: str) -> str:
    """In lines that a table's cell can show, as what they say and not as Markdown."""
    return "\n".join(literal(line) for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False))
