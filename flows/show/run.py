"""What is shown of one run of stages, and what its stages tell while they run."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State, StateDetails, StateType
from prefect.futures import PrefectFuture

from flows.pipeline import PlannedStage
from flows.schedule import FAILED, PINNED, UP_TO_DATE
from flows.show.best_effort import best_effort
from flows.show.graph import add_node
from flows.show.live import LiveTable
from flows.show.reports import earlier_reports
from flows.show.tables import Row, board_rows, board_words, failure_rows, headline, named, plan_rows, plan_words, result_rows, result_words

_STOPPED = (StateType.CANCELLED, "NotRun")
FAILURES = "What failed, why, and the command that repeats it"
_CACHED = (StateType.COMPLETED, "UpToDate")
MOST_NODES = 12
"""So many stages without a run are nodes of their own; the drawn sample has eleven in all."""


class ShownRun:
    """The tables of a run, and its graph. Stages tell it, from their threads, what they wait for and what they made."""

    def __init__(self, plan: Sequence[PlannedStage]) -> None:
        self._plan = plan
        self._task_runs: dict[str, UUID] = {}
        self._stopped: list[tuple[PlannedStage, str]] = []
        self._started: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._tries: dict[str, int] = {}
        self._trouble: dict[str, str] = {}
        self._warnings: dict[str, list[str]] = defaultdict(list)
        self._links: dict[str, list[str]] = {}
        self._boards = LiveTable("boards")

    def upstream(self, stage: PlannedStage) -> list[State[str]]:
        """What the stage's task run stands on, as Prefect's `wait_for` takes it: all of it has ended."""
        ended = {self._task_runs[one]: one for one in sorted(stage.upstream & self._task_runs.keys())}
        details = ((one, StateDetails(task_run_id=run)) for run, one in ended.items())
        return [State(type=StateType.COMPLETED, state_details=detail, data=one) for one, detail in details]

    def started(self, address: str, future: PrefectFuture[Any]) -> None:
        """Its command is being started."""
        self._task_runs[address] = future.task_run_id
        self._started[address] = time.monotonic()

    def stopped(self, stage: PlannedStage, why: str) -> None:
        """It is not run; other stages that it needs may not have begun."""
        self._stopped.append((stage, why))

    def cached(self, stages: Sequence[PlannedStage], outcome: str, why: str) -> None:
        """They need no run. Many of them are one node of the graph, so that what does run can be seen."""
        if len(stages) <= MOST_NODES:
            for stage in stages:
                self._add(stage, *_CACHED, why)
        else:
            names = "\n".join(stage.address for stage in stages)
            fold = add_node(f"{len(stages)} stages {outcome}", self._behind(stages), *_CACHED, names)
            self._task_runs |= dict.fromkeys((stage.address for stage in stages), fold)

    def finish(self, outcomes: Mapping[str, str]) -> None:
        """All stages have an outcome."""
        for stage, why in self._stopped:
            self._add(stage, *_STOPPED, why)
        self.show_boards(outcomes, [])

    def _add(self, stage: PlannedStage, state_type: StateType, state_name: str, why: str) -> None:
        self._task_runs[stage.address] = add_node(stage.address, self._behind([stage]), state_type, state_name, why)

    def _behind(self, stages: Sequence[PlannedStage]) -> list[UUID]:
        """The nodes that they stand on."""
        return sorted({self._task_runs[one] for stage in stages for one in stage.upstream & self._task_runs.keys()})

    def row(self, address: str, outcome: str, why: str) -> Row:
        """What became of it."""
        begun = self._started.get(address)
        if outcome != FAILED and address in self._trouble:
            why = f"{why}; tried again, because {self._trouble[address]}"
        took_s = None if begun is None else round(time.monotonic() - begun, 1)
        done = {"stage": address, "outcome": outcome, "why": why, "took_s": took_s, "tries": self._tries.get(address, 0)}
        return done | {"warnings": self._warnings.get(address, [])}

    def tells(self, address: str, text: str) -> None:
        """What the stage told of its progress, or of what it waits for, is shown beside its board."""
        self._told[address] = text

    def tries(self, address: str, number: int) -> None:
        """It is tried for the `number`th time."""
        self._tries[address] = number

    def troubled(self, address: str, what: str) -> None:
        """A try failed."""
        self._trouble[address] = headline(what)

    def warned(self, address: str, what: str) -> None:
        """What it made may be no result."""
        self._warnings[address].append(what)

    def made(self, address: str, links: list[str]) -> None:
        """It left these artifacts, as Markdown links."""
        self._links[address] = links

    def show_plan(self, slots: int) -> None:
        """What is about to run, and why."""
        with best_effort("the plan"):
            create_table_artifact(key="plan", table=plan_rows(self._plan), description=plan_words(self._plan, slots))

    def show_boards(self, outcomes: Mapping[str, str], running: Sequence[str]) -> None:
        """Who has a board, and who waits for it; a stage that waits outside this run says so itself."""
        if any(stage.board and stage.address not in outcomes for stage in self._plan) or self._boards.is_shown:
            done, active = dict(outcomes), list(running)
            self._boards.show(lambda: self._board_rows(done, active), board_words)

    def _board_rows(self, outcomes: Mapping[str, str], running: Sequence[str]) -> list[Row]:
        rows = board_rows(self._plan, outcomes, running, dict(self._told))
        return [row | {"stage": named(row["stage"], self._task_runs)} for row in rows]

    def show_results(self, rows: Sequence[Row]) -> None:
        """What became of each stage; what failed, in a table of its own."""
        same = [row["stage"] for row in rows if row["outcome"] in (UP_TO_DATE, PINNED)]
        links = earlier_reports(same) | self._links
        with best_effort("the results"):
            create_table_artifact(key="results", table=result_rows(rows, links, self._task_runs), description=result_words(rows))
            if any(row["outcome"] == FAILED for row in rows):
                create_table_artifact(key="failures", table=failure_rows(rows, links, self._task_runs), description=FAILURES)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """While this lasts, the stages of this flow find it by `shown_run`, and its live tables are kept up to date."""
        token = _current.set(self)
        try:
            with self._boards.kept():
                yield
        finally:
            _current.reset(token)


_current: ContextVar[ShownRun | None] = ContextVar("shown_run", default=None)


def shown_run() -> ShownRun | None:
    """The run that the present task belongs to."""
    return _current.get()
